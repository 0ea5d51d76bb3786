import { decodeText } from "./character-sets";
import { parseAsFar } from "./parse";
import { TAG, type WantedElements } from "./tags";

/**
 * Whom a DICOM file names, as it names them; what it does not say is null. For a mapping that stays where the file came
 * from: nothing else may read this.
 */
export interface DicomIdentifiers {
  readonly patientId: string | null;
  /** With its carets: family name complex ^ given name and so on, groups by "=". */
  readonly patientName: string | null;
  /** YYYYMMDD. */
  readonly birthDate: string | null;
  readonly sex: string | null;
  readonly accession: string | null;
  readonly studyUid: string | null;
  readonly seriesUid: string | null;
  readonly instanceUid: string | null;
  /** YYYYMMDD, and HHMMSS with fractions perhaps. */
  readonly studyDate: string | null;
  readonly studyTime: string | null;
  readonly studyId: string | null;
}

const CHARACTER_SET = 0x0008_0005;
const ELEMENTS = {
  patientId: 0x0010_0020,
  patientName: 0x0010_0010,
  birthDate: 0x0010_0030,
  sex: 0x0010_0040,
  accession: 0x0008_0050,
  studyUid: 0x0020_000d,
  seriesUid: 0x0020_000e,
  instanceUid: 0x0008_0018,
  studyDate: 0x0008_0020,
  studyTime: 0x0008_0030,
  studyId: 0x0020_0010,
} as const satisfies Record<keyof DicomIdentifiers, number>;

const WANTED: WantedElements = {
  kept: new Set([...Object.values(ELEMENTS), CHARACTER_SET, TAG.transferSyntax, TAG.pixels]),
  sequences: new Set(),
};

/** A name in three scripts, each of 64 characters of up to four bytes, with escape sequences. */
const LONGEST_BYTES = 2048;

/** Of a file that cannot be read to its end, what stands before. Nothing is thrown. */
export function readDicomIdentifiers(bytes: Buffer): DicomIdentifiers {
  const { dataSet } = parseAsFar(bytes, WANTED);
  const sets = dataSet.texts(CHARACTER_SET);
  const read = (tag: number): string | null => {
    const value = dataSet.bytes(tag);
    if (value === undefined || value.length > LONGEST_BYTES) return null;
    return (
      decodeText(value, sets)
        .replace(/\p{Cc}/gu, "")
        .trim() || null
    );
  };
  return Object.fromEntries(
    Object.entries(ELEMENTS).map(([key, tag]) => [key, read(tag)]),
  ) as unknown as DicomIdentifiers;
}
