import { decodeText } from "../dicom/character-sets";
import type { BegunFile } from "../dicom/parse";
import type { Visitor } from "../dicom/walk";
import { attributeOf } from "./attributes";

/** Attributes whose value is an identifier as a whole: of patient, study, order, admission. */
const WHOLE: ReadonlySet<number> = new Set([
  0x0008_0050, 0x0010_0020, 0x0010_0030, 0x0010_1000, 0x0010_1090, 0x0010_2154, 0x0020_0010, 0x0038_0010, 0x0038_0060,
  0x0040_1001, 0x0040_2016, 0x0040_2017,
]);
/** Those of whose values, as of each name of a person, every word identifies. */
const BY_WORD: ReadonlySet<number> = new Set([0x0010_1040, 0x0010_1081, 0x0010_2150, 0x0010_2152]);

const CHARACTER_SET = 0x0008_0005;

/** Overlay Bit Position of any of the sixteen overlays. */
const isOverlayPosition = (tag: number) => tag % 0x1_0000 === 0x0102 && Math.floor(tag / 0x100_0000) === 0x60;

/** A word, and of an identifier all of it. Shorter ones stand in every text. */
const SHORTEST = { word: 3, whole: 4 };
const LONGEST = 64;
const MOST = 256;

/** What a file itself calls its patient and those around it: wherever else that stands, it does not belong. */
export class Identifiers {
  private readonly pattern: RegExp | undefined;

  constructor(private readonly values: ReadonlySet<string>) {
    const parts = [...values].map((value) => {
      const escaped = value.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
      // Three letters are within many words.
      return value.length > SHORTEST.word ? escaped : `(?<![\\p{L}\\p{N}])${escaped}(?![\\p{L}\\p{N}])`;
    });
    this.pattern = parts.length > 0 ? new RegExp(parts.join("|"), "iu") : undefined;
  }

  /** Whether a text is one of them. */
  is(text: string): boolean {
    return this.values.has(text);
  }

  /** Whether one of them stands in a text. */
  in(text: string): boolean {
    return this.pattern?.test(text) ?? false;
  }
}

/** What is known of a data set on the way: the terms of its character set. */
interface Place {
  terms: readonly string[];
}

/** Collects identifiers at any depth. */
class Collector implements Visitor<Place, Place> {
  readonly endsAtPixels = false;
  readonly found = new Set<string>();
  overlaysInPixels = false;

  enter(place: Place, tag: number, vr: string | undefined): Place | "value" | "nothing" {
    const known = attributeOf(tag)?.vr ?? vr;
    if (known === "SQ") return { terms: place.terms };
    const wanted =
      tag === CHARACTER_SET || isOverlayPosition(tag) || known === "PN" || WHOLE.has(tag) || BY_WORD.has(tag);
    return wanted ? "value" : "nothing";
  }

  value(place: Place, tag: number, _vr: string | undefined, value: Buffer): void {
    if (tag === CHARACTER_SET) {
      place.terms = termsOf(value);
      return;
    }
    if (isOverlayPosition(tag)) {
      this.overlaysInPixels ||= value.some((byte) => byte !== 0);
      return;
    }
    if (this.found.size >= MOST) return;
    const text = decodeText(value.subarray(0, 4 * LONGEST), place.terms).normalize("NFC");
    if (WHOLE.has(tag)) {
      for (const part of text.split("\\").map((part) => part.replace(/\p{Cc}/gu, "").trim()))
        if (part.length >= SHORTEST.whole && part.length <= LONGEST) this.found.add(part);
      return;
    }
    for (const word of text.split(/[^\p{L}\p{M}\p{N}]+/u))
      if (word.length >= SHORTEST.word && word.length <= LONGEST) this.found.add(word);
  }

  fragments(): void {}

  item(sequence: Place): Place {
    return { terms: sequence.terms };
  }
}

export const termsOf = (value: Buffer): readonly string[] => value.toString("latin1", 0, 256).split("\\");

/** What is to be known of a file before any of it is written. @throws {RejectedImage} `damaged` or `truncated` */
export function lookThrough(file: BegunFile): {
  readonly identifiers: Identifiers;
  /** Whether an overlay lies in bits of the pixels, as until 2004. */
  readonly overlaysInPixels: boolean;
} {
  const collector = new Collector();
  file.walker().walk(collector, { terms: [] });
  return { identifiers: new Identifiers(collector.found), overlaysInPixels: collector.overlaysInPixels };
}
