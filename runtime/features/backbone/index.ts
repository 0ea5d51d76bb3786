export { ExtractionService } from "./service";
export { backboneStep, checkedBackbone } from "./step";
