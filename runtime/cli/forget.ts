import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { FORGOTTEN } from "../audit";
import {
  type Forgotten,
  type Found,
  find,
  forget,
  type HospitalName,
  landedAs,
  markOf,
  openHospital,
  type Place,
  type Wanted,
} from "../forget";
import { LOCAL_PSEUDONYM_KEY, openIdentities } from "../intake";
import { occupying } from "../platform/occupancy";
import { openWorkspace } from "../platform/workspace";
import { isOver, readRun, runNames, snapshotIds, workedOnUntil } from "../retrain";
import { interruptible } from "./command-line";

/**
 * Forgets, or says what would be forgotten.
 *
 * @returns what to print
 */
export async function runForget(
  place: string | HospitalName,
  given: Wanted,
  { yes, json }: { readonly yes: boolean; readonly json: boolean },
): Promise<string> {
  const interruption = interruptible();
  const directory = typeof place === "string" ? resolve(place) : undefined;
  const workspace = await (typeof place === "string" ? openWorkspace(place) : openHospital(place, interruption.signal));
  try {
    const identities = await openIdentities(process.env.PSEUDONYM_KEY ?? LOCAL_PSEUDONYM_KEY);
    const { signal } = interruption;
    const work = async () => {
      const wanted = await landedAs(workspace, given);
      const found = await find(workspace, wanted, identities);
      const mark = await markOf(wanted, identities);
      const before = await earlier(workspace, mark);
      // Looked for first: what a run has written down of it goes too.
      const retraining = await retrainingWith(workspace, directory, found.ids);
      const asked = { wanted, identities, mark, dry: !yes, now: new Date(), signal };
      const done = await forget(workspace, found, asked);
      const isKnown = [done.objects, done.rows].some((counts) => Object.keys(counts).length > 0);
      if (!isKnown && before.length === 0) throw nothingOf(given);
      const name = "source" in wanted && wanted !== given ? wanted.source : undefined;
      if (json)
        return `${JSON.stringify({ yes, ...(name ? { name } : {}), ...done, models: found.models, retraining: retraining ?? null, before })}\n`;
      const renamed = name ? `It is called ${name} below landing, by which the same command finds it too.\n` : "";
      return (
        renamed +
        told(found, done, yes, before) +
        (retraining ? toldOfRetraining(retraining, directory) : "") +
        (typeof place === "string" ? "" : ofAHospital(place))
      );
    };
    return await (yes && directory !== undefined ? occupying(directory, "forget", true, work) : work());
  } finally {
    interruption.release();
    await workspace.close();
  }
}

/** A retraining that is not over and learns from what is forgotten. */
interface UnfinishedRetraining {
  readonly run: string;
  /** ISO 8601: until when somebody works on it, unless that is renewed; null where nobody does. */
  readonly until: string | null;
  /** Files with what its training has learnt so far, on this machine. */
  readonly checkpoints: readonly string[];
}

async function retrainingWith(
  { buckets: { reports } }: Place,
  workspace: string | undefined,
  ids: ReadonlySet<string>,
): Promise<UnfinishedRetraining | undefined> {
  const [run] = await runNames(reports);
  if (run === undefined || ids.size === 0) return undefined;
  const known = await readRun(reports, run);
  // Before its snapshot it knows of no scan.
  if (isOver(known) || !known.steps.has("snapshot")) return undefined;
  if (!(await snapshotIds(reports, run)).some((id) => ids.has(id))) return undefined;
  const directory = join(workspace ?? "", ".checkpoints");
  const files = workspace === undefined ? [] : await readdir(directory, { recursive: true }).catch(() => []);
  const checkpoints = files.filter((name) => name.endsWith(".checkpoint")).map((name) => join(directory, name));
  return { run, until: (await workedOnUntil(reports)) ?? null, checkpoints: checkpoints.sort() };
}

function toldOfRetraining({ run, until, checkpoints }: UnfinishedRetraining, directory: string | undefined): string {
  const state = until === null ? "is unfinished" : `is at work (until ${until}, unless that is renewed)`;
  const how =
    directory === undefined
      ? `gcloud workflows run NAME-retrain --location REGION --data '{"trigger":"give-up"}', which also deletes its training machine with what that has learnt.`
      : `${until === null ? "" : "stop it with Ctrl-C, then "}npm run retrain -- --out ${directory} --give-up.`;
  const files =
    checkpoints.length > 0 ? `What it has learnt so far lies in ${checkpoints.join(", ")}: delete that too.\n` : "";
  return `The retraining ${run} ${state}, and has it among the scans that it learns from. End it: ${how}\n${files}`;
}

/** What Google keeps all the same, and what was not reached. */
function ofAHospital({ region }: HospitalName): string {
  return [
    "Cloud Storage keeps what was deleted for the days of the buckets' soft delete (30, where its line has removal: retain), in which an owner could restore it; nobody can make that shorter.",
    "BigQuery keeps what tables held for seven days (time travel) and seven more, in which Google alone can restore it.",
    region === undefined
      ? "A hospital whose line has pacs keeps what was sent to its DICOM store and delivered to its FHIR store: give --region REGION to forget it there."
      : "The DICOM store and the FHIR store keep no earlier version of it.",
    "",
  ].join("\n");
}

/** A name that was mistyped, or another key, must not look like one that was forgotten. */
function nothingOf(wanted: Wanted): Error {
  return new Error(
    "patient" in wanted
      ? `Nothing is known of the patient ${wanted.patient}: look whether the id is as in the header or in manifest.csv, and PSEUDONYM_KEY the key that the scans were ingested under.`
      : `Nothing is known of ${wanted.source}: a scan is named as in the column source of the table images or, as long as it is in landing, as in the folder that it was uploaded from.`,
  );
}

/** When the same was forgotten before: ISO 8601. */
async function earlier({ buckets: { reports } }: Place, mark: string): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { name } of reports.listAll(`${FORGOTTEN}${mark}/`)) {
    const at = /\/(\d+)\.json$/.exec(name)?.[1];
    if (at !== undefined) found.push(new Date(Number(at)).toISOString());
  }
  return found;
}

function told(found: Found, { objects, rows, reports }: Forgotten, yes: boolean, before: readonly string[]): string {
  const counts = (of: Readonly<Record<string, number>>) =>
    Object.entries(of)
      .filter(([name]) => name !== "audit")
      .map(([name, count]) => `${name} ${count}`)
      .join(", ") || "none";
  const lines = [
    ...before.map((at) => `The same was forgotten on ${at}.`),
    `${yes ? "Forgotten" : "Would be forgotten (nothing was changed; add --yes to do it, there is no way back)"}:`,
    `  objects: ${counts(objects)}`,
    `  rows: ${counts(rows)}`,
    ...(rows.audit
      ? [`  ${rows.audit} rows of audit stay, without the picture that they were about: who did what, and when.`]
      : []),
    ...(found.shared > 0 ? [`  ${found.shared} pictures stay: other scans have the same pixels.`] : []),
    ...(reports.length > 0
      ? [`  Reports that showed it go as a whole; the step that made each makes it anew: ${reports.join(", ")}`]
      : []),
    found.models.length > 0
      ? `Models that may have learnt from it, and are not changed: ${found.models.join(", ")}. Train anew without it (npm run preprocess, train) and promote that.`
      : "No model has learnt from it.",
    "What lies elsewhere is not touched: the folder that the scans came from, backups, copies, and what a gateway keeps at home (give the same command there, with --spool DIR: docs/gateway.md).",
  ];
  return `${lines.join("\n")}\n`;
}
