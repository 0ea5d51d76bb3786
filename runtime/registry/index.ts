export { type Contender, type CurrentModel, currentModel, decide, type PromotionDecision, setCurrent } from "./current";
export { isPublished, publishModel } from "./publish";
