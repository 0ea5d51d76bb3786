export {
  classify,
  EMPTY_MANIFEST,
  type InputFile,
  type InputFolder,
  type InputKind,
  MANIFEST,
  type Manifest,
  type ManifestEntry,
  maskBeside,
  mergeManifests,
  parseManifest,
  pickScans,
  readInputFolder,
  readManifest,
  requireLabelFolders,
  unmatchedRows,
} from "./input-folder";
export { DISCLAIMER, LABEL_FOLDERS, LABELS, type Label } from "./labels";
export {
  KmsPseudonymiser,
  LOCAL_PSEUDONYM_KEY,
  LocalPseudonymiser,
  openPseudonymiser,
  type Pseudonymiser,
  type Request,
} from "./pseudonym";
export { asSplit, SPLITS, type Split } from "./splits";
