export { type Act, writeAct } from "./act";
export { leafOfRow, newSalt, SEALED_TABLE_NAMES } from "./leaf";
export { ForkedLog, type LogStore } from "./log";
export { type ConsistencyProof, type InclusionProof, NothingToProve, proveConsistency, proveInclusion } from "./proof";
export { RolledBackLog, type Sealed, type SealOptions, seal } from "./seal";
export { openSigner, type Signer } from "./signer";
export { type Verified, type VerifyOptions, verifyLog } from "./verify";
export type { Finding, FindingKind } from "./walk";
