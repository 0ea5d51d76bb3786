export type { CanaryPair, Evidence, Finding, Judgement } from "./judge";
export {
  abortCanary,
  advanceCanary,
  type CanaryContext,
  CanaryRefused,
  type CanaryStep,
  canaryStatus,
  type Promoting,
  type Shares,
  startCanary,
} from "./steps";
