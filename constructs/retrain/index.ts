export { retrainLine } from "./config";
export { retrainerRole } from "./permissions";
export { Retrain, type RetrainProps } from "./retrain";
export { WORKFLOW_VARIABLES, workflowSource, workflowText } from "./workflow";
export { WORKFLOW_LIMITS, workflowProblems } from "./workflow-syntax";
