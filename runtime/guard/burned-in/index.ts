export { type Blanked, blankText, paintedOver } from "./blank";
export { isLookedAt } from "./looked-at";
export type { Box } from "./regions";
export { type FoundText, TextFinder } from "./text-finder";
