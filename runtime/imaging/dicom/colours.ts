import type { Samples } from "../grey";
import { DEFAULT_CHROMA, toRgb } from "../ycbcr";
import type { DataSet } from "./data-set";
import type { Description } from "./description";
import { damaged, unread } from "./failures";
import { type LookupTable, look, readLookupTable } from "./lookup-table";
import type { StoredFrame, StoredValues } from "./stored-frame";
import { TAG } from "./tags";

/** Red, green and blue of a frame in colours. @throws {RejectedImage} */
export function coloursOf({ values, photometric }: StoredFrame, description: Description, file: DataSet): Samples {
  const { columns: width, rows: height } = description;
  const page = { width, height, channels: 3, colours: 3 as const };
  if (photometric === "PALETTE COLOR") return { ...page, values: painted(values, description, file) };
  const bytes = byteKind(values);
  if (photometric === "RGB") return { ...page, values: bytes };
  if (!(bytes instanceof Uint8Array)) throw unread("YBR colours of more than 8 bits");
  const copy = bytes.slice();
  toRgb(copy, 3, DEFAULT_CHROMA);
  return { ...page, values: copy };
}

function byteKind(values: StoredValues): Uint8Array | Uint16Array {
  if (values instanceof Uint8Array || values instanceof Uint16Array) return values;
  throw unread("colours that are signed or of more than 16 bits");
}

function painted(values: StoredValues, { signed }: Description, file: DataSet): Uint8Array | Uint16Array {
  if (file.has(TAG.redSegments)) throw unread("a palette in segments");
  if (![TAG.redTable, TAG.greenTable, TAG.blueTable].every((tag) => file.has(tag)))
    throw damaged("it lacks its palette");
  const tables = [
    readLookupTable(file, { signed, descriptor: TAG.redDescriptor, data: TAG.redTable }),
    readLookupTable(file, { signed, descriptor: TAG.greenDescriptor, data: TAG.greenTable }),
    readLookupTable(file, { signed, descriptor: TAG.blueDescriptor, data: TAG.blueTable }),
  ] as const;
  const eight = tables.every(({ bits }) => bits === 8);
  const out = eight ? new Uint8Array(3 * values.length) : new Uint16Array(3 * values.length);
  for (let i = 0, o = 0; i < values.length; i++)
    for (const table of tables as readonly LookupTable[]) out[o++] = look(table, values[i] as number);
  return out;
}
