export { type Found, find, type Wanted } from "./find";
export { FORGOTTEN, type Forgotten, forget, markOf } from "./forget";
