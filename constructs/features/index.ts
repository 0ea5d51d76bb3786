export { featuresLine, featuresProblems } from "./config";
export { Features, type FeaturesProps } from "./features";
