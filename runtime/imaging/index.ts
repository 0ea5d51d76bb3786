export { type DecodedPage, decodeScan } from "./decode";
export {
  hashDistance,
  NEAR_DUPLICATE_DISTANCE,
  packHashes,
  perceptualHash,
  wordsDistance,
} from "./hash";
export { DEFAULT_LIMITS, type ImageLimits } from "./limits";
export { decodeCurated, encodePng, pixelSha256 } from "./png";
export { applyRecipe, RECIPE, type RecipeResult, toOriginal } from "./recipe";
export { REJECTION_CODES, RejectedImage, type RejectionCode } from "./rejected";
export { type Sniffed, sniffFormat } from "./sniff";
export type { Geometry, GreyImage, ImageFormat } from "./types";
