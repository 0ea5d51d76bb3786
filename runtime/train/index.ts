export { trainContract } from "./contract";
export { type RunStep, type TrainingRun, trainEvaluatePromote } from "./run";
export { type TrainOptions, type TrainOutcome, trainStep } from "./step";
