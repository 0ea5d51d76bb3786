import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command, Option } from "commander";
import type { Sealed, Verified } from "../../audit";
import { ConfigurationError, listed, requireAll } from "../../platform/config";
import { isWithin } from "../../platform/places";
import type { ObjectStore } from "../../platform/stores";
import { EXIT, interruptible, requireWorkspace, wholeNumber } from "../command-line";
import { out } from "../options";

interface Flags {
  readonly out: string;
  readonly log?: string;
  readonly warehouse?: string;
  readonly archive?: string;
  readonly json?: true;
}

interface SealFlags extends Flags {
  readonly key?: string;
  readonly wait: number;
  readonly late?: true;
}

interface VerifyFlags extends Flags {
  readonly from?: string;
  readonly to?: string;
}

/** Seconds: longer than the rows of an answer ever took to reach their table on a laptop. */
const WAIT_SECONDS = 10;

export function auditCommand(): Command {
  const audit = new Command("audit").description(
    "the log that proves what was answered and done: every row of audit, predictions and feedback is a leaf of a Merkle tree",
  );
  common(audit.command("seal"))
    .description("add what is not sealed yet to the log, and sign it")
    .addOption(
      new Option(
        "--key <uri>",
        "signs: gcp-kms://.../cryptoKeyVersions/N, or a file; default: audit-key.pem in --out",
      ).env("AUDIT_KEY"),
    )
    .addOption(
      new Option("--wait <seconds>", "how long a row may take from the time that it says to its table")
        .default(WAIT_SECONDS)
        .argParser(wholeNumber()),
    )
    .option("--late", "take in rows that say a time before the last seal, and write down that it was done")
    .action(sealWorkspace);
  common(audit.command("verify"))
    .description("compute all of it anew from the rows, here and in the archive, and say what was changed")
    .option("--from <date>", "with --to: only show that the log of a later day begins with that of this one")
    .option("--to <date>", "the later day, or time")
    .action(verifyWorkspace);
  common(audit.command("proof"))
    .description("prove that an answer, or what was said of one, is in the log")
    .argument("<id>", "the field request of an answer, or feedback of what was said")
    .action(proveInWorkspace);
  return audit;
}

const common = (command: Command): Command =>
  command
    .addOption(out())
    .addOption(
      new Option(
        "--log <uri>",
        "a hospital's log, with --warehouse in place of --out: gs://PROJECT-NAME-reports/audit",
      ).env("AUDIT_LOG"),
    )
    .addOption(new Option("--warehouse <uri>", "its rows, with --log: bigquery://PROJECT/DATASET").env("WAREHOUSE"))
    .addOption(
      new Option(
        "--archive <place>",
        "where signed checkpoints are kept as well, outside of --out: a folder, or gs://BUCKET/FOLDER",
      ).env("AUDIT_ARCHIVE"),
    )
    .option("--json", "for a machine");

async function sealWorkspace({ key, wait, late, json, ...places }: SealFlags): Promise<void> {
  const { ForgedPlan, ForkedLog, openSigner, RolledBackLog, seal } = await import("../../audit/index.js");
  const { createProgress } = await import("../../platform/progress.js");
  const interruption = interruptible();
  try {
    if (places.log !== undefined && key === undefined)
      throw new ConfigurationError("The audit key", ["it is not named: --key or AUDIT_KEY says what signs this log."]);
    const sealed = await opened({ ...places, make: true }, async ({ warehouse, log, archive }) =>
      seal({
        ...{ warehouse, log, archive, late: late === true },
        signer: await openSigner(key ?? join(places.out, "audit-key.pem")),
        waitMs: wait * 1000,
        progress: createProgress("audit"),
        signal: interruption.signal,
      }),
    );
    if (json) print(sealed);
    else process.stdout.write(`${sentencesOf(sealed).join("\n")}\n`);
    if ((!late && sealed.late.length > 0) || sealed.unreadable.length > 0) process.exitCode = EXIT.failed;
  } catch (error) {
    if (error instanceof ForgedPlan) {
      fail(
        `${error.message} Nothing was sealed. Leave the file where it is; npm run audit -- verify says what else was changed, and docs/audit.md, "Beginning anew", what to do with a log of an earlier version.`,
        json,
      );
      return;
    }
    if (!(error instanceof ForkedLog || error instanceof RolledBackLog)) throw error;
    fail(error.message, json);
  } finally {
    interruption.release();
  }
}

function sentencesOf({ busyUntil, added, size, root, through, late, unreadable, archived }: Sealed): string[] {
  if (busyUntil !== null)
    return [`Another seal is at work (its lease ends at ${busyUntil} at the latest): nothing was done here.`];
  const done =
    size === 0
      ? "There is nothing to seal yet."
      : `${added} rows were sealed. The log has ${size} leaves, up to ${through}, and the root ${root}.`;
  const outside = archived
    ? "Its checkpoint is in the archive."
    : "There is no archive: whether all of this, rows and log, is put back to an earlier state will not be seen. --archive DIR or AUDIT_ARCHIVE names one.";
  const left = late.map(
    ({ table, batch, time }) =>
      `${table}/${batch} says ${time}, and the last seal, which was later, did not find it: it was inserted, or came late.`,
  );
  const advice = left.length > 0 ? ["What is late is sealed by --late alone, which writes down that it was."] : [];
  return [done, outside, ...listed(left), ...advice, ...unreadable];
}

async function verifyWorkspace({ from, to, json, ...places }: VerifyFlags): Promise<void> {
  if (from !== undefined || to !== undefined) return showConsistency({ ...places, from, to, json });
  const { verifyLog } = await import("../../audit/index.js");
  const verified = await opened(places, verifyLog);
  if (json) print(verified);
  else process.stdout.write(`${report(verified).join("\n")}\n`);
  if (!verified.ok) process.exitCode = EXIT.failed;
}

function report({ ok, findings, notes, leaves, archived, rows, pending, through }: Verified): string[] {
  const known = archived === null ? "" : `, ${archived} of them in the archive`;
  const counts = `${rows} rows, ${leaves} leaves${known}, sealed up to ${through ?? "no time"}; ${pending} rows wait for the next seal.`;
  const verdict = ok
    ? `Nothing was changed. ${counts}`
    : `${findings.length === 1 ? "One thing is not as it was" : `${findings.length} things are not as they were`} sealed. ${counts}`;
  return [...listed(findings.map(({ sentence }) => sentence)), verdict, ...notes];
}

async function showConsistency({
  from,
  to,
  json,
  ...places
}: Places & { readonly [K in "from" | "to" | "json"]: VerifyFlags[K] | undefined }): Promise<void> {
  const days = [from, to].map((day, index) => {
    const option = index === 0 ? "--from" : "--to";
    if (day === undefined) return `${option} is missing: consistency is between two days.`;
    return /^\d{4}-\d{2}-\d{2}(?:T.*)?$/.test(day) && !Number.isNaN(Date.parse(day))
      ? undefined
      : `${option} ${day} is no day such as 2026-11-27, and no time such as 2026-11-27T18:00:00Z.`;
  });
  const problems = days.filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new ConfigurationError("The days", problems);
  const { proveConsistency } = await import("../../audit/index.js");
  await proving(json, async () => {
    const proof = await opened(places, ({ log, archive }) =>
      proveConsistency(archive ?? log, from as string, to as string),
    );
    if (json) return print(proof);
    process.stdout.write(
      `The log of ${to} (${proof.sizes[1]} leaves) begins with all of that of ${from} (${proof.sizes[0]} leaves). --json gives the proof.\n`,
    );
  });
}

async function proveInWorkspace(id: string, { json, ...places }: Flags): Promise<void> {
  const { proveInclusion } = await import("../../audit/index.js");
  await proving(json, async () => {
    const proof = await opened(places, ({ warehouse, log }) => proveInclusion(warehouse, log, id));
    if (json) return print(proof);
    const size = proof.checkpoint.split("\n")[1];
    process.stdout.write(
      `${id}, a row of ${proof.table}, is leaf ${proof.leaf.index} of ${size}, ${proof.leaf.hash}, and ${proof.proof.length} hashes lead from it to the signed root. --json gives the proof.\n`,
    );
  });
}

async function proving(json: true | undefined, work: () => Promise<void>): Promise<void> {
  const { NothingToProve } = await import("../../audit/index.js");
  try {
    await work();
  } catch (error) {
    if (!(error instanceof NothingToProve)) throw error;
    fail(error.message, json, error.unknown ? EXIT.usage : EXIT.failed);
  }
}

function fail(problem: string, json: true | undefined, code: number = EXIT.failed): void {
  if (json) print({ problem });
  else process.stderr.write(`${problem}\n`);
  process.exitCode = code;
}

const print = (value: unknown) => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);

interface Places {
  readonly out: string;
  /** Of a hospital's log, with the place of its rows: in place of a workspace. */
  readonly log?: string | undefined;
  readonly warehouse?: string | undefined;
  readonly archive?: string | undefined;
  /** Whether an archive that is not there yet is made. @default false */
  readonly make?: boolean;
}

/**
 * The rows of a workspace or of a hospital, their log and its archive.
 * @throws {ConfigurationError} if one of them is not there, or the archive lies beside the log
 */
async function opened<T>(
  { out, log, warehouse, archive, make = false }: Places,
  work: (places: {
    readonly warehouse: import("../../platform/warehouse").Warehouse;
    readonly log: ObjectStore;
    readonly archive: ObjectStore | undefined;
    /** Where erasures are written down; of a log that lies by itself it is not known. */
    readonly reports: ObjectStore | undefined;
  }) => Promise<T>,
): Promise<T> {
  if (log !== undefined) return openedThere({ log, warehouse, archive }, work);
  await requireAll(
    () => requireWorkspace(out),
    () => requireArchive(archive, out, make),
  );
  const { openStore } = await import("../../platform/stores/index.js");
  const { inWorkspace } = await import("../models.js");
  return inWorkspace(out, async ({ warehouse, buckets }) =>
    work({
      warehouse,
      reports: buckets.reports,
      log: await openStore(join(resolve(out), "audit")),
      archive: archive === undefined ? undefined : await openArchive(archive),
    }),
  );
}

/** The same of what lies in buckets and in a dataset. */
async function openedThere<T>(
  { log, warehouse, archive }: { readonly log: string } & Pick<Places, "warehouse" | "archive">,
  work: (places: Parameters<Parameters<typeof opened<T>>[1]>[0]) => Promise<T>,
): Promise<T> {
  if (warehouse === undefined)
    throw new ConfigurationError("The log", [
      `${log} is of rows that nobody names: --warehouse or WAREHOUSE says where they are, bigquery://PROJECT/DATASET.`,
    ]);
  const bucket = /^gs:\/\/[^/]+/.exec(log)?.[0];
  if (archive !== undefined && (archive === log || (bucket !== undefined && `${archive}/`.startsWith(`${bucket}/`))))
    throw new ConfigurationError("The archive", [
      `${archive} lies where the log does (${log}), and who can change the one could change the other: give a place outside.`,
    ]);
  const { openPlace } = await import("../../audit/index.js");
  const { openWarehouse } = await import("../../platform/warehouse/index.js");
  const rows = await openWarehouse(warehouse);
  try {
    return await work({
      warehouse: rows,
      log: await openPlace(log),
      reports: bucket === undefined ? undefined : await openPlace(bucket),
      archive: archive === undefined ? undefined : await openArchive(archive),
    });
  } finally {
    await rows.close();
  }
}

async function openArchive(archive: string): Promise<ObjectStore> {
  const { openPlace } = await import("../../audit/index.js");
  return openPlace(archivePlace(archive));
}

/** In a folder of its own: beside it a store keeps what a file cannot carry. */
const archivePlace = (archive: string) => (archive.startsWith("gs://") ? archive : join(resolve(archive), "log"));

function requireArchive(archive: string | undefined, out: string, make: boolean): void {
  if (archive === undefined || archive.startsWith("gs://")) return;
  const refuse = (why: string): never => {
    throw new ConfigurationError("The archive", [why]);
  };
  if (archive.trim() === "") refuse("it has no name: give a folder outside of --out, or gs://BUCKET.");
  if (isWithin(archive, out))
    refuse(
      `${archive} lies in the workspace ${out}, and who can change the one could change the other: give a place outside.`,
    );
  if (!make && !existsSync(archivePlace(archive)))
    refuse(`There is none in ${archive}: npm run audit -- seal --archive ${archive} makes one.`);
}
