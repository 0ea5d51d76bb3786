import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import type { ScoredScan } from "../evaluate";
import type { Label } from "../intake";
import { ConfigurationError, listed } from "../platform/config";
import { openStore } from "../platform/stores";
import type { ChangePlan } from "./change-plan";
import { comparePaired } from "./compare";
import { type Decision, spent, verdictOn } from "./decide";
import { Ledger } from "./ledger";

const REQUIRED = ["id", "group", "label", "champion"] as const;
const CHALLENGER = /^challenger/;
const MOST_BYTES = 256 * 2 ** 20;
const LABELS: Readonly<Record<string, Label>> = {
  cancer: "Cancer",
  "1": "Cancer",
  "non-cancer": "Non-Cancer",
  "0": "Non-Cancer",
};

/** A file of scores, read. */
interface ScoresFile {
  readonly champion: readonly ScoredScan[];
  readonly challengers: ReadonlyMap<string, readonly ScoredScan[]>;
}

/** What the rule says of a challenger in a file. */
export interface FileComparison extends Decision {
  readonly file: string;
  /** The column. */
  readonly challenger: string;
}

/**
 * Compares the challengers of CSV files with their champions by the change plan, in the order of the files and columns, and
 * counts each against its test set: files of the same scans have the same one. The same answers for the same scans are one
 * comparison.
 *
 * Columns: `id`, `group`, `label` (Cancer or Non-Cancer, or 1 or 0), `champion`, and one or more that begin with
 * `challenger`; `collection` where there are several. A score is any number that rises with the evidence for Cancer; only
 * the order of each model's counts. Empty: the model refused the scan.
 *
 * @param counts where comparisons are counted: a folder, or `gs://BUCKET`. Default: of these files alone
 * @throws {ConfigurationError} with everything that is wrong with the files
 */
export async function compareFiles(
  files: readonly string[],
  plan: ChangePlan,
  counts?: string,
): Promise<readonly FileComparison[]> {
  const read: (readonly [string, ScoresFile])[] = [];
  const problems: string[] = [];
  for (const file of files)
    await readScores(file).then(
      (scores) => read.push([file, scores]),
      (error: unknown) => {
        if (!(error instanceof ConfigurationError)) throw error;
        problems.push(...error.problems.map((problem) => `${file}: ${problem}`));
      },
    );
  if (problems.length > 0) throw new ConfigurationError("The scores", problems);
  const temporary = counts === undefined ? await mkdtemp(join(tmpdir(), "comparisons-")) : undefined;
  try {
    const store = await openStore(counts ?? (temporary as string));
    const found: FileComparison[] = [];
    for (const [file, { champion, challengers }] of read) {
      const testSet = digest(champion.map(({ probability: _, ...scan }) => scan));
      const ledger = await Ledger.open(
        store,
        champion.map(({ group }) => group),
        plan,
      );
      for (const [challenger, scans] of challengers) {
        const pair = { champion: digest(champion), challenger: digest(scans), testSet };
        const counted = await ledger.count(store, pair, new Date());
        if (!counted) {
          found.push({ file, challenger, ...spent(challenger, undefined, plan) });
          continue;
        }
        const comparison = comparePaired(champion, scans, plan.comparison, counted.level);
        await ledger.conclude(store, counted, comparison);
        found.push({
          ...{ file, challenger, comparison, counted },
          ...verdictOn(comparison, challenger, undefined, counted, plan),
        });
      }
    }
    return found;
  } finally {
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
  }
}

/** Of scans in whatever order. */
function digest(scans: readonly { readonly id: string }[]): string {
  const rows = scans.map((scan) => JSON.stringify(scan)).sort();
  return createHash("sha256").update(rows.join("\n")).digest("hex");
}

async function readScores(file: string): Promise<ScoresFile> {
  const refuse = (...problems: readonly string[]): never => {
    throw new ConfigurationError("The scores", problems);
  };
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile()) return refuse("there is no such file.");
  if (found.size > MOST_BYTES) return refuse(`it has ${Math.ceil(found.size / 2 ** 20)} MiB; at most 256 are read.`);
  let rows: Record<string, string>[];
  try {
    rows = parse(await readFile(file), { columns: true, bom: true, trim: true, skip_empty_lines: true });
  } catch (error) {
    return refuse(`it is no CSV table: ${(error as Error).message}`);
  }
  const columns = Object.keys(rows[0] ?? {});
  const challengers = columns.filter((column) => CHALLENGER.test(column));
  if (rows.length === 0) return refuse("it has no row.");
  const missing = REQUIRED.filter((column) => !columns.includes(column));
  if (missing.length > 0 || challengers.length === 0)
    return refuse(
      `column ${[...missing, ...(challengers.length === 0 ? ["challenger"] : [])].join(", ")} is missing; there are ${columns.join(", ")}.`,
    );
  const problems: string[] = [];
  const seen = new Set<string>();
  const scans = rows.map(({ id = "", group = "", collection = "", label = "" }, i) => {
    const say = (sentence: string) => problems.push(`row ${i + 2}: ${sentence}`);
    if (id === "" || group === "") say("id or group is empty.");
    if (seen.has(id)) say(`id ${id} is there twice.`);
    seen.add(id);
    const known = LABELS[label.toLowerCase()];
    if (!known) say(`label is "${label}"; it must be Cancer or Non-Cancer, or 1 or 0.`);
    return { id, group, collection, label: known ?? "Cancer" };
  });
  const answersOf = (column: string): ScoredScan[] => {
    const scores = rows.map((row, i) => {
      const text = row[column] ?? "";
      const score = Number(text);
      if (text !== "" && !Number.isFinite(score))
        problems.push(`row ${i + 2}: ${column} is "${text}", which is no number.`);
      return text === "" ? null : score;
    });
    const ranks = ranked(scores);
    return scans.map((scan, i) => ({ ...scan, probability: ranks[i] ?? null }));
  };
  const champion = answersOf("champion");
  const answers = new Map(challengers.map((column) => [column, answersOf(column)]));
  if (problems.length > 0) return refuse(...listed(problems));
  return { champion, challengers: answers };
}

/** Scores as numbers between 0 and 1 in the same order: probabilities as they are. */
function ranked(scores: readonly (number | null)[]): readonly (number | null)[] {
  const given = scores.filter((score) => score !== null);
  if (given.every((score) => score >= 0 && score <= 1)) return scores;
  const order = [...new Set(given)].sort((a, b) => a - b);
  const places = new Map(order.map((score, i) => [score, i / order.length]));
  return scores.map((score) => (score === null ? null : (places.get(score) as number)));
}
