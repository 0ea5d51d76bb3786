import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { oneChannel, RECIPE, replicate } from "../imaging";
import type { Label, Split } from "../intake";
import { onDisk } from "../platform/disk";
import type { ObjectStore, ReadableStore } from "../platform/stores";

/** Most rows of a shard on average: 512 images of 48 KiB are 24 MiB of pixels. */
const ROWS = 512;
const PIXELS = RECIPE.side * RECIPE.side;
const CHANNELS = RECIPE.channels;

/** One row of a shard without its pixels; null where it is not known. */
export interface ShardRow {
  readonly id: string;
  readonly label: Label | null;
  readonly group: string;
  readonly split: Split;
  readonly sha256: string;
  /** By the perceptual hash that goes with the shard's recipe. */
  readonly phash: string | null;
  readonly source: string;
  readonly generation: number;
  /** A lesion mask is stored beside the pixels. */
  readonly masked: boolean;
}

/** What is stored of an image beside its row, 128 x 128 bytes each. */
export interface Planes {
  /** One channel of the pixels. */
  readonly grey: Uint8Array;
  /** Share of lesion in each pixel, 0 to 255; null where no mask is known. */
  readonly mask: Uint8Array | null;
}

const COLUMNS = ["id", "label", "group", "split", "sha256", "phash", "source", "generation"] as const;
const SELECTED = [...COLUMNS.map((column) => `"${column}"`), `"mask" IS NOT NULL AS "masked"`].join(", ");

/** A shard that is to be: its name depends on the ids in it and on nothing else. */
export interface Shard<R extends ShardRow = ShardRow> {
  readonly name: string;
  /** Ascending by id. */
  readonly rows: readonly R[];
}

/** How many leading bits of the hash of an id decide its shard, where there are so many rows. */
export function bucketBits(rows: number): number {
  return Math.max(0, Math.ceil(Math.log2(rows / ROWS)));
}

/** The name of a shard of some rows, which are ascending by id. */
export function shardName(rows: readonly Pick<ShardRow, "id">[]): string {
  const key = createHash("sha256").update(rows.map(({ id }) => id).join("\n"));
  return `${RECIPE.id}/part-${key.digest("hex").slice(0, 20)}.parquet`;
}

/** Bits and number of a bucket of {@link bucketBits}, as it is written beside a shard. */
function bucketOf(text: string): readonly [bits: number, number: number] | undefined {
  const match = /^(\d+)\/(\d+)$/.exec(text);
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

/** The bucket of an id. */
export function bucketOfId(id: string, bits: number): number {
  const hash = createHash("sha256").update(id).digest().readUInt32BE(0);
  return bits === 0 ? 0 : hash >>> (32 - bits);
}

/** The buckets of so many bits in which the images of a bucket lie: first and last. */
export function bucketRange(text: string, bits: number): readonly [first: number, last: number] | undefined {
  const bucket = bucketOf(text);
  if (!bucket) return undefined;
  const [own, number] = bucket;
  if (own >= bits) return [Math.floor(number / 2 ** (own - bits)), Math.floor(number / 2 ** (own - bits))];
  const share = 2 ** (bits - own);
  return [number * share, (number + 1) * share - 1];
}

/** What is written beside a shard: which bucket its images are of, and a hash of all that a plan had for it. */
export interface ShardLabel {
  readonly bucket: string;
  /** Not there where something of the plan is missing in the shard. */
  readonly content?: string;
}

/** Parquet through DuckDB, in memory, one thread: the same rows give the same bytes. Who may only read the bucket only reads. */
export class ShardFiles<S extends ReadableStore = ReadableStore> {
  private constructor(
    private readonly store: S,
    private readonly instance: DuckDBInstance,
    private readonly connection: DuckDBConnection,
    private readonly folder: string,
  ) {}

  static async open<S extends ReadableStore>(store: S): Promise<ShardFiles<S>> {
    const { DuckDBInstance } = await import("@duckdb/node-api");
    const instance = await DuckDBInstance.create(":memory:", { threads: "1", memory_limit: "512MB" });
    return new ShardFiles(store, instance, await instance.connect(), await mkdtemp(join(tmpdir(), "shards-")));
  }

  async close(): Promise<void> {
    this.connection.closeSync();
    this.instance.closeSync();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Names of the recipe's shards, ascending. */
  async names(recipe: string = RECIPE.id): Promise<string[]> {
    return [...(await this.labels(recipe)).keys()];
  }

  /** What is written beside each of the recipe's shards, by their names, ascending; nothing beside those of earlier versions. */
  async labels(recipe: string = RECIPE.id): Promise<Map<string, Partial<ShardLabel>>> {
    const labels = new Map<string, Partial<ShardLabel>>();
    for await (const { name, metadata } of this.store.listAll(`${recipe}/part-`))
      if (name.endsWith(".parquet")) labels.set(name, metadata);
    return labels;
  }

  /** Rows of a shard without their pixels. */
  async rows(name: string): Promise<ShardRow[]> {
    return this.query(name, `SELECT ${SELECTED} FROM $FILE ORDER BY file_row_number`, (row) => rowOf(row));
  }

  /** SHA-256 of the lesion mask of each image that has one, by id. */
  async maskHashes(name: string): Promise<[id: string, sha256: string][]> {
    const sql = `SELECT "id", sha256("mask") AS "sha256" FROM $FILE WHERE "mask" IS NOT NULL`;
    return this.query(name, sql, ({ id, sha256 }) => [id as string, sha256 as string]);
  }

  /** The planes of some of a shard's images by id. */
  async planes(name: string, ids: ReadonlySet<string>): Promise<Map<string, Planes>> {
    const found = await this.query(name, `SELECT "id", "pixels", "mask" FROM $FILE`, (row) =>
      ids.has(row.id as string)
        ? ([row.id as string, { grey: oneChannel(blob(row.pixels)), mask: blobOrNull(row.mask) }] as const)
        : undefined,
    );
    return new Map(found.filter((entry) => entry !== undefined));
  }

  /** Every row with its pixels and its mask as stored, in the order of the file. */
  async rowsWithPixels(
    name: string,
    split: Split | undefined,
  ): Promise<{ row: ShardRow; pixels: Uint8Array; mask: Uint8Array | null }[]> {
    const where = split === undefined ? "" : `WHERE "split" = '${split}'`;
    return this.query(
      name,
      `SELECT *, "mask" IS NOT NULL AS "masked" FROM $FILE ${where} ORDER BY file_row_number`,
      (row) => ({
        row: rowOf(row),
        pixels: blob(row.pixels),
        mask: blobOrNull(row.mask),
      }),
    );
  }

  /** Writes a shard, atomically, with its label beside it. */
  async write(
    this: ShardFiles<ObjectStore>,
    shard: Shard,
    images: ReadonlyMap<string, Planes>,
    label?: ShardLabel,
  ): Promise<void> {
    const { connection } = this;
    await connection.run(
      `CREATE OR REPLACE TABLE shard ("id" VARCHAR, "label" VARCHAR, "group" VARCHAR, "split" VARCHAR, "width" INTEGER,
       "height" INTEGER, "channels" INTEGER, "pixels" BLOB, "recipe" VARCHAR, "sha256" VARCHAR, "phash" VARCHAR,
       "source" VARCHAR, "generation" BIGINT, "mask" BLOB)`,
    );
    const appender = await connection.createAppender("shard");
    // The appender copies what it is given, so one image's room is enough.
    const pixels = new Uint8Array(PIXELS * CHANNELS);
    for (const row of shard.rows) {
      const planes = images.get(row.id);
      if (!planes) throw new Error(`No pixels for image ${row.id} of shard ${shard.name}.`);
      appender.appendVarchar(row.id);
      if (row.label === null) appender.appendNull();
      else appender.appendVarchar(row.label);
      appender.appendVarchar(row.group);
      appender.appendVarchar(row.split);
      appender.appendInteger(RECIPE.side);
      appender.appendInteger(RECIPE.side);
      appender.appendInteger(RECIPE.channels);
      appender.appendBlob(replicate(planes.grey, pixels));
      appender.appendVarchar(RECIPE.id);
      appender.appendVarchar(row.sha256);
      if (row.phash === null) appender.appendNull();
      else appender.appendVarchar(row.phash);
      appender.appendVarchar(row.source);
      appender.appendBigInt(BigInt(row.generation));
      if (planes.mask === null) appender.appendNull();
      else appender.appendBlob(planes.mask);
      appender.endRow();
    }
    appender.closeSync();
    const path = join(this.folder, "shard.parquet");
    await onDisk(path, () =>
      connection.run(`COPY shard TO ${quote(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2048)`),
    );
    await connection.run("DROP TABLE shard");
    const content = await readFile(path);
    await rm(path);
    const metadata = label ? { metadata: { ...label } } : {};
    await this.store.write(shard.name, content, { contentType: "application/vnd.apache.parquet", ...metadata });
  }

  private async query<T>(name: string, sql: string, map: (row: Record<string, unknown>) => T): Promise<T[]> {
    const { path, release } = await this.store.materialize(name);
    try {
      const file = `read_parquet(${quote(path)}, file_row_number = true)`;
      const result = await this.connection.stream(sql.replace("$FILE", file));
      const names = result.columnNames();
      const rows: T[] = [];
      for (;;) {
        const chunk = await result.fetchChunk();
        if (!chunk || chunk.rowCount === 0) return rows;
        for (const values of chunk.getRows()) rows.push(map(Object.fromEntries(names.map((n, i) => [n, values[i]]))));
      }
    } catch (error) {
      throw new Error(
        `The shard ${this.store.uri}/${name} cannot be read: ${(error as Error).message} ` +
          "Delete it and run preprocess again.",
        { cause: error },
      );
    } finally {
      await release();
    }
  }
}

/** True if a stored shard says of every image what it is to say. */
export function isUpToDate(stored: readonly ShardRow[], wanted: readonly ShardRow[]): boolean {
  return (
    stored.length === wanted.length &&
    wanted.every((row, index) => [...COLUMNS, "masked" as const].every((key) => stored[index]?.[key] === row[key]))
  );
}

function rowOf(row: Record<string, unknown>): ShardRow {
  const values = Object.fromEntries(COLUMNS.map((column) => [column, row[column] ?? null]));
  return { ...values, generation: Number(row.generation), masked: row.masked === true } as unknown as ShardRow;
}

function blobOrNull(value: unknown): Uint8Array | null {
  return value === null ? null : Uint8Array.from(blob(value));
}

function blob(value: unknown): Uint8Array {
  return (value as { readonly bytes: Uint8Array }).bytes;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
