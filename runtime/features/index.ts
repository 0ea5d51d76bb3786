export { backboneStep, checkedBackbone } from "./backbone";
export { featuresContract } from "./contract";
export { type FeaturesOptions, type FeaturesOutcome, featuresStep } from "./step";
export { TooFewImagesError } from "./too-few-images";
