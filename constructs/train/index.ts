export { trainLine } from "./config";
export { GPUS, type Gpu } from "./machine";
export { Train, type TrainProps } from "./train";
