export { drawPhantomFolder, PHANTOM_COLLECTION } from "./data-set";
export { drawPhantom, type PhantomSlice } from "./draw";
