export { preprocessContract } from "./contract";
export { assignGroups, type Groupable, type Grouping, SPLITS, type Split } from "./groups";
export { checkListing } from "./listing";
export { type ProcessedImage, type ReadShardsOptions, readShardRows, readShards } from "./read-shards";
export type { ShardRow } from "./shards";
export { type PreprocessContext, type PreprocessOptions, preprocessStep } from "./step";
