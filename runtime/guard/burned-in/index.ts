export type { Region } from "./regions";
export { isText } from "./rule";
export { TextFinder } from "./text-finder";
