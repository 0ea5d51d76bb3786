import { createHash } from "node:crypto";
import { type CreatableStore, type ReadableStore, tryToCreate } from "../platform/stores";
import { isSealed, type LeafData } from "./leaf";
import { contentOf, linesOf, numbered, numbersIn } from "./log";
import { isSignedBy, type NoteKey } from "./note";
import type { Signer } from "./signer";

/** Where the row of a leaf lies. */
export interface Place {
  readonly batch: string;
  /** In its batch, from 0. */
  readonly row: number;
}

/** What a sealer is about to add: once this is written it is done, by whoever comes next, and nothing else in its place. */
export interface Plan {
  /** Leaves before it. */
  readonly from: number;
  /** What its checkpoint says; undefined where nothing can be said yet. */
  readonly through: string | undefined;
  /** The time of its last row that came in time; ISO 8601. */
  readonly last: string;
  readonly leaves: readonly (LeafData & Place)[];
}

interface Header {
  readonly through: string | null;
  readonly last: string;
  /** Of {@link textOf}, base64: who writes beside the rows can plan nothing in the sealer's name. */
  readonly signature?: string;
}

const SEALS = "seals/";
const nameOf = (from: number) => numbered(SEALS, from, ".jsonl");

/** A plan that the log's key did not sign: somebody else wrote it, or changed it. */
export class ForgedPlan extends Error {
  constructor(from: number) {
    super(
      `audit/${nameOf(from)}, which says of which rows the leaves from ${from} on are, is not signed by the log's key: somebody wrote or changed it.`,
    );
  }
}

/** What is signed: no checkpoint begins with this line. */
function textOf(key: NoteKey, from: number, { through, last }: Header, lines: readonly string[]): Buffer {
  const content = createHash("sha256").update(lines.join("\n")).digest("hex");
  return Buffer.from(`plan of ${key.name}\n${from}\n${through}\n${last}\n${content}\n`);
}

/**
 * The plans of a workspace's log: which row each leaf is of. They lie beside the log, and not in the archive: what names a row
 * does not leave the workspace.
 */
export class Plans {
  /** @param key that signed each of them */
  constructor(
    private readonly store: ReadableStore & CreatableStore,
    private readonly key: NoteKey,
  ) {}

  /** Leaves before each, ascending. */
  all(): Promise<number[]> {
    return numbersIn(this.store, SEALS);
  }

  /** @throws {SyntaxError} if it is damaged @throws {ForgedPlan} */
  async read(from: number): Promise<Plan | undefined> {
    const found = await this.unchecked(from);
    if (found && !found.signed) throw new ForgedPlan(from);
    return found?.plan;
  }

  private async unchecked(from: number): Promise<{ readonly plan: Plan; readonly signed: boolean } | undefined> {
    const content = await contentOf(this.store, nameOf(from));
    if (!content) return undefined;
    const [head = "", ...lines] = linesOf(content);
    const header = JSON.parse(head) as Header;
    const { through, last, signature = "" } = header;
    const signed = isSignedBy(
      this.key,
      textOf(this.key, from, header, lines),
      Buffer.from(String(signature), "base64"),
    );
    const leaves = lines.map((line) => JSON.parse(line) as LeafData & Place);
    if (!leaves.every(({ table }) => isSealed(table))) throw new SyntaxError(`${nameOf(from)} names unknown tables.`);
    return { plan: { from, through: through ?? undefined, last, leaves }, signed };
  }

  /** False if there is one of the same place. */
  async create({ from, through, last, leaves }: Plan, signer: Signer): Promise<boolean> {
    const lines = leaves.map(({ table, digest, batch, row }) => JSON.stringify({ table, digest, batch, row }));
    const header: Header = { through: through ?? null, last };
    const signature = await signer.sign(textOf(this.key, from, header, lines));
    const head = JSON.stringify({ ...header, signature: signature.toString("base64") } satisfies Header);
    return tryToCreate(this.store, nameOf(from), `${[head, ...lines].join("\n")}\n`);
  }

  /** The number of a leaf; undefined if no plan has it. @param time of its batch, by which few plans are read */
  async find({ table, digest }: LeafData, time: string): Promise<number | undefined> {
    const froms = await this.all();
    const heads = new Map<number, string>();
    const lastOf = async (index: number) => {
      const known = heads.get(index);
      if (known !== undefined) return known;
      const content = await contentOf(this.store, nameOf(froms[index] as number));
      const { last } = JSON.parse(content ? content.toString("utf8", 0, content.indexOf("\n")) : "{}") as Header;
      heads.set(index, last);
      return last;
    };
    let [low, high] = [0, froms.length];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (Date.parse(await lastOf(middle)) < Date.parse(time)) low = middle + 1;
      else high = middle;
    }
    // What came late lies elsewhere.
    for (const index of [low, ...froms.keys()]) {
      const from = froms[index];
      // Whether it is right, the tree says.
      const plan = from === undefined ? undefined : (await this.unchecked(from))?.plan;
      const at = plan?.leaves.findIndex((leaf) => leaf.digest === digest && leaf.table === table) ?? -1;
      if (from !== undefined && at >= 0) return from + at;
    }
    return undefined;
  }
}
