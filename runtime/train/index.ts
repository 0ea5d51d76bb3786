export { trainContract } from "./contract";
export { type RunStep, type TrainingRun, trainEvaluatePromote, trainForRetraining } from "./run";
export { type TrainOptions, type TrainOutcome, trainStep } from "./step";
export { type TeacherOptions, trainableTeacher } from "./teacher/prepare";
export { readTrained } from "./teacher/served";
