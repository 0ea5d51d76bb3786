export { featuresContract } from "./contract";
