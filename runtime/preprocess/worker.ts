/** The file that a worker thread of the {@link Decoder} starts with. */
export { hashOfCurated, recipeOfCurated as default } from "../imaging";
