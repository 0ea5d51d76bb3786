export { type Explanation, explanationOf, peakOf } from "./explanation";
export { type ExplainFolderOptions, type ExplainReport, explainFolder } from "./folder";
export { type MaskFinder, maskFinder } from "./masks";
export { paintOverlay, peakInOriginal, type RenderOptions, renderOriginal, renderOverlay, SHOWN_SIDE } from "./overlay";
export { DILATION_IN_SQUARE, type LesionTrial, pointingInSquare } from "./pointing";
