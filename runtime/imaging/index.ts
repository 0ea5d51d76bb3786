export { oneChannel, replicate } from "./channels";
export { hashOfCurated, type RecipeTask, recipeOfCurated } from "./curated";
export { type DecodedPage, decodeScan, outlineScan, type ScanOutline } from "./decode";
export { type DeidentifyOptions, deidentify, type ReplacementNames } from "./deidentify";
export {
  type AnsweredFrame,
  checkDicom,
  type DicomHeader,
  type DicomIdentifiers,
  framePlaceSchema,
  isDicom,
  isUid,
  MR_CLASSES,
  type NamedUid,
  openDicom,
  patientIdOf,
  READ_TRANSFER_SYNTAXES,
  readAnsweredFrame,
  readDicomHeader,
  readDicomIdentifiers,
  readFramePlaces,
  type StoredFramePlace,
  storedPlace,
} from "./dicom";
export {
  hashDistance,
  hashOfRecipe,
  NEAR_DUPLICATE_DISTANCE,
  PERCEPTUAL_HASH,
  packHashes,
  perceptualHash,
  SAME_PICTURE_DISTANCE,
  turnedHash,
  wordsDistance,
} from "./hash";
export { DEFAULT_LIMITS, type ImageLimits } from "./limits";
export { decodeColourPng, decodeCurated, encodePng, pixelSha256 } from "./png";
export { type Picture, writePng } from "./png-writer";
export { applyRecipe, applyRecipeGrey, applyRecipeToMask, RECIPE, type RecipeResult, toOriginal } from "./recipe";
export { REJECTION_CODES, RejectedImage, type RejectionCode } from "./rejected";
export { type Sniffed, sniffFormat } from "./sniff";
export type { Geometry, GreyImage, ImageFormat } from "./types";
