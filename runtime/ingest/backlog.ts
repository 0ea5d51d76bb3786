import { createHash } from "node:crypto";
import { DifferentRowsError, type ImageRow, type Warehouse } from "../platform/warehouse";
import { batchName } from "./examine";

/** Rows of several objects lie in batches whose names begin so. */
const MANY = "many-";
/** Rows that are written together, and most seconds that they wait for it: what a killed run does again. */
const ROWS = 1000;
const SECONDS = 10;

/** An object of the landing bucket. */
interface Landed {
  readonly name: string;
  readonly generation: number;
}

/**
 * The rows of many objects, some files for all of them. An object counts as ingested when its rows exist: a run that is
 * killed examines those anew whose rows were not written yet, and finds what it had curated.
 */
export class Backlog {
  private readonly done = new Set<string>();
  private readonly known = new Set<string>();
  private waiting: { readonly object: Landed; readonly rows: readonly ImageRow[] }[] = [];
  private rows = 0;
  private last = Date.now();

  constructor(private readonly warehouse: Warehouse) {}

  /** Looks which objects have rows. */
  async look(): Promise<void> {
    for (const batch of await this.warehouse.batches("images")) {
      if (this.known.has(batch)) continue;
      this.known.add(batch);
      if (!batch.startsWith(MANY)) this.done.add(batch);
      else
        for (const { source, generation } of (await this.warehouse.batch("images", batch)) ?? [])
          this.done.add(batchName(source.replace(PAGE, ""), generation));
    }
  }

  isDone({ name, generation }: Landed): boolean {
    return this.done.has(batchName(name, generation));
  }

  /** Adds the rows of an object, and writes what waits if that is enough. */
  async add(object: Landed, rows: readonly ImageRow[]): Promise<void> {
    // A file that is called like a page of another one would be taken for that one later; one whose rows call it
    // otherwise, for none.
    const isCalledOtherwise = PAGE.test(object.name) || rows.some(({ landed }) => landed !== null);
    if (isCalledOtherwise) await this.append(batchName(object.name, object.generation), rows);
    else {
      this.waiting.push({ object, rows });
      this.rows += rows.length;
      if (this.rows >= ROWS || Date.now() - this.last >= 1000 * SECONDS) await this.write();
    }
  }

  /** Writes what waits. */
  async write(): Promise<void> {
    // Somebody else may have been faster with some: their rows stand.
    if (this.waiting.length > 0) await this.look();
    const left = this.waiting.filter(({ object }) => !this.isDone(object));
    const [only] = left;
    if (only) {
      const names = left.map(({ object }) => batchName(object.name, object.generation));
      const name = left.length === 1 ? (names[0] as string) : `${MANY}${sha256(names.join("\n"))}`;
      await this.append(
        name,
        left.flatMap(({ rows }) => rows),
      );
    }
    this.waiting = [];
    this.rows = 0;
    this.last = Date.now();
  }

  private async append(name: string, rows: readonly ImageRow[]): Promise<void> {
    try {
      await this.warehouse.append("images", name, rows);
    } catch (error) {
      // Another run read the manifest before it changed: its rows stand.
      if (!(error instanceof DifferentRowsError)) throw error;
    }
  }
}

const PAGE = /#page=\d+$/;
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
