export { deliveryLine, deliveryProblems, deliveryServices, type Receiver, receiverOf } from "./config";
export { Deliver, type DeliverProps } from "./deliver";
