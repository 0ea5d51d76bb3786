import { TextFinder } from "../guard";
import { type DecodedPage, type GreyImage, type ImageFormat, readDicomHeader } from "../imaging";

/** A file is kept back: what stands in its pixels may name somebody. */
export class BurnedInTextError extends Error {
  /** @param why completes "This file is kept back: ..." */
  constructor(why: string) {
    super(
      `This file is kept back: ${why}, and text in pixels may name the patient. Have a person look, and send it without.`,
    );
    this.name = "BurnedInTextError";
  }
}

/** Secondary captures, of one frame and of several (DICOM PS3.4, table B.5-1). */
const SECONDARY_CAPTURE = /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.7(\.[1-4])?$/;

/** Frames of a file that are looked at: the first, the last, and some between, evenly. Scanners write into all or none. */
const MOST_FRAMES = 24;

export function isLookedAt(page: number, pages: number): boolean {
  const share = (of: number) => Math.floor((of * (MOST_FRAMES - 1)) / pages);
  return page === 1 || page === pages || pages <= MOST_FRAMES || share(page - 1) !== share(page - 2);
}

/** Which files are kept back: DICOM alone, or those of every format. */
export type KeptBack = "quarantine" | "quarantine-all";

/**
 * Keeps back files with text in their pixels: DICOM that says so, secondary captures that do not deny it, and files in
 * which a network finds it. A file that denies it is looked at all the same: the tag is often wrong. Pictures of other formats are
 * looked at where that is asked for: those that people have collected hold markers and watermarks, which name nobody.
 */
export class BurnedInTextCheck {
  private readonly finder = new TextFinder();

  constructor(private readonly kept: KeptBack = "quarantine") {}

  /** @returns undefined where text is allowed */
  static of(choice: KeptBack | "allow"): BurnedInTextCheck | undefined {
    return choice === "allow" ? undefined : new BurnedInTextCheck(choice);
  }

  /** @throws {BurnedInTextError} for what the header says */
  checkFile(bytes: Buffer, format: ImageFormat): void {
    if (format !== "dicom") return;
    const { burnedIn, sopClass } = readDicomHeader(bytes);
    if (burnedIn) throw new BurnedInTextError("it says that it has text burned into its pixels");
    if (burnedIn === undefined && SECONDARY_CAPTURE.test(sopClass ?? ""))
      throw new BurnedInTextError(
        "it is a secondary capture (a captured screen) and does not say that it holds no text",
      );
  }

  /** @throws {BurnedInTextError} for what the picture shows */
  async checkPage(
    image: GreyImage,
    { format, page, pages }: Pick<DecodedPage, "format" | "page" | "pages">,
  ): Promise<void> {
    if (format !== "dicom" && this.kept !== "quarantine-all") return;
    if (!isLookedAt(page, pages) || !(await this.finder.find(image))) return;
    throw new BurnedInTextError("what looks like text was found in its pixels");
  }

  close(): Promise<void> {
    return this.finder.close();
  }
}
