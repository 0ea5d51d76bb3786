export { type CurrentModel, currentModel, type PointerStore, setCurrent } from "./current";
export { type PublishedModel, publishedModels } from "./models";
export { type Contender, decide, type Promotion, promote } from "./promotion";
export { isPublished, publishModel } from "./publish";
export { type Rollback, rollback } from "./rollback";
