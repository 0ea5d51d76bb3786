export type { ScoredScan } from "../evaluate";
export { type ChangePlan, type Clause, changePlan, readChangePlan } from "./change-plan";
export {
  comparePaired,
  describeResult,
  inReference,
  type PairedComparison,
  type PairedResult,
  pText,
  type ReferenceComparison,
} from "./compare";
export { considerPromotion, type Promotion, previewPromotion } from "./consider";
export { type Contender, contenderOf, type Decision } from "./decide";
export { type InventoryEntry, inventoryEntry, renderInventory } from "./inventory";
export { COMPARISONS_FOLDER, comparisonsIn, type LedgerEntry, shareOf } from "./ledger";
export { modelCard, type Reign } from "./model-history";
export {
  ChangedReferenceError,
  type Reference,
  type ReferenceScan,
  readReference,
  registerReference,
} from "./reference";
export { compareFiles, type FileComparison } from "./scores-file";
export { logGamma } from "./student";
