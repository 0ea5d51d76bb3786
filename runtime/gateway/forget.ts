import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { patientIdOf, readDicomHeader } from "../imaging";
import { ConfigurationError } from "../platform/config";
import { syncFolder } from "./fsync";
import { Mapping, type MappingRecord } from "./mapping";
import { Outbox } from "./results";
import { filesIn } from "./spool";
import { SpoolLock } from "./spool-lock";

/** Whose, by the id in the headers, or which, by its name below landing. */
export type WantedAtHome = { readonly patient: string } | { readonly source: string };

/** What was taken away of a gateway's folder, or would be. */
export interface ForgottenAtHome {
  /** Instances whose identifiers were kept. */
  readonly instances: number;
  /** Files of the spool, those that were refused too. */
  readonly files: number;
  /** Answers of studies, on their way or handed on. */
  readonly results: number;
  /** Refused files that do not say whose they are: a person has to look at them. */
  readonly unknown: readonly string[];
}

/** Where what is forgotten leaves a mark that says when and how much, and nothing of whom. */
const FORGOTTEN = "forgotten";

/**
 * Takes everything of a patient or an instance out of the folder of a gateway that is stopped. What it is found by, the
 * mapping, goes last: whoever is stopped and begins anew finds the rest. Of a study of which other
 * instances stay the answers go too, as they tell of what is forgotten, and what was told of is not told again.
 *
 * @throws {ConfigurationError} where a gateway works in the folder, it is none of a gateway, or the patient's id stands for nobody
 */
export async function forgetAtHome(
  folder: string,
  wanted: WantedAtHome,
  { dry, now }: { readonly dry: boolean; readonly now: Date },
): Promise<ForgottenAtHome> {
  if (!["spool", "mapping"].every((name) => existsSync(join(folder, name))))
    throw new ConfigurationError("The folder", [`${folder} is none of a gateway: name that of its --spool.`]);
  // As what is compared is: of several values the first one counts.
  if ("patient" in wanted && patientIdOf(idOf(wanted.patient)) === undefined)
    throw new ConfigurationError("The patient", [
      `"${wanted.patient}" stands for nobody, and strangers share it: name what is meant by --source.`,
    ]);
  const lock = await SpoolLock.take(folder);
  try {
    const mapping = await Mapping.open(join(folder, "mapping"));
    const meant = await recordsOf(mapping, wanted);
    const files = await spooled(folder, wanted, meant);
    const outbox = await Outbox.open(join(folder, "results"));
    const studies = new Set(meant.map(({ study }) => study));
    const ownOf = (study: string) => meant.filter((record) => record.study === study);
    const results: string[] = [];
    const staying: string[] = [];
    for (const study of studies) {
      const stays = (await mapping.atHome(study)).records.size > ownOf(study).length;
      if (stays) staying.push(study);
      results.push(...(stays ? await outbox.answersOf(study) : await outbox.of(study)));
    }
    const forgotten = { instances: meant.length, files: files.own.length, results: results.length };
    const isNothing = Object.values(forgotten).every((count) => count === 0);
    if (!dry && !isNothing) {
      for (const study of staying) await outbox.lookAgain(study);
      for (const path of [...files.own, ...results]) await rm(path, { force: true });
      for (const study of studies) await mapping.forget(study, new Set(ownOf(study).map(({ instance }) => instance)));
      await leaveMark(folder, now, forgotten);
    }
    return { ...forgotten, unknown: files.unknown };
  } finally {
    await lock.release();
  }
}

async function recordsOf(mapping: Mapping, wanted: WantedAtHome): Promise<readonly MappingRecord[]> {
  const found: MappingRecord[] = [];
  const landedAs = "source" in wanted ? /([^/]+)\/([^/]+)\/([^/]+)\.dcm$/.exec(wanted.source) : null;
  for (const study of await mapping.studies())
    for (const record of (await mapping.atHome(study)).records.values())
      if (
        "patient" in wanted
          ? idOf(record.identifiers.patientId) === idOf(wanted.patient)
          : landedAs?.[1] === record.study && landedAs[2] === record.series && landedAs[3] === record.instance
      )
        found.push(record);
  return found;
}

/** Files of the spool that are meant, by their own headers, and those whose headers cannot tell. */
async function spooled(
  folder: string,
  wanted: WantedAtHome,
  meant: readonly MappingRecord[],
): Promise<{ readonly own: readonly string[]; readonly unknown: readonly string[] }> {
  const own: string[] = [];
  const unknown: string[] = [];
  const instances = new Set(meant.map(({ identifiers }) => identifiers.instanceUid));
  for (const { path, beside, isWhole } of await filesIn(join(folder, "spool"))) {
    const { patientId, instanceUid } = readDicomHeader(await readFile(path));
    const isOwn =
      (instanceUid !== undefined && instances.has(instanceUid)) ||
      ("patient" in wanted && patientId !== undefined && idOf(patientId) === idOf(wanted.patient));
    if (isOwn) own.push(path, ...beside);
    // What was being received when the gateway died is removed by its next start.
    else if (isWhole && patientId === undefined) unknown.push(path);
  }
  return { own, unknown };
}

/** As headers are compared everywhere: the first value, in the one form of those that look alike. */
const idOf = (text: string | null) => text?.split("\\")[0]?.normalize("NFC").trim();

async function leaveMark(folder: string, now: Date, counts: object): Promise<void> {
  await mkdir(join(folder, FORGOTTEN), { recursive: true, mode: 0o700 });
  const path = join(folder, FORGOTTEN, `${now.getTime()}.json`);
  await writeFile(path, `${JSON.stringify({ at: now.toISOString(), ...counts })}\n`, { mode: 0o600, flush: true });
  for (const changed of ["mapping", FORGOTTEN]) await syncFolder(join(folder, changed));
  for (const changed of await readdir(join(folder, "spool"))) await syncFolder(join(folder, "spool", changed));
}
