import { TextFinder } from "../guard";
import { type GreyImage, type ImageFormat, readDicomHeader } from "../imaging";

/** A file is kept back: what stands in its pixels may name somebody. */
export class BurnedInTextError extends Error {
  /** @param why completes "This DICOM file is kept back: ..." */
  constructor(why: string) {
    super(
      `This DICOM file is kept back: ${why}, and text in pixels may name the patient. Have a person look; ` +
        "send it without the text, or as PNG once somebody has made sure of it.",
    );
    this.name = "BurnedInTextError";
  }
}

/** Secondary captures, of one frame and of several (DICOM PS3.4, table B.5-1). */
const SECONDARY_CAPTURE = /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.7(\.[1-4])?$/;

/**
 * Keeps back DICOM files with text in their pixels: those that say so, secondary captures that do not deny it, and those in
 * which a network finds it. A file that denies it is looked at all the same: the tag is often wrong.
 */
export class BurnedInTextCheck {
  private readonly finder = new TextFinder();

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
  async checkPage(image: GreyImage, format: ImageFormat): Promise<void> {
    if (format !== "dicom" || !(await this.finder.find(image))) return;
    throw new BurnedInTextError("what looks like text was found in its pixels");
  }

  close(): Promise<void> {
    return this.finder.close();
  }
}
