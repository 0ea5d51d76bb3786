export { currentAssignments, type StoredAssignment, storeAssignments } from "./assignments";
export { curatedMasks, curatedName, readCuratedObject } from "./curated-object";
export {
  type CuratedPage,
  type CuratedPlace,
  curatedPixels,
  madeOfCurated,
  pixelsAnswer,
  planesByKey,
} from "./curated-page";
export { appendFeatures, type ExtractedBy, picturesWithFeatures } from "./deep-features";
export {
  type Assignment,
  assignGroups,
  type Groupable,
  type Grouping,
  splitOfNewGroup,
} from "./groups";
export { findLeaks, type Leak, type SplitMember, splitMembers } from "./leaks";
export {
  type CurrentImage,
  currentImages,
  decodedBytes,
  type GroupedImage,
  groupables,
  onePerPicture,
  type PlannedRow,
  unhashedImages,
  withGroups,
} from "./live-images";
export { type ProcessedImage, type ReadShardsOptions, readMaskHashes, readShardRows, readShards } from "./read-shards";
export {
  type Rejection,
  type RejectionReason,
  type RejectRow,
  readRejects,
  rejectRows,
  rejectsName,
  writeRejects,
} from "./rejects";
export {
  isUpToDate,
  type Planes,
  planShards,
  type Shard,
  ShardFiles,
  type ShardRow,
} from "./shards";
