export { type Blanked, type Box, blankText, type FoundText, isLookedAt, paintedOver, TextFinder } from "./burned-in";
export { DESCRIPTOR } from "./descriptor";
export { type FittedGuard, fitGuard, GUARD_FIT, type GuardScan } from "./fit";
export {
  type GuardLimits,
  type GuardParameters,
  type GuardVerdict,
  InputGuard,
  parseGuard,
  serializeGuard,
} from "./input-guard";
export { SKULL } from "./skull";
