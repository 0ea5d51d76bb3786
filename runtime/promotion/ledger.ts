import { z } from "zod";
import { type CreatableStore, PreconditionFailedError, type ReadableStore, readJson } from "../platform/stores";
import type { ChangePlan } from "./change-plan";
import type { PairedComparison, ReferenceComparison } from "./compare";
import { type GroupSketch, newShare, sketchOf } from "./group-sketch";

/**
 * Below it a folder a test set, numbered in the order in which they were opened (those of earlier programs have a digest's
 * name), and one for the frozen reference set: `set.json`, `0001.json` (counted), `0001.result.json` (what came of it),
 * `0002.json`, ...
 */
export const COMPARISONS_FOLDER = "comparisons/";

const countedSchema = z.object({
  champion: z.string(),
  challenger: z.string(),
  /** Digest of the scans. */
  testSet: z.string(),
  /** Counts from 1. */
  number: z.number().int(),
  /** What p may be at most: the comparison's own share of the budget, and what was passed on to it. */
  level: z.number().min(0).max(1),
  share: z.number().min(0).max(1),
  plan: z.number(),
  /** ISO 8601. */
  at: z.string(),
});
export type Counted = Readonly<z.infer<typeof countedSchema>>;

/** Who is compared, on which scans. */
type Pair = Pick<Counted, "champion" | "challenger" | "testSet">;

/** A folder that a test set was given. */
const NUMBERED = new RegExp(`^${COMPARISONS_FOLDER}([0-9]{4,})/$`);
/** Names the groups that a folder counts for. */
const SET = "set.json";
const setSchema = z.object({ groups: z.array(z.string()), complete: z.boolean() });
/** Numbers that people are shown: where they are not as expected, there are none. */
const numbersSchema = {
  scans: z.number().nullable().catch(null),
  groups: z.number().nullable().catch(null),
  champion: z.number().nullable().catch(null),
  challenger: z.number().nullable().catch(null),
  difference: z.object({ value: z.number(), low: z.number(), high: z.number() }).nullable().catch(null),
};
const resultSchema = z.object({
  /** What later levels depend on. */
  better: z.boolean(),
  p: z.number().nullable().default(null),
  ...numbersSchema,
  collections: z.array(z.object({ name: z.string(), regressed: z.boolean(), ...numbersSchema })).catch([]),
  reference: z
    .object({ regressed: z.boolean(), number: z.number(), ...numbersSchema })
    .nullable()
    .catch(null),
});
export type RecordedResult = Readonly<z.infer<typeof resultSchema>>;

/** A comparison that was counted, with what came of it. */
export interface LedgerEntry {
  readonly counted: Counted;
  readonly result: RecordedResult | undefined;
}

/** The share of comparison `number` in the budget: falls as number^-1.5, and all of them sum up to 1. */
export function shareOf(number: number, most: number): number {
  let sum = 0;
  for (let k = 1; k <= most; k++) sum += k ** -1.5;
  return number > most ? 0 : number ** -1.5 / sum;
}

/**
 * The comparisons against one test set, each an object that only one process can create: a killed process has counted, and
 * of two at once the second takes the next number.
 *
 * **The error that is stated.** Let comparison k have the share a_k of the budget a, the a_k summing to a, and the level
 * A_k = a_k, plus A_(k-1) where comparison k-1 was won (online fallback; Tian and Ramdas, Online control of the familywise
 * error rate, Statistical Methods in Medical Research 30, 2021). Then the chance that any challenger that is not better
 * is ever found to be better is at most a, however the comparisons depend on each other and whenever one stops:
 * take the challengers that are not better. Up to the first one that is found to be better by mistake, none of them passes
 * anything on; so the level of each is at most the sum of the shares since the one before it, a number fixed beforehand.
 * These sums do not overlap, and by the union bound the chance that one of the p-values falls below its own is at
 * most a. Looking again at the same two models after scans were added is a comparison like any other, so nothing is gained
 * by stopping when it suits.
 *
 * What it supposes: which models are compared does not depend on their answers for these scans. Training sees no test
 * scan; what leaks to whoever trains next is won or lost, a bit a comparison. A champion that won on these same scans was
 * lucky on them rather than not, which makes it harder to beat and not easier.
 *
 * **What one test set is.** Scans are added to a test set from day to day, and each day's has another digest. Comparisons
 * are counted together until more than the plan's share of its groups are new, see group-sketch.ts.
 */
export class Ledger {
  private constructor(
    private readonly store: ReadableStore,
    /** Undefined as long as the test set has none. */
    private folder: string | undefined,
    private readonly sketch: GroupSketch,
    private readonly plan: Pick<ChangePlan, "version" | "comparison">,
  ) {}

  /** The ledger of a test set: that of an earlier one, or a new one. @param groups of the test set's scans */
  static async open(
    store: ReadableStore,
    groups: readonly string[],
    plan: Pick<ChangePlan, "version" | "comparison">,
  ): Promise<Ledger> {
    const sketch = sketchOf(groups);
    return new Ledger(store, await folderOf(store, sketch, plan), sketch, plan);
  }

  /** That of the frozen reference set, which stays the same as long as the set does. @param digest names it */
  static ofReference(store: ReadableStore, digest: string, plan: Pick<ChangePlan, "version" | "comparison">): Ledger {
    return Ledger.below(store, `${COMPARISONS_FOLDER}reference-${digest.slice(0, 32)}/`, plan);
  }

  static below(store: ReadableStore, folder: string, plan: Pick<ChangePlan, "version" | "comparison">): Ledger {
    return new Ledger(store, folder, sketchOf([]), plan);
  }

  /** Every comparison so far, in the order of their numbers. */
  async entries(): Promise<readonly LedgerEntry[]> {
    if (this.folder === undefined) return [];
    const entries: LedgerEntry[] = [];
    for (let number = 1; ; number++) {
      const counted = await readChecked(this.store, this.nameOf(number), countedSchema);
      if (counted === undefined) return entries;
      entries.push({ counted, result: await readChecked(this.store, this.nameOf(number, ".result"), resultSchema) });
    }
  }

  /**
   * Counts a comparison, before anything is computed. The same two models on the same scans are one comparison, however
   * often they are compared.
   *
   * @returns undefined where the budget is spent
   */
  async count(store: CreatableStore, pair: Pair, now: Date): Promise<Counted | undefined> {
    this.folder ??= await this.opened(store);
    for (;;) {
      const entries = await this.entries();
      const known = entries.find(({ counted }) => isSame(counted, pair));
      if (known) return known.counted;
      const next = this.next(entries, pair, now);
      if (next.share <= 0) return undefined;
      if (await createOnce(store, this.nameOf(next.number), next)) return next;
    }
  }

  /** A folder for this test set: that of another process, if one has opened it meanwhile. */
  private async opened(store: CreatableStore): Promise<string> {
    for (;;) {
      // Looked for before each try: two that know of the same folders try the same number, and one of them looks again.
      const known = await foldersIn(this.store);
      const found = await folderOf(this.store, this.sketch, this.plan, known);
      if (found !== undefined) return found;
      const numbers = known.map((name) => Number(NUMBERED.exec(name)?.[1] ?? 0));
      const next = `${COMPARISONS_FOLDER}${String(Math.max(0, ...numbers) + 1).padStart(4, "0")}/`;
      if (await createOnce(store, `${next}${SET}`, this.sketch)) return next;
    }
  }

  /** What the next comparison would be, without counting it; its level is 0 where the budget is spent. */
  async preview(pair: Pair, now: Date): Promise<Counted> {
    const entries = await this.entries();
    return entries.find(({ counted }) => isSame(counted, pair))?.counted ?? this.next(entries, pair, now);
  }

  /** Puts down what came of a comparison; what is there already stays. */
  async conclude(
    store: CreatableStore,
    { number }: Counted,
    result: PairedComparison | (ReferenceComparison & { readonly better: boolean }),
  ): Promise<void> {
    await createOnce(store, this.nameOf(number, ".result"), result);
  }

  private next(entries: readonly LedgerEntry[], pair: Pair, now: Date): Counted {
    const { budget, most } = this.plan.comparison;
    const number = entries.length + 1;
    const spent = entries.reduce((sum, { counted }) => sum + counted.share, 0);
    // A plan with a smaller budget leaves no more than that.
    const share = Math.max(0, Math.min(budget * shareOf(number, most), budget - spent));
    // Made of the shares alone: a level that somebody wrote down is not believed.
    const passedOn = entries.reduce(
      (level, { counted, result }) => (result?.better ? Math.min(budget, level + counted.share) : 0),
      0,
    );
    const level = share === 0 ? 0 : Math.min(budget, share + passedOn);
    return { ...pair, number, level, share, plan: this.plan.version, at: now.toISOString() };
  }

  private nameOf(number: number, kind = ""): string {
    return `${this.folder}${String(number).padStart(4, "0")}${kind}.json`;
  }
}

/** The folder that counts for a test set; undefined where none does. @param folders default: all that there are */
async function folderOf(
  store: ReadableStore,
  sketch: GroupSketch,
  plan: Pick<ChangePlan, "version" | "comparison">,
  folders?: readonly string[],
): Promise<string | undefined> {
  let fullest: { folder: string; counted: number } | undefined;
  for (const folder of folders ?? (await foldersIn(store))) {
    const set = await readChecked(store, `${folder}${SET}`, setSchema);
    if (set === undefined || newShare(sketch, set) > plan.comparison.renewal) continue;
    const counted = (await Ledger.below(store, folder, plan).entries()).length;
    // Of several the one with the most: whoever adds an empty one wins nothing.
    if (counted > (fullest?.counted ?? -1)) fullest = { folder, counted };
  }
  return fullest?.folder;
}

/** Every comparison of a bucket, test set by test set. */
export async function comparisonsIn(store: ReadableStore, plan: Pick<ChangePlan, "version" | "comparison">) {
  const found: LedgerEntry[] = [];
  for (const folder of await foldersIn(store)) found.push(...(await Ledger.below(store, folder, plan).entries()));
  return found;
}

const isSame = (a: Counted, b: Pair) =>
  a.champion === b.champion && a.challenger === b.challenger && a.testSet === b.testSet;

async function foldersIn(store: ReadableStore): Promise<string[]> {
  const folders = new Set<string>();
  for await (const { name } of store.listAll(COMPARISONS_FOLDER))
    if (name.endsWith(`/${SET}`)) folders.add(name.slice(0, -SET.length));
  return [...folders];
}

async function readChecked<T>(store: ReadableStore, name: string, schema: z.ZodType<T>): Promise<T | undefined> {
  if (!(await store.stat(name))) return undefined;
  try {
    return schema.parse(await readJson(store, name));
  } catch (error) {
    throw new Error(
      `${store.uri}/${name} is not what counts a comparison: it was damaged, or another wrote it. Put its first generation back, or take it away if nobody compared anything.`,
      { cause: error },
    );
  }
}

/** @returns false if there is one already */
async function createOnce(store: CreatableStore, name: string, content: unknown): Promise<boolean> {
  try {
    await store.create(name, `${JSON.stringify(content, null, 2)}\n`, { contentType: "application/json" });
    return true;
  } catch (error) {
    if (error instanceof PreconditionFailedError) return false;
    throw error;
  }
}
