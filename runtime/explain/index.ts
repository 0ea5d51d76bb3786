export { type ExplainFolderOptions, type ExplainReport, explainFolder } from "./folder";
export { type Explanation, gradCam } from "./gradcam";
export { peakInOriginal, type RenderOptions, renderOriginal, renderOverlay } from "./overlay";
