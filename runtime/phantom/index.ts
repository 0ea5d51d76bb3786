export { drawPhantomFolder, NOT_SCANS, PHANTOM_COLLECTION } from "./data-set";
export { drawPhantom, type PhantomSlice } from "./draw";
