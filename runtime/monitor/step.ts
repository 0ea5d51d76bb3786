import { isLabel } from "../intake";
import { logOddsOf, modelFilesInStore, readMetadata } from "../model";
import type { Progress } from "../platform/progress";
import { mixSeed } from "../platform/random";
import type { ReadableStore } from "../platform/stores";
import {
  DEEP_FEATURES,
  MODEL_ANSWERS,
  MONITORED_DAYS,
  PAGES_BY_DAY,
  QUARANTINED_BY_DAY,
  REFUSED_BY_DAY,
  STANDING_FEEDBACK,
  type Warehouse,
} from "../platform/warehouse";
import { currentModel } from "../registry";
import { daysBetween, laterDay } from "./days";
import { calibrationGap } from "./estimate";
import { FeatureSpread } from "./feature-spread";
import { isHeldOut, type OwnScan, ownScans } from "./held-out";
import { measured } from "./measured";
import { type ConfirmedAnswer, type DayRow, type LiveAnswer, type MonitoredLife, rowsOfDay } from "./report";
import { type Signal, signalsOf } from "./signals";
import { INPUT_STATISTICS, Watch, type WatchedDay, type WatchedScan } from "./watch";

export interface MonitorContext {
  readonly buckets: {
    readonly curated: ReadableStore;
    readonly models: ReadableStore;
  };
  readonly warehouse: Warehouse;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** There is no model, or nothing that its answers could be compared with. */
export class NothingToMonitorError extends Error {}

export interface MonitoredDays {
  readonly from: string;
  readonly to: string;
  readonly now: Date;
  /** Is told what no earlier run has stored of these days. @default nobody */
  readonly tell?: (signal: Signal) => void;
}

/** What monitoring found, a row a number. */
export interface Monitored {
  readonly model: string;
  readonly from: string;
  readonly to: string;
  /** Held-out scans that live ones are compared with. */
  readonly reference: number;
  readonly rows: readonly DayRow[];
  /** Days whose rows were not stored yet, or otherwise. */
  readonly changed: number;
}

/**
 * Watches everything that the current model answered, from its first day on, and stores what is told of the days from
 * `from` to `to`: rows of `monitoring`. What it finds follows from the
 * stored rows alone, so that a second run finds the same.
 *
 * @throws {NothingToMonitorError}
 */
export async function monitorDays(
  { buckets, warehouse, progress, signal }: MonitorContext,
  { from, to, now, tell }: MonitoredDays,
): Promise<Monitored> {
  const current = await currentModel(buckets.models);
  if (!current)
    throw new NothingToMonitorError("There is no model here yet. Run npm run train on this workspace first.");
  const { model, promotedAt } = current;
  const { threshold, recipe } = await readMetadata(modelFilesInStore(buckets.models, model));
  const own = new Map<string, OwnScan>();
  const origins = new Origins();
  for (const scan of await ownScans(warehouse, promotedAt)) {
    own.set(scan.sha256, scan);
    if (scan.split === "train") origins.add(scan);
  }
  const before = laterDay(to, 1);
  const answered = await warehouse.ask(MODEL_ANSWERS, { model, before });
  const held = answered.filter(({ sha256 }) => isHeldOut(own.get(sha256)?.split));
  const live = answered.filter(({ sha256 }) => !own.has(sha256));
  const statistics = await measured(
    new Set([...held, ...live].map(({ sha256 }) => sha256)),
    { warehouse, curated: buckets.curated, progress, signal },
    now,
  );
  const features = new Map<string, readonly number[]>();
  for (const row of await warehouse.ask(DEEP_FEATURES, { recipe, backbone: model }))
    features.set(row.sha256, row.features);
  const learnt = [...own].filter(([, { split }]) => split === "train").map(([sha256]) => features.get(sha256));
  const spread = spreadOf(learnt.filter((row) => row !== undefined));
  const watchedOf = (answer: (typeof answered)[number]): WatchedScan => ({
    name: answer.request,
    group: own.get(answer.sha256)?.group ?? answer.group ?? undefined,
    probability: answer.probability,
    input: inputOf({
      ...statistics.get(answer.sha256),
      ...spread?.statistics(features.get(answer.sha256)),
      origin: origins.rarity(answer),
    }),
  });
  const known = new Set<string>();
  const reference = held
    .filter(({ sha256 }) => !known.has(sha256) && known.add(sha256))
    .map((answer) => ({ ...watchedOf(answer), label: (own.get(answer.sha256) as OwnScan).label }));
  if (reference.length === 0)
    throw new NothingToMonitorError(
      `The answers of ${model} for the validation and test scans are not stored, so there is nothing to compare with. ` +
        "Run npm run score on this workspace first.",
    );
  const days = daysBetween([live[0]?.day ?? from, from].sort()[0] as string, to);
  const answers: readonly LiveAnswer[] = live.map((row) => ({
    ...{ request: row.request, day: row.day, probability: row.probability, decision: row.decision },
    ...{ id: row.who === null ? null : row.id, sha256: row.sha256, milliseconds: row.milliseconds },
    parts: { scanner: row.scanner, view: row.view, subtype: row.subtype, collection: row.collection },
  }));
  const byRequest = new Map(answers.map((answer) => [answer.request, answer]));
  const confirmed = agreed(await warehouse.ask(STANDING_FEEDBACK, { before }), byRequest);
  const watch = new Watch({ scans: reference }, mixSeed(...Buffer.from(model)));
  const watched = new Map<string, WatchedDay>();
  days.forEach((day, number) => {
    const scans = live.filter((answer) => answer.day === day).map(watchedOf);
    watched.set(
      day,
      watch.day(
        number,
        scans,
        confirmed.filter((one) => one.day === day),
      ),
    );
  });
  const life: MonitoredLife = {
    ...{ answers, confirmed, watched, days, threshold },
    pages: await warehouse.ask(PAGES_BY_DAY, { before }),
    quarantined: await warehouse.ask(QUARANTINED_BY_DAY, { before }),
    refused: await warehouse.ask(REFUSED_BY_DAY, { before }),
    gap: calibrationGap(reference, threshold),
    reference: reference.map(({ probability }) => logOddsOf(probability)),
  };
  const told = daysBetween(from, to).map((day) => rowsOfDay(day, life));
  const changed = await store(warehouse, model, told, { from, to, now, ...(tell ? { tell } : {}) });
  return { model, from, to, reference: reference.length, rows: told.flat(), changed };
}

/** What DICOM or the manifest told of how a scan was made. */
type Origin = Readonly<Record<"scanner" | "sequence" | "view", string | null>>;

/** How often training scans come from where a scan comes from: by scanner, sequence and view together. */
class Origins {
  private readonly counts = new Map<string, number>();

  private all = 0;

  add(origin: Origin): void {
    const name = nameOf(origin);
    if (name === null) return;
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    this.all++;
  }

  /** Negative logarithm of the share of training scans of that origin; null where nothing of either is known. */
  rarity(origin: Origin): number | null {
    const name = nameOf(origin);
    if (name === null || this.all === 0) return null;
    return -Math.log(((this.counts.get(name) ?? 0) + 0.5) / (this.all + 1));
  }
}

const nameOf = ({ scanner, sequence, view }: Origin) =>
  [scanner, sequence, view].every((fact) => fact === null) ? null : JSON.stringify([scanner, sequence, view]);

const spreadOf = (rows: readonly (readonly number[])[]) => (rows.length > 0 ? FeatureSpread.of(rows) : undefined);

function inputOf(known: Readonly<Partial<Record<string, number | null>>>): readonly (number | null)[] {
  return INPUT_STATISTICS.map((name) => known[name] ?? null);
}

/** What people say of live answers, of each answer once, on the day of the last word; nothing where they disagree. */
function agreed(
  said: readonly { readonly request: string; readonly label: string; readonly day: string }[],
  answers: ReadonlyMap<string, LiveAnswer>,
): readonly ConfirmedAnswer[] {
  const labels = new Map<string, { label: string; day: string; disputed: boolean }>();
  for (const { request, label, day } of said) {
    const earlier = labels.get(request);
    labels.set(request, { label, day, disputed: earlier?.disputed === true || (earlier?.label ?? label) !== label });
  }
  const confirmed: ConfirmedAnswer[] = [];
  for (const [request, { label, day, disputed }] of labels) {
    const answer = answers.get(request);
    if (answer && !disputed && isLabel(label))
      confirmed.push({ name: request, probability: answer.probability, parts: answer.parts, label, day });
  }
  return confirmed;
}

/** Adds the rows of days that are not stored as they are. @returns how many days these are */
async function store(
  warehouse: Warehouse,
  model: string,
  told: readonly (readonly DayRow[])[],
  { from, to, now, tell }: MonitoredDays,
): Promise<number> {
  const stored = await warehouse.ask(MONITORED_DAYS, { model, from, to });
  let changed = 0;
  for (const rows of told) {
    const day = rows[0]?.day;
    if (day === undefined) continue;
    const before = stored.filter((row) => row.day === day);
    if (contentOf(before) === contentOf(rows)) continue;
    const known = new Set(signalsOf(before).map(({ name }) => name));
    // Before the rows are there: a run that is killed in between is told of twice rather than never.
    for (const signal of signalsOf(rows)) if (!known.has(signal.name)) tell?.(signal);
    changed++;
    const revision = (before[0]?.revision ?? 0) + 1;
    const computed_at = now.toISOString();
    await warehouse.append(
      "monitoring",
      `${model}/${day}/${revision}`,
      rows.map((row) => ({ model, ...row, revision, computed_at })),
    );
  }
  return changed;
}

/** The same for the same rows, in whatever order. */
const contentOf = (rows: readonly DayRow[]) =>
  rows
    .map(({ day, name, part, value, low, high, scans, detail }) =>
      JSON.stringify([day, name, part, value, low, high, scans, detail]),
    )
    .sort()
    .join("\n");
