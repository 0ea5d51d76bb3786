/** There is nothing that components could be fitted to. */
export class TooFewImagesError extends Error {
  constructor(why: string) {
    super(`Principal components cannot be fitted: ${why}`);
    this.name = new.target.name;
  }

  /** @param images in the training split */
  static equal(images: number): TooFewImagesError {
    return new TooFewImagesError(`the ${images} training images are all equal. Add scans.`);
  }

  /** @param images in the training split @param processed in all splits */
  static check(images: number, processed: number): void {
    if (processed === 0) {
      throw new TooFewImagesError(
        "there is no processed image here. Run npm run ingest -- --data DIR and npm run preprocess on this workspace first.",
      );
    }
    if (images < 2) {
      throw new TooFewImagesError(
        `the training split has ${images === 0 ? "no image" : "one image"} of the ${processed} that are processed, and two are needed. Add scans.`,
      );
    }
  }
}

/** Says so where fewer components were found than asked for. */
export function shortfall(found: number, requested: number, images: number): string[] {
  if (found >= requested) return [];
  return [
    `${found} components instead of ${requested}: the ${images} training images span no more. ` +
      "They are fitted again when there are other training images.",
  ];
}
