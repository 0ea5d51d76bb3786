import type { NamedFile } from "./files";

/** Where a slice stands, by its DICOM header. It stays on this page: what the server keeps has pseudonyms in its place. */
export interface SlicePlace {
  readonly series: string;
  /** Of which the series is a part; a file that lacks it has none. */
  readonly study: string | undefined;
  /** Instance Number. */
  readonly number: number | undefined;
  /** How far it lies along the series, mm. */
  readonly position: number | undefined;
}

/** A file with its place; none where it is no DICOM file, or one that is not looked into (big endian, deflated). */
export interface PlacedFile extends NamedFile {
  readonly place?: SlicePlace;
}

/** In which a header is looked for, bytes. */
const HEADER_BYTES = 256 * 1024;

/** Files with the slices of each series together, in their order, where the first of them stood. */
export async function inSeries(files: readonly NamedFile[]): Promise<readonly PlacedFile[]> {
  const placed: PlacedFile[] = [];
  for (const file of files) {
    const place = await placeOf(file.file);
    placed.push(place ? { ...file, place } : file);
  }
  const series = new Map<string, PlacedFile[]>();
  for (const one of placed) {
    const key = one.place?.series;
    if (key !== undefined) series.set(key, [...(series.get(key) ?? []), one]);
  }
  return placed.flatMap((one) => {
    const slices = one.place && series.get(one.place.series);
    if (!slices) return one;
    return slices[0] === one ? inOrder(slices) : [];
  });
}

/** By where slices lie; else by their numbers; where neither tells all of them apart, as they came. */
function inOrder(slices: readonly PlacedFile[]): readonly PlacedFile[] {
  for (const by of ["position", "number"] as const) {
    const values = slices.flatMap(({ place }) => place?.[by] ?? []);
    if (new Set(values).size === slices.length)
      return [...slices].sort((a, b) => (a.place?.[by] ?? 0) - (b.place?.[by] ?? 0));
  }
  return slices;
}

const STUDY = 0x0020_000d;
const SERIES = 0x0020_000e;
const NUMBER = 0x0020_0013;
const POSITION = 0x0020_0032;
const ORIENTATION = 0x0020_0037;
const TRANSFER_SYNTAX = 0x0002_0010;
const UNREAD: ReadonlySet<string> = new Set(["1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"]);

async function placeOf(file: Blob): Promise<SlicePlace | undefined> {
  const view = new DataView(await file.slice(0, HEADER_BYTES).arrayBuffer());
  if (textAt(view, 128, 4) !== "DICM") return undefined;
  const texts = outerTexts(view);
  const series = texts.get(SERIES);
  if (!series || UNREAD.has(texts.get(TRANSFER_SYNTAX) ?? "")) return undefined;
  const number = texts.get(NUMBER);
  return {
    series,
    study: texts.get(STUDY) || undefined,
    number: number ? Number(number) : undefined,
    position: positionOf(texts),
  };
}

function positionOf(texts: ReadonlyMap<number, string>): number | undefined {
  const numbers = (tag: number) => texts.get(tag)?.split("\\").map(Number) ?? [];
  const [x = Number.NaN, y = Number.NaN, z = Number.NaN] = numbers(POSITION);
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = numbers(ORIENTATION);
  const along = x * (b * f - c * e) + y * (c * d - a * f) + z * (a * e - b * d);
  return Number.isFinite(along) ? along : undefined;
}

const LONG = /^(?:O[BDFLVW]|S[QV]|U[CNRTV])$/;
const UNDEFINED_LENGTH = 0xffff_ffff;
const ITEM = 0xfffe_e000;

/** Texts of the elements above that stand outside of sequences. Of what is cut or damaged, those before it. */
function outerTexts(view: DataView): ReadonlyMap<number, string> {
  const wanted = new Set([STUDY, SERIES, NUMBER, POSITION, ORIENTATION, TRANSFER_SYNTAX]);
  const texts = new Map<number, string>();
  /** Sequences and items of unknown length that stand open. */
  let depth = 0;
  let explicit: boolean | undefined;
  for (let at = 132; at + 12 <= view.byteLength; ) {
    const tag = view.getUint16(at, true) * 0x1_0000 + view.getUint16(at + 2, true);
    if (tag >= ITEM && tag <= 0xfffe_ffff) {
      const length = view.getUint32(at + 4, true);
      at += 8;
      if (tag !== ITEM) depth = Math.max(0, depth - 1);
      else if (length === UNDEFINED_LENGTH) depth++;
      else at += length;
      continue;
    }
    if (depth === 0 && tag > ORIENTATION) break;
    const vr = textAt(view, at + 4, 2);
    if (tag > 0x0002_ffff) explicit ??= /^[A-Z]{2}$/.test(vr);
    const isWritten = (explicit ?? true) && /^[A-Z]{2}$/.test(vr);
    const isLong = isWritten && LONG.test(vr);
    const length = isWritten && !isLong ? view.getUint16(at + 6, true) : view.getUint32(at + (isLong ? 8 : 4), true);
    const start = at + (isLong ? 12 : 8);
    if (length === UNDEFINED_LENGTH) {
      depth++;
      at = start;
      continue;
    }
    if (depth === 0 && wanted.has(tag)) texts.set(tag, textAt(view, start, length));
    at = start + length;
  }
  return texts;
}

function textAt(view: DataView, start: number, length: number): string {
  const end = Math.min(view.byteLength, start + Math.min(length, 1024));
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(view.getUint8(at));
  return text.replace(/[\0 ]+$/, "").trim();
}
