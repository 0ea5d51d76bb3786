export { preprocessContract } from "./contract";
export { SPLITS, type Split } from "./groups";
export { type ProcessedImage, type ReadShardsOptions, readShards } from "./read-shards";
export type { ShardRow } from "./shards";
export { type PreprocessContext, type PreprocessOptions, preprocessStep } from "./step";
