export { FALSE_ALARMS, type FittedGuard, fitGuard, type GuardScan, MINIMUM_SCANS } from "./fit";
export {
  DESCRIPTOR_ID,
  type GuardParameters,
  type GuardVerdict,
  InputGuard,
  parseGuard,
  serializeGuard,
} from "./input-guard";
