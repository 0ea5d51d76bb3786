import { evaluationPrefix } from "../evaluate";
import type { ReadableStore } from "../platform/stores";
import { historyOf, type Move } from "../registry";
import { changePlan } from "./change-plan";
import { pText } from "./compare";
import { comparisonsIn, type LedgerEntry, type RecordedResult } from "./ledger";
import { bullets, plain, table } from "./markdown";

/** A time during which a model was the current one. */
export interface Reign {
  /** ISO 8601; null where an earlier program kept no record. */
  readonly since: string | null;
  /** Of which model it took the place; null of the first. */
  readonly previous: string | null;
  /** Why, as a sentence. */
  readonly reason: string | null;
  /** What took its place, when and why; null where it is still current. */
  readonly next: Pick<Move, "model" | "reason" | "promotedAt"> | null;
}

/** What became of a model: when it answered, what decided that, and what it was compared with. */
export interface ModelHistory {
  readonly id: string;
  /** The oldest first. */
  readonly reigns: readonly Reign[];
  /** Those that it took part in, on either side. */
  readonly comparisons: readonly LedgerEntry[];
}

/** Of every model that ever answered, the oldest first. */
export function reignsOf(moves: readonly Move[]): ReadonlyMap<string, readonly Reign[]> {
  const reigns = new Map<string, Reign[]>();
  const add = (model: string, reign: Reign) => reigns.set(model, [...(reigns.get(model) ?? []), reign]);
  moves.forEach(({ model, previous, reason, promotedAt }, i) => {
    // What was before the first move that is known, or between two: nothing is known of it but that it answered.
    const before = moves[i - 1]?.model ?? null;
    if (previous !== null && previous !== before)
      add(previous, { since: null, previous: null, reason: null, next: { model, reason, promotedAt } });
    const next = moves[i + 1] ?? null;
    add(model, { since: promotedAt, previous, reason, next });
  });
  return reigns;
}

/** What became of one model. */
async function modelHistory(models: ReadableStore, id: string): Promise<ModelHistory> {
  const comparisons = await comparisonsIn(models, changePlan());
  return {
    id,
    reigns: reignsOf(await historyOf(models)).get(id) ?? [],
    comparisons: comparisons.filter(({ counted: { champion, challenger } }) => [champion, challenger].includes(id)),
  };
}

/** The history for people, as a section of a model card. */
function renderHistory({ id, reigns, comparisons }: ModelHistory): string {
  const lines = [
    "## History",
    reigns.length === 0 ? `${plain(id)} has never been the current model.` : bullets(reigns.map(describeReign)),
    "### Compared with others, scan by scan",
    comparisonTable(comparisons),
  ];
  return `${lines.join("\n\n")}\n`;
}

/** The card of a model as its evaluation wrote it, with what became of the model since; null where it has none. */
export async function modelCard(models: ReadableStore, reports: ReadableStore, id: string): Promise<string | null> {
  const name = `${evaluationPrefix(id)}model-card.md`;
  if (!(await reports.stat(name))) return null;
  const [card, history] = [(await reports.read(name)).toString("utf8"), await modelHistory(models, id)];
  return `${card.trimEnd()}\n\n${renderHistory(history)}`;
}

function describeReign({ since, previous, reason, next }: Reign): string {
  const after = previous === null ? "" : `, after ${previous}`;
  const began =
    since === null
      ? "Was current, since when and why was not kept."
      : `Current since ${since}${after}: ${reason ?? "why was not kept."}`;
  const ended = next === null ? "" : ` Until ${next.promotedAt}, when ${next.model} took its place: ${next.reason}`;
  return plain(`${began}${ended}`);
}

/** Comparisons that were counted, with their numbers. */
export function comparisonTable(comparisons: readonly LedgerEntry[]): string {
  return table(
    [
      ...["at", "champion", "challenger", "number", "scans, groups", "AUC of the challenger, the champion"],
      ...["difference (95 %)", "p", "at most", "shown to be better", "worse in", "on the reference set"],
    ],
    comparisons.map(({ counted, result }) => [
      ...[counted.at, counted.champion, counted.challenger, String(counted.number)],
      result?.scans == null ? "" : `${result.scans}, ${result.groups}`,
      result ? `${auc(result.challenger)}, ${auc(result.champion)}` : "",
      difference(result),
      result?.p == null ? "" : pText(result.p),
      pText(counted.level),
      result === undefined ? "no result" : result.better ? "yes" : "no",
      (result?.collections ?? []).flatMap(({ name, regressed }) => (regressed ? [name] : [])).join(", "),
      result?.reference
        ? `${result.reference.regressed ? "may be worse" : "not worse"}, ${difference(result.reference)}`
        : "",
    ]),
  );
}

const auc = (value: number | null) => value?.toFixed(4) ?? "none";

function difference(result: Pick<RecordedResult, "difference"> | undefined): string {
  if (!result?.difference) return "";
  const { value, low, high } = result.difference;
  return `${value.toFixed(4)} (${low.toFixed(4)} to ${high.toFixed(4)})`;
}
