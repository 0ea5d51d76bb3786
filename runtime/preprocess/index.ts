export { preprocessContract } from "./contract";
export { checkListing } from "./listing";
export { type PreprocessContext, type PreprocessOptions, preprocessStep } from "./step";
