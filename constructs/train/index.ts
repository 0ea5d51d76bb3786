export { noTraining, type Training, training, trainLine, trainProblems } from "./config";
export { GPU_MACHINES, type GpuMachine } from "./machine";
export { Train, type TrainProps } from "./train";
