import { isLookedAt, TextFinder } from "../guard";
import { decodeScan, type GreyImage } from "../imaging";
import type { Refusal } from "./spool";

/**
 * What stays at home for text in its pixels: what says so (refuse); also what a network finds it in (look); or nothing (send), where
 * ingest is to paint it over.
 */
export type PixelTextChoice = "refuse" | "look" | "send";

const refused = (why: string): Refusal => ({
  code: "burned-in-text",
  message: `${why}, which stays there. Send the MR images themselves.`,
});

/** Nobody could look: another time may be better. It says nothing of the file. */
export class TextNotLookedForError extends Error {
  constructor(options: ErrorOptions) {
    super("Text in pixels could not be looked for.", options);
    this.name = "TextNotLookedForError";
  }
}

/** Looks for text in the pixels of files before they leave. */
export class PixelText {
  private readonly finder = new TextFinder();

  constructor(private readonly choice: PixelTextChoice) {}

  /**
   * @param saysSo whether the file says that it has text burned in
   * @returns why the file stays at home for it
   * @throws {RejectedImage} where it is to be looked at and its pixels cannot be read: what nobody can look at does not leave
   * @throws {TextNotLookedForError}
   */
  async refusalOf(file: Buffer, saysSo: boolean): Promise<Refusal | undefined> {
    if (this.choice === "send") return undefined;
    if (saysSo) return refused("The file says that it has text burned into its pixels");
    return this.choice === "look" && (await this.isFound(file))
      ? refused("What looks like text was found in the pixels of the file")
      : undefined;
  }

  private async isFound(file: Buffer): Promise<boolean> {
    for await (const decoded of decodeScan(file)) {
      if ("rejected" in decoded) throw decoded.rejected;
      const { image, page, pages } = decoded;
      if (isLookedAt(page, pages) && (await this.holdsLine(image))) return true;
    }
    return false;
  }

  private async holdsLine(image: GreyImage): Promise<boolean> {
    try {
      return await this.finder.holdsLine(image);
    } catch (cause) {
      throw new TextNotLookedForError({ cause });
    }
  }
}
