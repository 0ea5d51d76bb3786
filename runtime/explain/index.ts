export { type ExplainFolderOptions, explainFolder } from "./folder";
export { type Explanation, gradCam } from "./gradcam";
export { peakInOriginal, type RenderOptions, renderOriginal, renderOverlay } from "./overlay";
