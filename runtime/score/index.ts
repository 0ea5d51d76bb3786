export { scoreContract } from "./contract";
export { scoreStep } from "./step";
