export { type Found, find, landedAs, type Wanted } from "./find";
export { type Forgotten, forget, markOf } from "./forget";
export { type HospitalName, openHospital, type Place } from "./hospital";
