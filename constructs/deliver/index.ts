export { Deliver, type DeliverProps } from "./deliver";
