export {
  type AgreedLabel,
  type Agreement,
  agreedLabels,
  personOf,
  type SaidOfPicture,
} from "./agreed-labels";
export { currentAssignments, type StoredAssignment, storeAssignments } from "./assignments";
export { curatedName, readCuratedObject } from "./curated-object";
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
export { ANSWERS, HISTORY, historyName, keptAnswerName, keptPageName } from "./kept-answers";
export { findLeaks, type Leak, type SplitMember, tornMembers } from "./leaks";
export {
  LABEL_WITHDRAWN,
  type Learning,
  type LearningOptions,
  type LearningStores,
  labelsOfFeedback,
  learnFromFeedback,
  NOT_LEARNT,
  type NotLearnt,
} from "./learn-from-feedback";
export { type CurrentImage, currentImages, decodedBytes, type PlannedRow } from "./live-images";
export { nearPairs, type Pictures, resultOf, SEARCHES } from "./near-duplicates";
export { type ContentShard, PlanDatabase, type Unhashed, writePlanFile } from "./plan-database";
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
  bucketBits,
  bucketOfId,
  bucketRange,
  isUpToDate,
  type Planes,
  type Shard,
  ShardFiles,
  type ShardLabel,
  type ShardRow,
  shardName,
} from "./shards";
