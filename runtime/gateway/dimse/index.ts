export { forgetting, type Receiving, type Service, type StoreRequest } from "./association";
export { connected, NotStoredError, type StoreTarget, storeInstance } from "./client";
export { STATUS, type Status, SUCCESS } from "./command";
export { IMPLEMENTATION_CLASS, IMPLEMENTATION_VERSION } from "./pdu";
export { type DimseServer, type ListenOptions, listenForDimse, type Tls } from "./server";
