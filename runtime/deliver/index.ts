export { deliverContract } from "./contract";
