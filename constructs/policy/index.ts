export { acknowledge } from "./acknowledge";
export { PolicyAspect } from "./aspect";
export {
  describeFinding,
  evaluatePolicy,
  type Finding,
  mirroredNumbers,
  openFindings,
  unknownAcknowledgements,
} from "./evaluate";
export { type Rule, SEVERITIES, type Severity } from "./rule";
export { RULES } from "./rules";
export { type ResourceDocument, type StackDocument, stackDocument } from "./stack-document";
