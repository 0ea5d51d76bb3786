import { decodeText } from "./character-sets";
import type { DataSet } from "./data-set";
import { FrameFacts } from "./frame-facts";
import { type View, viewOf } from "./geometry";
import { bodyPartOf, manufacturerOf, modelOf, patientIdOf, sequenceOf } from "./header-terms";
import { parseAsFar } from "./parse";
import { PIXELS, TAG, type WantedElements } from "./tags";
import { isWellFormedUid, uidText } from "./uid";

/**
 * What a DICOM file says of a scan beside its pixels; what it does not say, or strangely, is undefined. Of these,
 * identifiers and dates concern a person: they are never logged, and stand in no sentence.
 */
export interface DicomHeader {
  /** Undefined, too, where it is a placeholder that many share: see header-terms.ts. */
  readonly patientId: string | undefined;
  /** UIDs as they stand there, whether they are any or not: see {@link malformedUids}. */
  readonly studyUid: string | undefined;
  readonly seriesUid: string | undefined;
  readonly instanceUid: string | undefined;
  readonly accession: string | undefined;
  readonly sopClass: string | undefined;
  /** Those of the UIDs that break the rules of PS3.5, 6.2 and 9.1. */
  readonly malformedUids: ReadonlySet<NamedUid>;
  /** How the first frame lies in the patient, see {@link viewOf}. */
  readonly view: View | undefined;
  /** How each frame does, where they differ. */
  readonly frameViews: readonly (View | undefined)[] | undefined;
  /** Number in the series. */
  readonly instanceNumber: number | undefined;
  /** How far the slice lies along its series, mm: Image Position (Patient) by the slice's normal. */
  readonly position: number | undefined;
  /** What follows stands in closed lists, so that it names nobody: see header-terms.ts. */
  readonly bodyPart: string | undefined;
  readonly sequence: string | undefined;
  readonly manufacturer: string | undefined;
  readonly model: string | undefined;
  /** Tesla. */
  readonly fieldStrength: number | undefined;
  /** `YYYY-MM-DD`. */
  readonly studyDate: string | undefined;
  readonly acquisitionDate: string | undefined;
  /** What the file says of text in its pixels that names somebody; undefined where it says nothing. */
  readonly burnedIn: boolean | undefined;
  /** Whether the file says that identities were taken out of it. It proves nothing. */
  readonly identityRemoved: boolean;
}

/** UIDs that name an instance, and what it belongs to. */
export type NamedUid = "studyUid" | "seriesUid" | "instanceUid" | "sopClass";

const HEADER = {
  mediaStorageInstance: 0x0002_0003,
  characterSet: 0x0008_0005,
  instance: 0x0008_0018,
  studyDate: 0x0008_0020,
  seriesDate: 0x0008_0021,
  acquisitionDate: 0x0008_0022,
  acquired: 0x0008_002a,
  accession: 0x0008_0050,
  manufacturer: 0x0008_0070,
  seriesDescription: 0x0008_103e,
  model: 0x0008_1090,
  contrast: 0x0008_9209,
  patientId: 0x0010_0020,
  identityRemoved: 0x0012_0062,
  bodyPart: 0x0018_0015,
  scanningSequence: 0x0018_0020,
  fieldStrength: 0x0018_0087,
  protocol: 0x0018_1030,
  study: 0x0020_000d,
  series: 0x0020_000e,
  instanceNumber: 0x0020_0013,
  burnedIn: 0x0028_0301,
} as const;

const GROUPS = [TAG.sharedGroups, TAG.frameGroups, TAG.planeOrientation, TAG.planePosition];

const WANTED: WantedElements = {
  kept: new Set([
    ...Object.values(HEADER),
    ...GROUPS,
    ...PIXELS,
    TAG.mediaStorageSopClass,
    TAG.transferSyntax,
    TAG.sopClass,
    TAG.orientation,
    TAG.position,
  ]),
  sequences: new Set(GROUPS),
};

/**
 * Reads what a header says, with the limits of the reader of pictures. A file that cannot be read to its end, or at all,
 * says what it says until there: nothing is thrown.
 */
export function readDicomHeader(bytes: Buffer): DicomHeader {
  const { meta, dataSet } = parseAsFar(bytes, WANTED);
  const sets = dataSet.texts(HEADER.characterSet);
  const text = (tag: number) => textOf(dataSet.bytes(tag), sets);
  const views = viewsOf(dataSet);
  const uids = {
    studyUid: uidOf(dataSet, HEADER.study),
    seriesUid: uidOf(dataSet, HEADER.series),
    instanceUid: uidOf(dataSet, HEADER.instance) ?? uidOf(meta, HEADER.mediaStorageInstance),
    sopClass: uidOf(dataSet, TAG.sopClass) ?? uidOf(meta, TAG.mediaStorageSopClass),
  };
  return {
    patientId: patientIdOf(text(HEADER.patientId)),
    studyUid: uids.studyUid?.text,
    seriesUid: uids.seriesUid?.text,
    instanceUid: uids.instanceUid?.text,
    sopClass: uids.sopClass?.text,
    malformedUids: new Set((Object.keys(uids) as NamedUid[]).filter((name) => uids[name] && !uids[name].isWellFormed)),
    accession: text(HEADER.accession),
    view: views[0],
    frameViews: views.some((view) => view !== views[0]) ? views : undefined,
    instanceNumber: wholeNumber(dataSet.text(HEADER.instanceNumber)),
    position: positionOf(dataSet),
    bodyPart: bodyPartOf(dataSet.text(HEADER.bodyPart)),
    sequence: sequenceOf({
      contrast: dataSet.text(HEADER.contrast),
      descriptions: [text(HEADER.seriesDescription), text(HEADER.protocol)],
      scanning: dataSet.texts(HEADER.scanningSequence),
    }),
    manufacturer: manufacturerOf(text(HEADER.manufacturer)),
    model: modelOf(text(HEADER.model)),
    fieldStrength: tesla(dataSet.text(HEADER.fieldStrength)),
    studyDate: dateOf(dataSet.text(HEADER.studyDate)),
    acquisitionDate: [HEADER.acquisitionDate, HEADER.acquired, HEADER.seriesDate]
      .map((tag) => dateOf(dataSet.text(tag)?.slice(0, tag === HEADER.acquired ? 8 : undefined)))
      .find((date) => date !== undefined),
    burnedIn: yesOrNo(dataSet.text(HEADER.burnedIn)),
    identityRemoved: yesOrNo(dataSet.text(HEADER.identityRemoved)) === true,
  };
}

/** Bytes of an identifier: the longest has 64 characters, of four bytes and escape sequences at most. */
const LONGEST_TEXT = 1024;

/**
 * The first value of a text, in the one form of those that look alike (NFC) and without control characters: an identifier
 * is the same whatever encoding wrote it.
 */
function textOf(bytes: Buffer | undefined, sets: readonly string[]): string | undefined {
  if (bytes === undefined || bytes.length > LONGEST_TEXT) return undefined;
  const [value = ""] = decodeText(bytes, sets).split("\\");
  return (
    value
      .replace(/\p{Cc}/gu, "")
      .normalize("NFC")
      .trim() || undefined
  );
}

/** As it stands there: whether it is one by the standard's rules makes no difference to whom it belongs to. */
function uidOf(dataSet: DataSet, tag: number): { readonly text: string; readonly isWellFormed: boolean } | undefined {
  const value = dataSet.bytes(tag)?.subarray(0, LONGEST_TEXT);
  const text = value && uidText(value);
  return value && text ? { text, isWellFormed: isWellFormedUid(value) } : undefined;
}

function viewsOf(dataSet: DataSet): readonly (View | undefined)[] {
  const frames = Math.max(1, dataSet.items(TAG.frameGroups).length);
  return Array.from({ length: frames }, (_, index) =>
    viewOf(orQuiet(() => new FrameFacts(dataSet, index).orientation)),
  );
}

function positionOf(dataSet: DataSet): number | undefined {
  const facts = new FrameFacts(dataSet, 0);
  const [x, y, z, ...others] = orQuiet(() => facts.position);
  const [a, b, c, d, e, f] = orQuiet(() => facts.orientation);
  if (x === undefined || y === undefined || z === undefined || others.length > 0 || f === undefined) return undefined;
  const [across, along] = [
    [a, b, c],
    [d, e, f],
  ] as [number[], number[]];
  const normal = [0, 1, 2].map((i) => {
    const [j, k] = [(i + 1) % 3, (i + 2) % 3];
    return (across[j] as number) * (along[k] as number) - (across[k] as number) * (along[j] as number);
  }) as [number, number, number];
  return x * normal[0] + y * normal[1] + z * normal[2];
}

function orQuiet(read: () => readonly number[]): readonly number[] {
  try {
    return read();
  } catch {
    return [];
  }
}

function yesOrNo(text: string | undefined): boolean | undefined {
  const said = text?.toUpperCase();
  return said === "YES" ? true : said === "NO" ? false : undefined;
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^[+-]?\d{1,12}$/.test(text) ? Number(text) : undefined;
}

/** Tesla; some scanners write gauss. */
function tesla(text: string | undefined): number | undefined {
  const value = Number(text);
  if (!(value > 0)) return undefined;
  const inTesla = value > 100 ? value / 10_000 : value;
  return inTesla <= 30 ? Math.round(inTesla * 100) / 100 : undefined;
}

/** `YYYYMMDD`, or `YYYY.MM.DD` as before 1993. */
function dateOf(text: string | undefined): string | undefined {
  const [, year, month, day] = /^(\d{4})\.?(\d{2})\.?(\d{2})$/.exec(text ?? "") ?? [];
  if (year === undefined) return undefined;
  const date = `${year}-${month}-${day}`;
  const time = Date.parse(`${date}T00:00:00Z`);
  return Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== date ? undefined : date;
}
