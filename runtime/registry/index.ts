export { type Contender, type CurrentModel, currentModel, type Decision, decide, setCurrent } from "./current";
export { isPublished, publishModel } from "./publish";
