import { writeFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { assignGroups } from "../runtime/dataset";
import { type FittedGuard, fitGuard, InputGuard, SKULL } from "../runtime/guard";
import { applyRecipeGrey, decodeScan, perceptualHash, pixelSha256, RECIPE } from "../runtime/imaging";
import { openInput } from "../runtime/intake";
import { ConfigurationError } from "../runtime/platform/config";
import type { BenchOptions } from "./main";

interface Scan {
  readonly path: string;
  readonly grey: Uint8Array;
  readonly group: string;
  /** The hospital where a patient's number says it (TCGA's), else the collection. */
  readonly site: string;
}

/** What a guard says of some pictures. */
export interface Judged {
  readonly pictures: number;
  readonly refused: number;
  /** Of the refused, those that show the skull of a CT. */
  readonly ct: number;
  /** Refused when they are turned by 90 degrees. */
  readonly turned: number;
}

export interface GuardBench {
  readonly held: string;
  readonly fitted: number;
  readonly left: number;
  readonly sites: Readonly<Record<string, Judged>>;
}

/** `TCGA_DU_5849` and `TCGA-DU-5849` are of the hospital DU. */
export const siteOf = (patient: string | undefined, collection: string | undefined): string =>
  /^TCGA[-_]([A-Z0-9]{2})[-_]/i.exec(patient ?? "")?.[1]?.toUpperCase() ?? collection ?? "unnamed";

/**
 * False alarms of the input guard on hospitals that it never saw: each in turn is left out, the guard is fitted to the others,
 * and judges it as it lies and turned; and with it what else is given, folder by folder of `--other`.
 */
export async function benchGuard({ data, other, ct, json }: BenchOptions): Promise<void> {
  if (!data)
    throw new ConfigurationError("The benchmark guard", [
      "--data is missing: a folder of scans, with their source in manifest.csv.",
    ]);
  const known = ct
    ? new Set((await readFile(ct, "utf8")).split("\n").map((line) => line.split(",")[0] ?? ""))
    : new Set();
  const all = await scansOf(data);
  const scans = all.filter(({ path }) => !known.has(path));
  const others = new Map<string, readonly Uint8Array[]>();
  if (known.size > 0)
    others.set(
      "CT of the folder",
      all.filter(({ path }) => known.has(path)).map(({ grey }) => grey),
    );
  for (const folder of other?.split(",") ?? []) others.set(basename(folder), await picturesOf(folder));
  const results: GuardBench[] = [];
  for (const held of [...new Set(scans.map(({ site }) => site))].sort()) {
    // What the one set has of a scan of the other would not be unseen.
    const heldGroups = new Set(scans.filter(({ site }) => site === held).map(({ group }) => group));
    const fitted = await fitGuard(all.filter(({ group, site }) => site !== held && !heldGroups.has(group)));
    if (!fitted) continue;
    const guard = guardOf(fitted);
    const judged = [[held, scans.filter(({ site }) => site === held).map(({ grey }) => grey)] as const, ...others].map(
      ([name, pictures]) => [name, judge(guard, pictures)] as const,
    );
    results.push({ held, fitted: fitted.scans, left: fitted.ct ?? 0, sites: Object.fromEntries(judged) });
    for (const [name, { pictures, refused, ct: skulls, turned }] of judged)
      process.stdout.write(
        `without ${held.padEnd(24)} ${name.padEnd(24)} ${String(pictures).padStart(5)} pictures, refused ${share(refused, pictures)} (by the skull ${share(skulls, pictures)}), turned ${share(turned, pictures)}\n`,
      );
  }
  if (json) writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`);
}

const share = (part: number, whole: number) => `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;

const guardOf = ({ parameters, threshold, turned, skull }: FittedGuard) =>
  new InputGuard(parameters, { threshold, turned, refusesCt: skull === SKULL.id });

function judge(guard: InputGuard, pictures: readonly Uint8Array[]): Judged {
  const verdicts = pictures.map((grey) => guard.judge(grey));
  return {
    pictures: pictures.length,
    refused: verdicts.filter(({ refused }) => refused).length,
    ct: verdicts.filter(({ because }) => because === "ct").length,
    turned: pictures.filter((grey) => guard.judge(turnedOf(grey)).refused).length,
  };
}

function turnedOf(grey: Uint8Array): Uint8Array {
  const { side } = RECIPE;
  return grey.map((_, at) => grey[(side - 1 - (at % side)) * side + Math.floor(at / side)] as number);
}

async function scansOf(data: string): Promise<readonly Scan[]> {
  const { folder, manifest } = await openInput(data);
  const read: (Omit<Scan, "group"> & {
    readonly sha256: string;
    readonly phash: string;
    readonly patient: string | null;
  })[] = [];
  for (const file of folder.files) {
    if (file.input.kind !== "scan") continue;
    const entry = manifest.get(file.object);
    for await (const decoded of decodeScan(await readFile(file.path))) {
      if (!("image" in decoded)) break;
      const { image } = decoded;
      read.push({
        ...{ path: file.name, grey: applyRecipeGrey(image).grey, site: siteOf(entry?.patientId, entry?.source) },
        ...{ sha256: pixelSha256(image), phash: perceptualHash(image), patient: entry?.patientId ?? null },
      });
      break;
    }
  }
  const { assignments } = assignGroups(
    read.map(({ path, sha256, phash, patient }) => ({
      ...{ id: path, sha256, phash, patient, compared: false },
      ...{ study: null, series: null, givenSplit: null, group: null, split: null },
    })),
  );
  return read.map(({ path, grey, site }) => ({ path, grey, site, group: assignments.get(path)?.group ?? path }));
}

/** The pictures of a folder and those below it, as far as they can be read. */
async function picturesOf(folder: string): Promise<readonly Uint8Array[]> {
  const pictures: Uint8Array[] = [];
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.sort()) {
    try {
      for await (const decoded of decodeScan(await readFile(file))) {
        if ("image" in decoded) pictures.push(applyRecipeGrey(decoded.image).grey);
        break;
      }
    } catch {
      // No picture.
    }
  }
  return pictures;
}
