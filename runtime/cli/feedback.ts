import { readFile, stat } from "node:fs/promises";
import { type FeedbackTable, LOCAL_PSEUDONYM_KEY, openIdentities, parseFeedback } from "../intake";
import { ConfigurationError } from "../platform/config";
import { occupying } from "../platform/occupancy";
import { createProgress } from "../platform/progress";
import { openStore } from "../platform/stores";
import { openWarehouse } from "../platform/warehouse";
import { type FeedbackTaken, type FeedbackTaking, takeFeedback } from "../serve";
import { interruptible } from "./command-line";
import { inWorkspace } from "./models";

/** A workspace, or a hospital's bucket of reports and its tables. */
export type FeedbackPlace = string | { readonly reports: string; readonly warehouse: string };

interface Wanted {
  readonly file: string;
  readonly who: string;
  readonly confirm?: true;
  readonly check?: true;
  readonly json?: true;
}

/**
 * Takes in a table of feedback. Lines that are not taken are said on stderr, in their order.
 *
 * @returns what to print
 */
export async function runFeedback(place: FeedbackPlace, { file, who, json, ...flags }: Wanted): Promise<string> {
  const [confirm, dry] = [flags.confirm === true, flags.check === true];
  const table = parseFeedback(await contentOf(file));
  if (table.ignored.length > 0)
    process.stderr.write(`feedback: columns that mean nothing here are ignored: ${table.ignored.join(", ")}.\n`);
  const key = keyOf(place, table);
  const interruption = interruptible();
  const { signal } = interruption;
  const progress = createProgress("feedback");
  const identities = () => openIdentities(key);
  const take = (stores: Pick<FeedbackTaking, "reports" | "warehouse">) =>
    takeFeedback(table, { ...stores, who, confirm, dry, identities, progress, signal });
  try {
    const taken = await at(place, take);
    for (const { line, reason } of taken.bad) process.stderr.write(`feedback: line ${line}: ${reason}\n`);
    return json ? `${JSON.stringify({ who, check: dry, ...taken })}\n` : told(taken, who, dry);
  } finally {
    interruption.release();
  }
}

async function at(
  place: FeedbackPlace,
  take: (stores: Pick<FeedbackTaking, "reports" | "warehouse">) => Promise<FeedbackTaken>,
): Promise<FeedbackTaken> {
  if (typeof place === "string")
    return inWorkspace(place, ({ directory, buckets: { reports }, warehouse }) =>
      occupying(directory, "feedback", false, () => take({ reports, warehouse })),
    );
  const reports = await openStore(place.reports);
  const warehouse = await openWarehouse(place.warehouse);
  try {
    return await take({ reports, warehouse });
  } finally {
    await warehouse.close();
  }
}

/** Some hundred thousand lines. */
const MAX_BYTES = 64 * 2 ** 20;

async function contentOf(file: string): Promise<Buffer> {
  try {
    const { size } = await stat(file);
    if (size > MAX_BYTES)
      throw new ConfigurationError("The table of feedback", [
        `--file ${file} has ${size} bytes; more than ${MAX_BYTES} are not read. Give it in parts.`,
      ]);
    return await readFile(file);
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "is not there" : code === "EISDIR" ? "is a folder" : `cannot be read (${code})`;
    throw new ConfigurationError("The table of feedback", [
      `--file ${file} ${why}. Give a CSV file with the columns request or accession, label, and comment.`,
    ]);
  }
}

/** Another key than the scans' finds no study: a hospital's is never guessed. */
function keyOf(place: FeedbackPlace, { lines }: FeedbackTable): string {
  const key = process.env.PSEUDONYM_KEY;
  if (key) return key;
  if (typeof place !== "string" && lines.some(({ about }) => "accession" in about))
    throw new ConfigurationError("The environment", [
      "PSEUDONYM_KEY is not set: under the hospital's key accession numbers become the pseudonyms that answers are found by. Give gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N.",
    ]);
  return LOCAL_PSEUDONYM_KEY;
}

function told({ rows, added, unchanged, bad }: FeedbackTaken, who: string, dry: boolean): string {
  const what = dry ? "would be added (nothing was changed)" : "added";
  return `${rows} lines: feedback of ${who} on ${added} answers ${what}, on ${unchanged} there already; ${bad.length} lines not taken.\n`;
}
