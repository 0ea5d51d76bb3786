export { erasureLine, erasureProblems } from "./config";
export { Erasure, type ErasureProps } from "./erasure";
