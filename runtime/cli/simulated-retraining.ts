import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readEvaluation } from "../evaluate";
import { METADATA_FILE, NOT_EVALUATED, type Verdict } from "../model";
import type { Promotions, Retraining } from "../monitor";
import { ConfigurationError } from "../platform/config";
import { DAY_MS } from "../platform/day";
import { type CreatableStore, openStore, type ReadableStore } from "../platform/stores";
import type { Workspace } from "../platform/workspace";
import {
  changePlan,
  comparePaired,
  considerPromotion,
  type Reference,
  type ReferenceScan,
  readReference,
  registerReference,
} from "../promotion";
import { currentModel, setCurrent } from "../registry";
import { type TriggerRules, triggersOf } from "../retrain";
import { requireModels } from "./models";

/** Day 0 of a simulated life: any day, since only differences count. */
const FIRST_DAY = Date.UTC(2000, 0, 1);
/** Midnight, UTC, at which a simulated day begins. */
const beginOf = (day: number) => new Date(FIRST_DAY + day * DAY_MS);

/**
 * How simulated hospitals retrain: by the rule of the triggers, and by that of promotion under this program's change plan.
 * Nothing is trained: a retraining brings one of these models as it is. What promotion moves and counts lies in a folder of
 * its own for each life; the workspace stays as it is.
 *
 * @param challengers ids of models of the workspace
 * @throws {ConfigurationError} if one is not there, is named twice, or serves already
 */
export async function simulatedRetraining(
  { buckets: { models, reports } }: Pick<Workspace, "buckets">,
  challengers: readonly string[],
  rules: Pick<TriggerRules, "everyDays" | "newScans">,
): Promise<Retraining> {
  await requireModels(models, ...challengers);
  const current = await currentModel(models);
  const problems = [
    ...challengers.filter((id, i) => challengers.indexOf(id) !== i).map((id) => `${id} is named twice.`),
    ...challengers
      .filter((id) => id === current?.model)
      .map((id) => `${id} is the current model: it challenges nobody.`),
  ];
  if (problems.length > 0) throw new ConfigurationError("--challenger", problems);
  const verdicts = new Map<string, Verdict>();
  const metadata = new Map<string, Buffer>();
  for (const id of [...challengers, ...(current ? [current.model] : [])]) {
    const evaluation = await readEvaluation(reports, id);
    verdicts.set(id, (id === current?.model ? current.verdict : evaluation?.verdict) ?? NOT_EVALUATED);
    metadata.set(id, await models.read(`${id}/${METADATA_FILE}`));
  }
  return {
    challengers,
    due: ({ day, since, fresh, model, alarms }) =>
      triggersOf(
        {
          ...{ since: beginOf(since + 1).toISOString(), fresh, model },
          alarms: alarms.map(({ watch, day: rung }) => ({
            ...{ part: watch, isNew: rung > since },
            day: beginOf(rung).toISOString().slice(0, 10),
          })),
        },
        { ...rules, onAlarm: true },
        beginOf(day + 1),
      ).find(({ fires }) => fires),
    hospital: (champion) => openHospital(champion, verdicts, metadata),
  };
}

async function openHospital(
  first: string,
  verdicts: ReadonlyMap<string, Verdict>,
  metadata: ReadonlyMap<string, Buffer>,
): Promise<Promotions> {
  const folder = await mkdtemp(join(tmpdir(), "simulated-hospital-"));
  const models = await openStore(join(folder, "models"));
  const reports = await openStore(join(folder, "reports"));
  const verdictOf = (id: string) => verdicts.get(id) ?? NOT_EVALUATED;
  for (const [id, content] of metadata) await models.write(`${id}/${METADATA_FILE}`, content);
  const reason = "It serves on the first day.";
  await setCurrent(models, { model: first, reason, verdict: verdictOf(first) }, undefined, beginOf(0));
  return {
    async consider({ day, challenger, champion, models: ids }) {
      const testSet = digestOf(challenger);
      const { challenger: mine, champion: its } = comparePaired(champion, challenger, changePlan().comparison, 1);
      const contender = (model: string, scans: typeof challenger, auc: number | null) => ({
        ...{ model, testSet, auc, scans },
        verdict: verdictOf(model),
      });
      const now = beginOf(day + 1);
      const { promoted, reason, clause } = await considerPromotion({
        models,
        challenger: contender(ids.challenger, challenger, mine),
        measure: async (id) => contender(id, champion, its),
        reference: await registered(reports, challenger, now),
        asker: "program",
        now,
      });
      return { promoted, reason, ...(clause === undefined ? {} : { clause }) };
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

/** What is tested on when a hospital retrains for the first time, as a hospital registers it; of the pictures only ids are known. */
async function registered(
  reports: ReadableStore & CreatableStore,
  scans: readonly Pick<ReferenceScan, "id" | "group" | "label">[],
  now: Date,
): Promise<Reference | undefined> {
  const known = await readReference(reports);
  if (known || scans.length === 0) return known;
  return registerReference(
    reports,
    scans.map(({ id, group, label }) => ({ id, group, label, sha256: id })),
    now,
  );
}

/** Names a test set: the same whichever model answers. */
const digestOf = (scans: readonly { readonly id: string; readonly label: string }[]): string =>
  createHash("sha256")
    .update(scans.map(({ id, label }) => `${id} ${label}`).join("\n"))
    .digest("hex");
