import { currentImages, type LearningOptions, labelsOfFeedback } from "../dataset";
import { isLabel } from "../intake";
import { DAY_MS } from "../platform/day";
import type { ReadableStore } from "../platform/stores";
import { MONITORED_DAYS, type Warehouse } from "../platform/warehouse";
import { currentModel } from "../registry";
import type { Trigger } from "./contract";
import { type KnownRun, outcomeOf, readRun, runNames } from "./state";

export interface TriggerRules {
  /** Days after the last retraining; 0: never. */
  readonly everyDays: number;
  /** Labelled scans that are new since the last retraining; 0: never. */
  readonly newScans: number;
  readonly onAlarm: boolean;
  /** Labels that feedback has agreed on and no scan has yet count as new ones where they may be learnt from. */
  readonly feedback: Pick<LearningOptions, "consent" | "samePerson">;
}

/** Whether a trigger would start a retraining now, and why, as a sentence. */
export interface TriggerState {
  readonly trigger: Exclude<Trigger, "person">;
  readonly fires: boolean;
  readonly reason: string;
}

export interface TriggerContext {
  readonly warehouse: Warehouse;
  readonly models: ReadableStore;
  readonly reports: ReadableStore;
}

/**
 * Which triggers would start a retraining now. Each counts from when the last one began, or before the first one from when
 * the current model was promoted; new labelled scans count from when its snapshot was taken, for what feedback landed in its
 * first step was learnt from.
 */
export async function checkTriggers(
  { warehouse, models, reports }: TriggerContext,
  rules: TriggerRules,
  now: Date,
): Promise<readonly TriggerState[]> {
  const current = await currentModel(models);
  const last = await lastRun(reports);
  const since = last?.begin.at ?? current?.promotedAt;
  if (since === undefined) {
    const reason = "There is no model yet, so nothing is retrained: npm run train makes the first one.";
    return TRIGGER_NAMES.map((trigger) => ({ trigger, fires: false, reason }));
  }
  const known = last?.steps.get("snapshot")?.at ?? since;
  const isNew = (at: string) => Date.parse(at) > Date.parse(known);
  const scans = (await currentImages(warehouse)).filter(({ label }) => isLabel(label));
  const pictures = new Set(scans.map(({ sha256 }) => sha256));
  const { feedback } = rules;
  const { agreed } = feedback.consent ? await labelsOfFeedback(warehouse, now, feedback.samePerson) : { agreed: [] };
  const fresh =
    scans.filter(({ ingested_at }) => isNew(ingested_at)).length +
    agreed.filter((label) => isNew(label.since) && !pictures.has(label.sha256)).length;
  const model = current?.model;
  const alarms = rules.onAlarm && model !== undefined ? await alarmsOf(warehouse, model, since, last?.begin, now) : [];
  return triggersOf({ since, fresh, model, alarms }, rules, now);
}

const TRIGGER_NAMES = ["schedule", "labels", "alarm"] as const;

/** What the rule of the triggers goes by. */
export interface TriggerFacts {
  /** When the last retraining began, or before the first one when the current model was promoted; ISO 8601. */
  readonly since: string;
  /** Labelled scans that have come since the last snapshot. */
  readonly fresh: number;
  /** The current one. */
  readonly model: string | undefined;
  /** Over the current model, from {@link SAME_CHANGE_DAYS} days before then on, in the order of their days. */
  readonly alarms: readonly KnownAlarm[];
}

export interface KnownAlarm {
  /** The watch. */
  readonly part: string | null;
  /** YYYY-MM-DD */
  readonly day: string;
  /** Whether it rang after the last retraining began. */
  readonly isNew: boolean;
}

/**
 * A strong change goes on ringing, day after day, until the watch has seen enough of it. A retraining a day would learn a
 * day's labels and spend the comparisons that the change plan allows: so long after a watch rang before a retraining, its
 * alarms are the same change, which that retraining has met, and what has been learnt of it since retrains by `labels`.
 */
const SAME_CHANGE_DAYS = 30;

const isSameChange = (alarm: KnownAlarm, earlier: KnownAlarm) =>
  !earlier.isNew &&
  earlier.part === alarm.part &&
  Date.parse(alarm.day) - Date.parse(earlier.day) <= SAME_CHANGE_DAYS * DAY_MS;

/** The rule: which triggers would start a retraining now, by what is known. */
export function triggersOf(
  { since, fresh, model, alarms }: TriggerFacts,
  { everyDays, newScans, onAlarm }: Omit<TriggerRules, "feedback">,
  now: Date,
): readonly TriggerState[] {
  const off = (trigger: TriggerState["trigger"]): TriggerState => ({
    trigger,
    fires: false,
    reason: "It is switched off.",
  });
  const day = since.slice(0, 10);
  const days = Math.floor((now.getTime() - Date.parse(since)) / DAY_MS);
  const schedule: TriggerState = {
    trigger: "schedule",
    fires: days >= everyDays,
    reason: `${days} of ${everyDays} days have passed since ${day}.`,
  };
  const labels: TriggerState = {
    trigger: "labels",
    fires: fresh >= newScans,
    reason: `${fresh} of ${newScans} labelled scans have come since ${day}.`,
  };
  const rung = alarms.filter(({ isNew }) => isNew);
  const fresher = rung.find((alarm) => !alarms.some((earlier) => isSameChange(alarm, earlier)));
  const alarm: TriggerState = {
    trigger: "alarm",
    fires: fresher !== undefined,
    reason: fresher
      ? `${rang(fresher)}, after ${day}.`
      : rung[0]
        ? `${rang(rung[0])}, and had rung before ${day}, within ${SAME_CHANGE_DAYS} days: taken for the same change, which was retrained for.`
        : `No watch over ${model ?? "a model"} has rung since ${day}.`,
  };
  return [
    everyDays > 0 ? schedule : off("schedule"),
    newScans > 0 ? labels : off("labels"),
    onAlarm ? alarm : off("alarm"),
  ];
}

const rang = ({ part, day }: Pick<KnownAlarm, "part" | "day">) =>
  `The watch over ${part ?? "the answers"} rang on ${day}`;

/** @param begin of the last retraining; undefined where there was none yet, which could have met a change */
async function alarmsOf(
  warehouse: Warehouse,
  model: string,
  since: string,
  begin: KnownRun["begin"] | undefined,
  now: Date,
): Promise<readonly KnownAlarm[]> {
  const begun = since.slice(0, 10);
  const from = new Date(Date.parse(begun) - SAME_CHANGE_DAYS * DAY_MS).toISOString().slice(0, 10);
  const rows = await warehouse.ask(MONITORED_DAYS, { model, from, to: now.toISOString().slice(0, 10) });
  return rows
    .filter(({ name }) => name === "alarm")
    .flatMap(({ part, day, computed_at }): KnownAlarm[] => {
      // A day is told of again whenever its rows change: it may be the very alarm that the retraining was begun for.
      const begunFor = begin?.trigger === "alarm" && begin.reason.startsWith(rang({ part, day }));
      const toldBefore = begunFor || Date.parse(computed_at) <= Date.parse(since);
      if (day > begun || (day === begun && !toldBefore)) return [{ part, day, isNew: true }];
      // Of an earlier day and told of since then: no retraining has met it.
      return begin && toldBefore ? [{ part, day, isNew: false }] : [];
    });
}

/** The last retraining that came to an end and was not given up. */
async function lastRun(reports: ReadableStore): Promise<KnownRun | undefined> {
  for (const run of await runNames(reports)) {
    const known = await readRun(reports, run);
    const outcome = outcomeOf(known);
    if (outcome !== undefined && outcome !== "given-up") return known;
  }
  return undefined;
}
