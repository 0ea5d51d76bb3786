import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DuckDBConnection, DuckDBDataChunk, DuckDBInstance } from "@duckdb/node-api";
import { PERCEPTUAL_HASH, RECIPE } from "../imaging";
import { LABELS, SPLITS } from "../intake";
import { onDisk } from "../platform/disk";
import type { ReadableStore } from "../platform/stores";
import { type AssignmentRow, parquetOfLines } from "../platform/warehouse";
import { curatedMasks } from "./curated-object";
import type { CuratedPage } from "./curated-page";
import { DisjointSets, decideGroups, SAME, SPLIT_CODES, SPLIT_PREFIX } from "./groups";
import { type PlannedRow, USUAL_COST } from "./live-images";
import type { Pictures } from "./near-duplicates";
import { bucketBits, type Shard, shardName } from "./shards";

/** Of what DuckDB holds itself; what does not fit goes to the scratch folder. */
const MEMORY = "1GB";
/** Rows that are given out at a time: some megabytes. */
const PORTION = 10_000;
const HASH_WORDS = 8;

/** An image whose picture has to be hashed anew. */
export type Unhashed = CuratedPage & { readonly cost: number };

/** A shard that is to be, with all that is to stand in it. */
export interface ContentShard extends Shard<PlannedRow> {
  /** What decides its rows: `bits/number` of the leading bits of the hash of their ids. */
  readonly bucket: string;
  /** SHA-256 of all that its rows say. */
  readonly content: string;
}

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
const listed = (words: readonly string[]) => `(${words.map(quoted).join(", ")})`;
/** The position of a word in a list, or the list's length. */
const codeOf = (column: string, words: readonly string[]) =>
  `(CASE ${column} ${words.map((word, code) => `WHEN ${quoted(word)} THEN ${code}`).join(" ")} ELSE ${words.length} END)`;
/** The first 32 bits of a SHA-256 as a number. */
const hash32 = (text: string) => `('0x' || left(sha256(${text}), 8))::UINTEGER`;

/**
 * The images of a plan, on disk: of millions of them no row lies in memory, and only numbers pass through JavaScript one by
 * one. Steps come in this order: hashes are added, groups decided, shards given out.
 */
export class PlanDatabase {
  private constructor(
    private readonly instance: DuckDBInstance,
    private readonly connection: DuckDBConnection,
    private readonly folder: string,
    /** Every row gives one of a shard; otherwise every picture does. */
    private readonly isListing: boolean,
  ) {}

  /**
   * @param write makes a Parquet file with the columns of the question "planned images", ascending by id
   * @param isListing it has `object` and `curated_mask` beside, and every row gives one of a shard
   */
  static async open(write: (file: string) => Promise<void>, isListing = false): Promise<PlanDatabase> {
    const folder = await mkdtemp(join(tmpdir(), `plan-${process.pid}-`));
    try {
      const { DuckDBInstance } = await import("@duckdb/node-api");
      const settings = { threads: "2", memory_limit: MEMORY, temp_directory: join(folder, "spilled") };
      // No file: nothing of it outlives the process, and a file would be written twice and flushed.
      const instance = await DuckDBInstance.create(":memory:", settings);
      const plan = new PlanDatabase(instance, await instance.connect(), folder, isListing);
      await write(plan.imagesFile);
      await plan.begin();
      return plan;
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** The Parquet file that the plan was made of. */
  get imagesFile(): string {
    return join(this.folder, "images.parquet");
  }

  async close(): Promise<void> {
    this.connection.closeSync();
    this.instance.closeSync();
    await rm(this.folder, { recursive: true, force: true });
  }

  private async begin(): Promise<void> {
    const ours = quoted(PERCEPTUAL_HASH.id);
    const own = this.isListing
      ? "object, curated_mask"
      : "'images/' || sha256 || '.png' AS object, CAST(NULL AS VARCHAR) AS curated_mask";
    // A hash counts where it is by the current perceptual hash, whoever made it: ingest, or a run that hashed it anew.
    await this.run(`CREATE VIEW images AS
      SELECT file_row_number::INTEGER AS idx, * EXCLUDE (file_row_number, phash, hash${this.isListing ? ", object, curated_mask" : ""}), ${own},
        CASE WHEN hash = ${ours} THEN phash WHEN compared_hash = ${ours} THEN compared_phash END AS known_phash,
        CASE WHEN width > 0 AND height > 0 THEN width * height ELSE ${USUAL_COST} END AS cost
      FROM read_parquet(${quoted(this.imagesFile)}, file_row_number = true)`);
    await this.run("CREATE TABLE rehashed (id VARCHAR, phash VARCHAR)");
  }

  /** How many images there are. */
  async count(): Promise<number> {
    return this.number("SELECT COUNT(*) FROM images");
  }

  /** The images whose perceptual hash is by another one than the current, ascending by id, some at a time. */
  unhashed(portion: number): AsyncGenerator<Unhashed[]> {
    return this.portions<Unhashed>(
      "SELECT id, object, sha256, cost FROM images WHERE known_phash IS NULL ORDER BY idx",
      portion,
    );
  }

  /** Adds hashes that were made anew, by image id. */
  async addHashes(hashes: ReadonlyMap<string, string>): Promise<void> {
    const appender = await this.connection.createAppender("rehashed");
    for (const [id, phash] of hashes) {
      appender.appendVarchar(id);
      appender.appendVarchar(phash);
      appender.endRow();
    }
    appender.closeSync();
  }

  /** How many hashes were added. */
  hashesAdded(): Promise<number> {
    return this.number("SELECT COUNT(*) FROM rehashed");
  }

  /**
   * The distinct hashes that decide groups, with the first image of each.
   * @throws if a hash is none
   */
  async pictures(): Promise<Pictures & { readonly firsts: Uint32Array }> {
    await this.decide();
    const [wrong] = await this.rows(
      "SELECT phash FROM deciding WHERE NOT regexp_full_match(phash, '[0-9a-f]{64}') LIMIT 1",
    );
    if (wrong) throw new Error(`"${wrong[0]}" is not a perceptual hash of 64 hex digits.`);
    await this.run(`CREATE OR REPLACE TABLE pictures AS SELECT phash, MIN(idx) AS first, BOOL_OR(NOT compared)::INTEGER AS fresh,
      BOOL_AND(patient IS NOT NULL)::INTEGER AS known FROM deciding WHERE phash IS NOT NULL GROUP BY phash`);
    const count = await this.number("SELECT COUNT(*) FROM pictures");
    const words = new Uint32Array(HASH_WORDS * count);
    const [fresh, allKnown] = [new Uint8Array(count), new Uint8Array(count)];
    const firsts = new Uint32Array(count);
    const word = (w: number) => `('0x' || substr(phash, ${8 * w + 1}, 8))::UINTEGER`;
    const columns = Array.from({ length: HASH_WORDS }, (_, w) => word(w));
    let at = 0;
    for await (const [one, isFresh, known, ...packed] of this.numbers(
      `SELECT first, fresh, known, ${columns.join(", ")} FROM pictures ORDER BY first`,
    )) {
      const rows = (one as Numbers).length;
      firsts.set(one as Numbers, at);
      fresh.set(isFresh as Numbers, at);
      allKnown.set(known as Numbers, at);
      packed.forEach((values, w) => {
        for (let row = 0; row < rows; row++) words[(at + row) * HASH_WORDS + w] = values[row] as number;
      });
      at += rows;
    }
    return { words, fresh, allKnown, firsts };
  }

  /**
   * Decides group and split of every image.
   * @param pairs positions of images that are near, two each
   * @returns sentences for a person
   */
  async group(pairs: Iterable<Uint32Array>): Promise<readonly string[]> {
    await this.decide();
    const count = await this.count();
    const sets = new DisjointSets(count);
    for (const key of [...SAME, "phash"])
      for await (const [one = [], other = []] of this.numbers(`SELECT idx, first FROM deciding JOIN
          (SELECT ${key}, MIN(idx) AS first FROM deciding WHERE ${key} IS NOT NULL GROUP BY ${key} HAVING COUNT(*) > 1) USING (${key})
          WHERE idx <> first`))
        for (let row = 0; row < one.length; row++) sets.unite(one[row] as number, other[row] as number);
    for (const found of pairs)
      for (let at = 0; at < found.length; at += 2) sets.unite(found[at] as number, found[at + 1] as number);

    await this.run(`CREATE OR REPLACE TABLE names AS SELECT (ROW_NUMBER() OVER (ORDER BY name) - 1)::INTEGER AS number, name
      FROM (SELECT DISTINCT "group" AS name FROM deciding WHERE "group" IS NOT NULL)`);
    const groups = new Int32Array(count).fill(-1);
    for await (const [image = [], number = []] of this.numbers(
      `SELECT idx, number FROM deciding JOIN names ON name = "group"`,
    ))
      for (let row = 0; row < image.length; row++) groups[image[row] as number] = number[row] as number;
    const [splits, given] = [new Uint8Array(count), new Uint8Array(count)];
    const shares = new Uint32Array(count);
    for await (const [image = [], split = [], asked = [], share = []] of this.numbers(
      `SELECT idx, ${codeOf("split", SPLIT_CODES)}, ${codeOf("given_split", SPLIT_CODES)},
        CASE WHEN "group" IS NULL THEN ${hash32(`${quoted(SPLIT_PREFIX)} || id`)} ELSE 0::UINTEGER END FROM deciding`,
    ))
      for (let row = 0; row < image.length; row++) {
        const at = image[row] as number;
        splits[at] = split[row] as number;
        given[at] = asked[row] as number;
        shares[at] = share[row] as number;
      }
    const shareOfName = new Uint32Array(await this.number("SELECT COUNT(*) FROM names"));
    for await (const [number = [], share = []] of this.numbers(
      `SELECT number, ${hash32(`${quoted(SPLIT_PREFIX)} || name`)} FROM names`,
    ))
      for (let row = 0; row < number.length; row++) shareOfName[number[row] as number] = share[row] as number;

    const decision = decideGroups(sets, {
      ...{ groups, splits, given },
      shareOf: (name) => (name < 0 ? shares[~name] : shareOfName[name]) as number,
    });
    await this.storeDecision(decision);
    return decision.notes;
  }

  /** The rows of `assignments` that are to be added, some at a time: those of what was compared before come first. */
  assignments(assignedAt: string, size = PORTION): AsyncGenerator<AssignmentRow[]> {
    // A picture that cannot be read now may have been read before: that is not forgotten.
    return this.portions<AssignmentRow>(
      `SELECT id, "group", split, ${quoted(RECIPE.id)} AS recipe,
        CASE WHEN phash IS NULL THEN NULL ELSE ${quoted(PERCEPTUAL_HASH.id)} END AS hash, phash,
        COALESCE(revision, 0) + 1 AS revision, ${quoted(assignedAt)} AS assigned_at
      FROM grouped
      WHERE NOT (revision IS NOT NULL AND NOT disputed AND before_group = "group" AND before_split = split
        AND (phash IS NULL OR (compared_hash IS NOT DISTINCT FROM ${quoted(PERCEPTUAL_HASH.id)} AND compared_phash IS NOT DISTINCT FROM phash)))
      ORDER BY compared DESC, idx`,
      size,
    );
  }

  /**
   * Lays out the rows of the shards: one a picture, or one a line of a listing. Equal pixels under several names give one row,
   * without a label where the names contradict.
   *
   * @returns how many rows there are, and how many pictures have contradicting labels
   */
  async layOut(curated: ReadableStore): Promise<{ readonly rows: number; readonly contradicting: number }> {
    await this.run("CREATE OR REPLACE TABLE masks (id VARCHAR, mask VARCHAR)");
    if (!this.isListing) {
      const appender = await this.connection.createAppender("masks");
      for await (const { id, name } of curatedMasks(curated)) {
        appender.appendVarchar(id);
        appender.appendVarchar(name);
        appender.endRow();
      }
      appender.closeSync();
    }
    const first = "ORDER BY duplicate_of IS NOT NULL, idx";
    const pictures = this.isListing
      ? "SELECT *, label AS own_label, curated_mask AS own_mask, false AS contradicting FROM grouped"
      : `SELECT *, FIRST_VALUE(mask IGNORE NULLS) OVER picture AS own_mask,
          MIN(known_label) OVER same <> MAX(known_label) OVER same AS contradicting,
          CASE WHEN MIN(known_label) OVER same = MAX(known_label) OVER same THEN MIN(known_label) OVER same END AS own_label
        FROM (SELECT *, CASE WHEN label IN ${listed(LABELS)} THEN label END AS known_label FROM grouped LEFT JOIN masks USING (id))
        WINDOW same AS (PARTITION BY sha256),
          picture AS (PARTITION BY sha256 ${first} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
        QUALIFY ROW_NUMBER() OVER (PARTITION BY sha256 ${first}) = 1`;
    await this.run(`CREATE OR REPLACE TABLE laid AS SELECT ${hash32("id")} AS place, id, own_label AS label, "group", split, sha256,
        phash, source, generation, own_mask IS NOT NULL AS masked, object, own_mask AS mask, cost, COALESCE(contradicting, false) AS contradicting
      FROM (${pictures}) ORDER BY place`);
    const [[rows, contradicting] = []] = await this.rows("SELECT COUNT(*), COUNT(*) FILTER (contradicting) FROM laid");
    return { rows: Number(rows), contradicting: Number(contradicting) };
  }

  /**
   * Every shard, in the order of the buckets. Images are distributed by the leading bits of a hash of their id, so that the
   * same set of images is always cut in the same way, whatever arrived first, and one more image changes one shard.
   */
  async *shards(rows: number): AsyncGenerator<ContentShard> {
    const bits = bucketBits(rows);
    const buckets = 2 ** bits;
    const some = Math.max(1, Math.floor((PORTION * buckets) / Math.max(1, rows)));
    for (let start = 0; start < buckets; start += some) {
      const [low, high] = [start, Math.min(buckets, start + some)].map((bucket) => bucket * 2 ** (32 - bits));
      const found =
        await this.rows(`SELECT (place::BIGINT >> ${32 - bits})::INTEGER AS bucket, to_json(LIST({'id': id, 'label': label,
          'group': "group", 'split': split, 'sha256': sha256, 'phash': phash, 'source': source, 'generation': generation,
          'masked': masked, 'object': object, 'mask': mask, 'cost': cost} ORDER BY id))::VARCHAR
        FROM laid WHERE place >= ${low} AND place < ${high} GROUP BY bucket ORDER BY bucket`);
      for (const [bucket, text] of found) {
        const members = JSON.parse(text as string) as PlannedRow[];
        const content = createHash("sha256")
          .update(text as string)
          .digest("hex");
        yield { name: shardName(members), bucket: `${bits}/${bucket}`, content, rows: members };
      }
    }
  }

  /** What decides the groups: once, when all hashes are known. */
  private async decide(): Promise<void> {
    await this.run(`CREATE TABLE IF NOT EXISTS deciding AS SELECT idx, id, sha256, patient, study, series, "group",
        CASE WHEN split IN ${listed(SPLITS)} THEN split END AS split,
        CASE WHEN given_split IN ${listed(SPLITS)} THEN given_split END AS given_split,
        COALESCE(known_phash, rehashed.phash) AS phash,
        revision IS NOT NULL AND compared_hash IS NOT DISTINCT FROM ${quoted(PERCEPTUAL_HASH.id)} AND NOT disputed AS compared
      FROM images LEFT JOIN rehashed USING (id)`);
  }

  private async storeDecision({ names, splits }: { names: Int32Array; splits: Uint8Array }): Promise<void> {
    await this.run("CREATE OR REPLACE TABLE decided (idx INTEGER, name INTEGER, first INTEGER, split INTEGER)");
    const { DuckDBDataChunk, INTEGER } = await import("@duckdb/node-api");
    const appender = await this.connection.createAppender("decided");
    const most = 2048;
    for (let start = 0; start < names.length; start += most) {
      const rows = Math.min(most, names.length - start);
      const chunk = DuckDBDataChunk.create([INTEGER, INTEGER, INTEGER, INTEGER], rows);
      const indices = Array.from({ length: rows }, (_, row) => start + row);
      const named = indices.map((image) => names[image] as number);
      chunk.setColumns([indices, named, named.map((name) => ~name), indices.map((image) => splits[image] as number)]);
      appender.appendDataChunk(chunk);
    }
    appender.closeSync();
    const split = `CASE decided.split ${SPLIT_CODES.map((name, code) => `WHEN ${code} THEN ${quoted(name)}`).join(" ")} END`;
    await this.run(`CREATE OR REPLACE VIEW grouped AS SELECT images.* EXCLUDE ("group", split), deciding.phash, deciding.compared,
        images."group" AS before_group, images.split AS before_split, ${split} AS split,
        COALESCE(names.name, named.id) AS "group"
      FROM images JOIN deciding USING (idx) JOIN decided USING (idx)
      LEFT JOIN names ON names.number = decided.name
      LEFT JOIN deciding AS named ON named.idx = decided.first`);
  }

  /** Rows as objects, some at a time: DuckDB writes them as JSON, which is quicker than value by value. */
  private async *portions<T>(sql: string, size: number): AsyncGenerator<T[]> {
    await this.run(
      `CREATE OR REPLACE TABLE portioned AS SELECT (ROW_NUMBER() OVER () - 1) AS position, to_json(told)::VARCHAR AS content FROM (${sql}) AS told`,
    );
    const count = await this.number("SELECT COUNT(*) FROM portioned");
    for (let start = 0; start < count; start += size) {
      const rows = await this.rows(
        `SELECT '[' || string_agg(content, ',' ORDER BY position) || ']' FROM portioned WHERE position >= ${start} AND position < ${start + size}`,
      );
      yield JSON.parse(rows[0]?.[0] as string) as T[];
    }
    await this.run("DROP TABLE portioned");
  }

  /** Columns of 32-bit numbers, some rows at a time. */
  private async *numbers(sql: string): AsyncGenerator<Numbers[]> {
    const result = await this.connection.stream(sql);
    for (;;) {
      const chunk = await result.fetchChunk();
      if (!chunk || chunk.rowCount === 0) return;
      yield Array.from({ length: chunk.columnCount }, (_, column) => itemsOf(chunk, column));
    }
  }

  private async run(sql: string): Promise<void> {
    await onDisk(this.folder, () => this.connection.run(sql));
  }

  private async rows(sql: string): Promise<unknown[][]> {
    return (await this.connection.runAndReadAll(sql)).getRowsJS();
  }

  private async number(sql: string): Promise<number> {
    return Number((await this.rows(sql))[0]?.[0]);
  }
}

type Numbers = Int32Array | Uint32Array | readonly number[];

/** The numbers of a column, none of which is NULL. */
function itemsOf(chunk: DuckDBDataChunk, column: number): Numbers {
  const { items } = chunk.getColumnVector(column) as unknown as { readonly items: Int32Array | Uint32Array };
  return items.subarray(0, chunk.rowCount);
}

/** Writes rows as a Parquet file with the columns that a plan is made of. */
export async function writePlanFile(file: string, rows: Iterable<Readonly<Record<string, unknown>>>): Promise<void> {
  const source = `${file}.jsonl`;
  await writeFile(source, [...rows].map((row) => `${JSON.stringify(row)}\n`).join(""));
  await parquetOfLines(source, LISTED_COLUMNS, file);
  await rm(source);
}

const LISTED_COLUMNS = {
  ...{ id: "VARCHAR", source: "VARCHAR", generation: "BIGINT", label: "VARCHAR", sha256: "VARCHAR", phash: "VARCHAR" },
  ...{
    hash: "VARCHAR",
    patient: "VARCHAR",
    study: "VARCHAR",
    series: "VARCHAR",
    given_split: "VARCHAR",
    duplicate_of: "VARCHAR",
    width: "BIGINT",
  },
  ...{ height: "BIGINT", group: "VARCHAR", split: "VARCHAR", compared_phash: "VARCHAR", compared_hash: "VARCHAR" },
  ...{ revision: "BIGINT", disputed: "BOOLEAN", object: "VARCHAR", curated_mask: "VARCHAR" },
} as const;
