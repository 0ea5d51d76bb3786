export { applyRecipe, RECIPE, type RecipeResult, toOriginal } from "./recipe";
export type { Geometry, GreyImage, ImageFormat } from "./types";
