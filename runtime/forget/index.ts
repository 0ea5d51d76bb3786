export { type Found, find, landedAs, type Wanted } from "./find";
export { FORGOTTEN, type Forgotten, forget, markOf } from "./forget";
export { type HospitalName, openHospital, type Place } from "./hospital";
