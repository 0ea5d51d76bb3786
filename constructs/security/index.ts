export { AUDIT_LOG_TYPES, AuditConfig, type AuditLogType } from "./audit-config";
export { AuditKey, type AuditKeyRef, auditKeyFromVersion } from "./audit-key";
export { AuditSink, type AuditSinkProps } from "./audit-sink";
export { Budget, type BudgetProps } from "./budget";
export {
  AMOUNT,
  BILLING_ACCOUNT,
  budgetLine,
  keyLocation,
  keysLine,
  organisationLine,
  organisationProblems,
} from "./config";
export { DataKey, type EncryptionKey, encryptionKeyFromId, KeyAgentGrants, ROTATION_PERIOD } from "./data-key";
export { EphemeralKeys, type EphemeralKeysProps } from "./ephemeral-keys";
export {
  HospitalKeys,
  type HospitalKeysProps,
  hospitalKeysFromNames,
  type KeyChoice,
  type KeyRefs,
} from "./hospital-keys";
export { keysMonitoring } from "./monitoring";
export { Organisation, type OrganisationProps, organisationServices } from "./organisation";
export { PseudonymKey, type PseudonymKeyRef, pseudonymKeyFromVersion } from "./pseudonym-key";
