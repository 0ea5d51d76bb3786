export { runOnCluster, type SparkCapabilityProps } from "./capability";
export { preprocessLine } from "./config";
export { Preprocess, type PreprocessProps } from "./preprocess";
export type { WorkflowStep } from "./steps";
export { PreprocessWorkflow, type PreprocessWorkflowProps } from "./workflow";
