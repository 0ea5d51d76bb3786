export { curatedMasks, curatedName, readCuratedObject } from "./curated-object";
export { type CuratedPlace, curatedPixels, pixelsAnswer, planesByKey } from "./curated-page";
export {
  type Assignment,
  assignGroups,
  type Groupable,
  type Grouping,
  splitOfNewGroup,
} from "./groups";
export { findLeaks, type Leak, type SplitMember, splitMembers } from "./leaks";
export {
  type CuratedRow,
  decodedBytes,
  type GroupedRow,
  groupables,
  liveRows,
  onePerPicture,
  type PlannedRow,
  type StoredRow,
  storeGroups,
  withGroups,
} from "./live-images";
export { type ProcessedImage, type ReadShardsOptions, readShardRows, readShards } from "./read-shards";
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
