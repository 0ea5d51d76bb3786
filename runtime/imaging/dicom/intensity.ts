import { toUnsigned } from "../grey";
import type { DataSet } from "./data-set";
import type { Description } from "./description";
import { damaged } from "./failures";
import type { FrameFacts } from "./frame-facts";
import { type LookupTable, look, readLookupTable } from "./lookup-table";
import type { StoredValues } from "./stored-frame";
import { TAG } from "./tags";

/** How stored values become what the modality measured. */
type Transformation =
  | { readonly table: LookupTable }
  | { readonly table?: undefined; readonly slope: number; readonly intercept: number };

/** A value's way to a share of white: 0 is black, 1 white. */
type Voi = (value: number) => number;

/**
 * Grey values of a monochrome frame, black first.
 *
 * 1. The modality's table, or its rescaling (PS3.3, C.11.1).
 * 2. The file's VOI table, else its first window (C.11.2; the table wins, as in pydicom): 8 bits where at most 8 are
 *    stored, else 16.
 * 3. Where it has neither, values are kept whole, and those below zero lifted, by the rule for all formats ({@link toUnsigned}).
 *    The window then is that of the pixel recipe, from percentiles of the picture that are part of the recipe's id. It is the
 *    same for every rescaling, which is therefore left out; one that falls turns the picture round.
 * 4. MONOCHROME1 is turned round. Padding is black.
 *
 * @throws {RejectedImage} `damaged`
 */
export function greyOf(
  values: StoredValues,
  description: Description,
  facts: FrameFacts,
  file: DataSet,
): Uint8Array | Uint16Array {
  const transformation = transformationOf(facts.transformation, description.signed);
  const voi = voiOf(facts.voi, transformation.table ? false : description.signed);
  const isPadding = paddingOf(file, description);
  const dark = description.photometric === "MONOCHROME1";
  return voi
    ? windowed(values, description, transformation, voi, dark, isPadding)
    : whole(values, description, transformation, dark, isPadding);
}

function windowed(
  values: StoredValues,
  { bitsStored }: Description,
  transformation: Transformation,
  voi: Voi,
  dark: boolean,
  isPadding: ((value: number) => boolean) | undefined,
): Uint8Array | Uint16Array {
  const { table } = transformation;
  const eight = bitsStored <= 8 && (table?.bits ?? 8) <= 8;
  const white = eight ? 255 : 65_535;
  const out = eight ? new Uint8Array(values.length) : new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (isPadding?.(value)) continue;
    const measured = transformation.table
      ? look(transformation.table, value)
      : value * transformation.slope + transformation.intercept;
    const share = voi(measured);
    out[i] = Math.floor((dark ? 1 - share : share) * white + 0.5);
  }
  return out;
}

function whole(
  values: StoredValues,
  { bitsStored, signed, float }: Description,
  transformation: Transformation,
  dark: boolean,
  isPadding: ((value: number) => boolean) | undefined,
): Uint8Array | Uint16Array {
  const { table } = transformation;
  const measured = table ? lookedUp(values, table) : values.slice();
  const falls = !table && transformation.slope < 0;
  if (dark !== falls)
    turnRound(measured, table ? table.bits : bitsStored, float ? "float" : !table && signed ? "signed" : "unsigned");
  if (isPadding) {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < values.length; i++)
      if (!isPadding(values[i] as number)) least = Math.min(least, measured[i] as number);
    if (least < Number.POSITIVE_INFINITY)
      for (let i = 0; i < values.length; i++) if (isPadding(values[i] as number)) measured[i] = least;
  }
  return measured instanceof Uint8Array || measured instanceof Uint16Array ? measured : toUnsigned(measured);
}

function lookedUp(values: StoredValues, table: LookupTable): Uint8Array | Uint16Array {
  const out = table.bits === 8 ? new Uint8Array(values.length) : new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) out[i] = look(table, values[i] as number);
  return out;
}

function turnRound(values: StoredValues, bits: number, kind: "float" | "signed" | "unsigned"): void {
  const sum = kind === "float" ? 0 : kind === "signed" ? -1 : 2 ** bits - 1;
  for (let i = 0; i < values.length; i++) values[i] = sum - (values[i] as number);
}

function transformationOf(dataSet: DataSet, signed: boolean): Transformation {
  const [item] = dataSet.items(TAG.modalityTables);
  if (item) return { table: readLookupTable(item, { signed }) };
  const [slope = 1] = dataSet.decimals(TAG.slope, "rescale slope");
  const [intercept = 0] = dataSet.decimals(TAG.intercept, "rescale intercept");
  if (slope === 0) throw damaged("its rescale slope is 0, which makes every pixel equal");
  return { slope, intercept };
}

function voiOf(dataSet: DataSet, signed: boolean): Voi | undefined {
  const [item] = dataSet.items(TAG.voiTables);
  if (item) {
    const table = readLookupTable(item, { signed });
    const white = 2 ** table.bits - 1;
    return (value) => Math.min(1, look(table, Math.round(value)) / white);
  }
  const [center] = dataSet.decimals(TAG.windowCenter, "window centre");
  const [width] = dataSet.decimals(TAG.windowWidth, "window width");
  if (center === undefined || width === undefined) return undefined;
  switch (dataSet.text(TAG.windowFunction) ?? "LINEAR") {
    case "LINEAR":
      // Half a value less on each side: C.11.2.1.2.1.
      return width >= 1 ? linear(center - 0.5, width - 1) : undefined;
    case "LINEAR_EXACT":
      return width > 0 ? linear(center, width) : undefined;
    case "SIGMOID":
      return width > 0 ? (value) => 1 / (1 + Math.exp((-4 * (value - center)) / width)) : undefined;
    default:
      throw damaged("its window has a function that the standard does not have");
  }
}

const linear =
  (center: number, width: number): Voi =>
  (value) =>
    value <= center - width / 2 ? 0 : value > center + width / 2 ? 1 : (value - center) / width + 0.5;

/** What stands around a picture that was turned or is round, and is no measurement: C.7.5.1.1.2. */
function paddingOf(file: DataSet, { signed, float }: Description): ((value: number) => boolean) | undefined {
  const [value] = file.shorts(TAG.padding, { signed });
  if (value === undefined || float) return undefined;
  const [limit = value] = file.shorts(TAG.paddingLimit, { signed });
  const [low, high] = [Math.min(value, limit), Math.max(value, limit)];
  return (stored) => stored >= low && stored <= high;
}
