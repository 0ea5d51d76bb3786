export { Courier } from "./courier";
export { type Destination, destinationOf } from "./destinations";
export { Outbox } from "./outbox";
