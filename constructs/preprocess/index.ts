export { runOnCluster, type SparkCapabilityProps } from "./capability";
export { preprocessLine } from "./config";
export { NODE_TAG, Preprocess, type PreprocessProps } from "./preprocess";
export type { WorkflowStep } from "./steps";
export { PreprocessWorkflow, type PreprocessWorkflowProps } from "./workflow";
