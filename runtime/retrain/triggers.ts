import { currentImages, type LearningOptions, labelsOfFeedback } from "../dataset";
import { LABELS } from "../intake";
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
  const isLabelled = (label: string | null) => LABELS.some((one) => one === label);
  const known = last?.steps.get("snapshot")?.at ?? since;
  const isNew = (at: string) => Date.parse(at) > Date.parse(known);
  const scans = (await currentImages(warehouse)).filter(({ label }) => isLabelled(label));
  const pictures = new Set(scans.map(({ sha256 }) => sha256));
  const { feedback } = rules;
  const { agreed } = feedback.consent ? await labelsOfFeedback(warehouse, now, feedback.samePerson) : { agreed: [] };
  const fresh =
    scans.filter(({ ingested_at }) => isNew(ingested_at)).length +
    agreed.filter((label) => isNew(label.since) && !pictures.has(label.sha256)).length;
  const model = current?.model;
  const alarm = rules.onAlarm ? await alarmSince(warehouse, model, since, now) : undefined;
  return triggersOf({ since, fresh, model, alarm }, rules, now);
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
  /** The first alarm over the current model since then; `day`: YYYY-MM-DD. */
  readonly alarm: { readonly part: string | null; readonly day: string } | undefined;
}

/** The rule: which triggers would start a retraining now, by what is known. */
export function triggersOf(
  { since, fresh, model, alarm }: TriggerFacts,
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
  const rung: TriggerState = {
    trigger: "alarm",
    fires: alarm !== undefined,
    reason: alarm
      ? `The watch over ${alarm.part ?? "the answers"} rang on ${alarm.day}, after ${day}.`
      : `No watch over ${model ?? "a model"} has rung since ${day}.`,
  };
  return [
    everyDays > 0 ? schedule : off("schedule"),
    newScans > 0 ? labels : off("labels"),
    onAlarm ? rung : off("alarm"),
  ];
}

async function alarmSince(
  warehouse: Warehouse,
  model: string | undefined,
  since: string,
  now: Date,
): Promise<TriggerFacts["alarm"]> {
  if (model === undefined) return undefined;
  const from = since.slice(0, 10);
  const rows = await warehouse.ask(MONITORED_DAYS, { model, from, to: now.toISOString().slice(0, 10) });
  // A day is told of again whenever its rows change: an alarm of the first day may be older than the last retraining.
  return rows.find(
    ({ name, day, computed_at }) => name === "alarm" && (day > from || Date.parse(computed_at) > Date.parse(since)),
  );
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
