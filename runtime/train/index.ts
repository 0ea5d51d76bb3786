export { trainContract } from "./contract";
export { type TrainOptions, type TrainOutcome, trainStep } from "./step";
