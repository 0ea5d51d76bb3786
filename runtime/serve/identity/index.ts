export { Audit, type AuditAction, type AuditEntry } from "./audit";
export { secureHeaders } from "./headers";
export type { KeyTimes } from "./keys";
export { type IdentityOptions, identify, requireRole } from "./plugin";
export { type Caller, ROLES, type Role, type RouteRole } from "./roles";
export {
  type Authentication,
  authenticationOf,
  identityProblems,
  identityVariables,
  NO_AUTHENTICATION,
  unmeantProblems,
} from "./settings";
