import { type Box, blankText, isLookedAt, TextFinder } from "../guard";
import { type DecodedPage, type GreyImage, type ImageFormat, readDicomHeader } from "../imaging";
import type { TextChoice } from "./contract";

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

/** A picture as it is taken. */
export interface TakenPicture {
  readonly image: GreyImage;
  /** Where it was painted over, pixels; empty where it was not. */
  readonly blanked: readonly Box[];
}

export interface OpenedFile {
  readonly format: ImageFormat;
  /** A picture that was taken out of a DICOM file earlier is looked at as that file is. */
  readonly fromDicom?: boolean;
}

/**
 * Keeps back files with text in their pixels, or paints it over: DICOM that says so, secondary captures that do not deny it, and files
 * in which a network finds it. A file that denies it is looked at all the same: the tag is often wrong. Pictures of other formats are
 * looked at where that is asked for: those that people have collected hold markers and watermarks, which name nobody.
 */
export class BurnedInTextCheck {
  private readonly finder = new TextFinder();

  constructor(private readonly choice: Exclude<TextChoice, "allow"> = "quarantine") {}

  /** @returns undefined where text is allowed */
  static of(choice: TextChoice): BurnedInTextCheck | undefined {
    return choice === "allow" ? undefined : new BurnedInTextCheck(choice);
  }

  /** @throws {BurnedInTextError} for what the header says, where it is not to be painted over */
  open(bytes: Buffer, { format, fromDicom }: OpenedFile): FileTextCheck {
    const all = this.choice === "quarantine-all" || this.choice === "blank-all";
    const blanks = this.choice === "blank" || this.choice === "blank-all";
    const said = format === "dicom" ? saidOf(bytes) : undefined;
    if (said !== undefined && !blanks) throw new BurnedInTextError(said);
    if (!all && format !== "dicom" && !fromDicom) return NOT_LOOKED_AT;
    return blanks ? new Blanking(this.finder, said) : new KeepingBack(this.finder);
  }

  close(): Promise<void> {
    return this.finder.close();
  }
}

/** What the header says of text in the pixels; completes "This file is kept back: ...". */
function saidOf(bytes: Buffer): string | undefined {
  const { burnedIn, sopClass } = readDicomHeader(bytes);
  if (burnedIn) return "it says that it has text burned into its pixels";
  return burnedIn === undefined && SECONDARY_CAPTURE.test(sopClass ?? "")
    ? "it is a secondary capture (a captured screen) and does not say that it holds no text"
    : undefined;
}

/** The pages of a file, in their order. */
export interface FileTextCheck {
  /** @throws {BurnedInTextError} where the file is kept back for this page */
  take(image: GreyImage, at: Pick<DecodedPage, "page" | "pages">): Promise<TakenPicture>;
  /** After the last page. @throws {BurnedInTextError} where the file is kept back for what it says */
  end(): void;
}

const NOT_LOOKED_AT: FileTextCheck = {
  take: async (image) => ({ image, blanked: [] }),
  end: () => undefined,
};

class KeepingBack implements FileTextCheck {
  constructor(private readonly finder: TextFinder) {}

  async take(image: GreyImage, { page, pages }: Pick<DecodedPage, "page" | "pages">): Promise<TakenPicture> {
    if (isLookedAt(page, pages) && (await this.finder.holdsLine(image)))
      throw new BurnedInTextError("what looks like text was found in its pixels");
    return { image, blanked: [] };
  }

  end(): void {}
}

/** Looks at every page: what is found in one says where it stands in that one. */
class Blanking implements FileTextCheck {
  private hasBlankedLine = false;

  /** @param said what the header says of text, if anything */
  constructor(
    private readonly finder: TextFinder,
    private readonly said: string | undefined,
  ) {}

  async take(image: GreyImage): Promise<TakenPicture> {
    const blanked = await blankText(image, (picture) => this.finder.find(picture), this.said !== undefined);
    if (!blanked)
      throw new BurnedInTextError(
        "what looks like text was found in its pixels, and could not be painted over without a quarter of the picture, or was found again",
      );
    if (blanked.hasLine) this.hasBlankedLine = true;
    return { image: blanked.image, blanked: blanked.boxes };
  }

  end(): void {
    // Single letters are found in most heads: that some were painted over does not say that the text was.
    if (this.said !== undefined && !this.hasBlankedLine)
      throw new BurnedInTextError(`${this.said}, and no line was found: none was found that could be painted over`);
  }
}

/** Where a picture was painted over, as a fact of it: `left,top,width,height` in pixels, a blank between two. */
export function blankedFact(boxes: readonly Box[]): string | undefined {
  return boxes.length === 0
    ? undefined
    : boxes.map(({ left, top, width, height }) => [left, top, width, height].join(",")).join(" ");
}
