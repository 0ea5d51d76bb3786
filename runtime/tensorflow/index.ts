export { useBackend, usesAllCores } from "./backend";
export { BACKENDS, type Backend } from "./backend-names";
export { convertModel } from "./convert";
export { EXPORT, exportNetwork, UnexportableNetworkError } from "./export";
export { judge } from "./judge";
export { imagesToTensor, readNetwork } from "./network";
export { type Compared, type Difference, measureParity } from "./parity";
export { type ModelDescription, makeEngine, modelFileContents, ParityError, type ParityImages } from "./save";
export { predictViews, showAs, unshow } from "./views";
