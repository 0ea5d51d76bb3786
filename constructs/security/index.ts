export { DataKey, type EncryptionKey, encryptionKeyFromId, KeyAgentGrants, ROTATION_PERIOD } from "./data-key";
export {
  HospitalKeys,
  type HospitalKeysProps,
  hospitalKeysFromNames,
  type KeyChoice,
  type KeyRefs,
} from "./hospital-keys";
export { PseudonymKey, type PseudonymKeyRef, pseudonymKeyFromVersion } from "./pseudonym-key";
