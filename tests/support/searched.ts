import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, inflateSync } from "node:zlib";
import { DuckDBInstance } from "@duckdb/node-api";

/** Bytes in which something may be hidden, by where they are from. */
export type Places = Map<string, Buffer>;

/** Every file below a folder, and every name. */
export function filesBelow(folder: string, skipped: readonly string[]): Places {
  const places: Places = new Map();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(folder.length + 1);
    if (skipped.some((part) => path === part || path.startsWith(`${part}/`))) continue;
    places.set(`name ${path}`, Buffer.from(path));
    if (entry.isFile()) places.set(path, readFileSync(join(folder, path)));
  }
  return places;
}

/** The same with what is packed in it: gzip, compressed chunks of PNG, rows of Parquet. */
export async function unpacked(places: Places, folder: string): Promise<Places> {
  const all: Places = new Map(places);
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  for (const [place, bytes] of places) {
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) all.set(`${place} (gunzipped)`, gunzipSync(bytes));
    if (bytes.toString("latin1", 1, 4) === "PNG") all.set(`${place} (inflated)`, inflatedChunks(bytes));
    if (bytes.toString("latin1", 0, 4) === "PAR1") {
      const path = join(folder, place).replaceAll("'", "''");
      const rows = await connection.runAndReadAll(`SELECT * FROM read_parquet('${path}')`);
      all.set(`${place} (rows)`, Buffer.from(JSON.stringify(rows.getRowObjectsJson())));
    }
  }
  connection.closeSync();
  instance.closeSync();
  return all;
}

/** What zlib packed in a PNG: pixels, and texts and profiles behind their keyword. */
function inflatedChunks(bytes: Buffer): Buffer {
  const packed: Record<string, Buffer[]> = {};
  for (let at = 8; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString("latin1", at + 4, at + 8);
    packed[type] = [...(packed[type] ?? []), bytes.subarray(at + 8, at + 8 + length)];
    at += 12 + length;
  }
  const texts = [...(packed.zTXt ?? []), ...(packed.iCCP ?? [])].map((chunk) => chunk.subarray(chunk.indexOf(0) + 2));
  return Buffer.concat([...(packed.IDAT ? [Buffer.concat(packed.IDAT)] : []), ...texts].map((it) => inflateSync(it)));
}

/** How a value may be written: as it is, backwards, in UTF-16, hexadecimal, and base64 wherever it begins. */
function formsOf(value: Buffer): readonly Buffer[] {
  const inBase64 = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), value]).toString("base64");
    // What depends on the bytes beside it is left off.
    return Buffer.from(text.slice(Math.ceil((shift * 8) / 6), -4));
  });
  const wide = Buffer.from(value.toString("latin1"), "utf16le");
  return [
    value,
    Buffer.from(value).reverse(),
    Buffer.from(value.toString("hex")),
    wide,
    Buffer.from(wide).swap16(),
    ...inBase64.filter((form) => form.length >= 6),
  ];
}

/** Whether a value stands in bytes, in upper case or lower; values of fewer than four bytes stand everywhere. */
export function findings(places: Places, values: readonly (readonly [name: string, value: Buffer])[]): string[] {
  const forms = values.flatMap(([name, value]) =>
    formsOf(value).map((form) => [name, Buffer.from(form.toString("latin1").toLowerCase(), "latin1")] as const),
  );
  return [...places].flatMap(([place, bytes]) => {
    const lower = Buffer.from(bytes.toString("latin1").toLowerCase(), "latin1");
    return forms.filter(([, form]) => lower.includes(form)).map(([name]) => `${name} in ${place}`);
  });
}
