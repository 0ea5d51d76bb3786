export { featuresContract } from "./contract";
export { type FeaturesOptions, type FeaturesOutcome, featuresStep } from "./step";
