export { backboneStep, checkedBackbone } from "./backbone";
export { featuresContract } from "./contract";
export { featuresReportName, featuresReportStep } from "./report/step";
export { type FeaturesOptions, type FeaturesOutcome, featuresStep } from "./step";
export { TooFewImagesError } from "./too-few-images";
