export { Preprocess, type PreprocessProps } from "./preprocess";
export { PreprocessWorkflow, type PreprocessWorkflowProps } from "./workflow";
