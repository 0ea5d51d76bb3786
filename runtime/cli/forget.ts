import { FORGOTTEN, type Forgotten, type Found, find, forget, markOf, type Wanted } from "../forget";
import { LOCAL_PSEUDONYM_KEY, openIdentities } from "../intake";
import { occupying } from "../platform/occupancy";
import { openWorkspace, type Workspace } from "../platform/workspace";
import { interruptible } from "./command-line";

/**
 * Forgets, or says what would be forgotten.
 *
 * @returns what to print
 */
export async function runForget(
  out: string,
  wanted: Wanted,
  { yes, json }: { readonly yes: boolean; readonly json: boolean },
): Promise<string> {
  const workspace = await openWorkspace(out);
  const interruption = interruptible();
  try {
    const identities = await openIdentities(process.env.PSEUDONYM_KEY ?? LOCAL_PSEUDONYM_KEY);
    const { signal } = interruption;
    const work = async () => {
      const found = await find(workspace, wanted, identities);
      const plan = await forget(workspace, found, { mark: "", dry: true, now: new Date(), signal });
      const mark = await markOf(wanted, identities);
      const before = await earlier(workspace, mark);
      const isKnown = [plan.objects, plan.rows].some((counts) => Object.keys(counts).length > 0);
      if (!isKnown && before.length === 0) throw nothingOf(wanted);
      const done = yes ? await forget(workspace, found, { mark, dry: false, now: new Date(), signal }) : plan;
      return json
        ? `${JSON.stringify({ yes, ...done, models: found.models, before })}\n`
        : told(found, done, yes, before);
    };
    return await (yes ? occupying(workspace.directory, "forget", true, work) : work());
  } finally {
    interruption.release();
    await workspace.close();
  }
}

/** A name that was mistyped, or another key, must not look like one that was forgotten. */
function nothingOf(wanted: Wanted): Error {
  return new Error(
    "patient" in wanted
      ? `Nothing is known of the patient ${wanted.patient}: look whether the id is as in the header or in manifest.csv, and PSEUDONYM_KEY the key that the scans were ingested under.`
      : `Nothing is known of ${wanted.source}: a scan is named as in the column source of the table images, DICOM files by their pseudonyms.`,
  );
}

/** When the same was forgotten before: ISO 8601. */
async function earlier({ buckets: { reports } }: Workspace, mark: string): Promise<readonly string[]> {
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
    "What lies elsewhere is not touched: the folder that the scans came from, backups, copies.",
  ];
  return `${lines.join("\n")}\n`;
}
