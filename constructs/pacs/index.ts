export { pacsLine, pacsProblems, pacsServices } from "./config";
export { Pacs, type PacsProps } from "./pacs";
export { PacsRefs, PacsStores, type PacsStoresProps } from "./stores";
