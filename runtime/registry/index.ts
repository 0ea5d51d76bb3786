export { type CurrentModel, currentModel, setCurrent } from "./current";
export { publishedModels } from "./models";
export { type Contender, decide, type Promotion, promote } from "./promotion";
export { isPublished, publishModel } from "./publish";
