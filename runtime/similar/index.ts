export {
  type Agreement,
  agreementOf,
  type Featured,
  METRIC,
  NEIGHBOUR_COUNTS,
  neighbourShares,
  USUAL_NEIGHBOURS,
} from "./agreement";
export { type Closeness, COSINE, EUCLIDEAN, FeatureSpace, type Near } from "./feature-space";
export {
  type Asked,
  type KnownScan,
  KnownScans,
  type LeftOut,
  type SimilarScan,
  type SimilarScans,
} from "./known-scans";
