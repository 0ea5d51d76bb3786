import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RECIPE } from "../../runtime/imaging";
import type { ModelMetadata } from "../../runtime/model";
import type { ModelDescription } from "../../runtime/tensorflow";

export { headPixels, headPng } from "./head";

/*
 * The bright-spot model as files. Making it takes TensorFlow.js, its export and a measurement of parity, seconds of a
 * processor in each of some thirty suites that only want to be answered: it is made once, and lies in dist/.fixtures.
 */

export const BRIGHT_SPOT: ModelDescription = {
  id: "bright-spot-0001",
  recipe: RECIPE.id,
  parameters: 391,
  threshold: 0.5,
  gradCamLayer: "evidence",
  backend: "wasm",
  seed: 1,
  dataset: "0".repeat(64),
  counts: { train: 10, validation: 5, test: 5 },
  configuration: { epochs: 1 },
  synthetic: true,
};

/** What does not change what the network answers, nor how that is compared. */
type Named = Partial<Omit<ModelDescription, "views" | "gradCamLayer" | "backend">>;

const ROOT = join(__dirname, "../..");
/** What decides the files. */
const SOURCES = [
  "package-lock.json",
  "tests/support/bright-spot.ts",
  "tests/support/bright-spot-model.ts",
  "tests/support/head.ts",
  ...["guard", "imaging", "model", "platform", "tensorflow"].map((room) => `runtime/${room}`),
];

/** The model's files by name. */
export async function brightSpotFiles(named: Named = {}): Promise<ReadonlyMap<string, Buffer>> {
  const made = await shared();
  const { engine, files } = JSON.parse(String(made.get("metadata.json"))) as ModelMetadata;
  const metadata = { ...BRIGHT_SPOT, ...named, engine, files };
  return new Map([...made, ["metadata.json", Buffer.from(`${JSON.stringify(metadata, null, 2)}\n`)]]);
}

/** Writes the model into a directory. */
export async function saveBrightSpot(directory: string, named: Named = {}): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [name, content] of await brightSpotFiles(named)) await writeFile(join(directory, name), content);
}

async function shared(): Promise<ReadonlyMap<string, Buffer>> {
  const folder = join(ROOT, "dist/.fixtures", `bright-spot-${digest()}`);
  if (!existsSync(folder)) {
    // Here alone, since it loads TensorFlow.js.
    const { makeBrightSpot } = require("./bright-spot-model") as typeof import("./bright-spot-model");
    const beside = `${folder}.${randomBytes(4).toString("hex")}`;
    mkdirSync(beside, { recursive: true });
    for (const [name, content] of await makeBrightSpot()) writeFileSync(join(beside, name), content);
    try {
      renameSync(beside, folder);
    } catch (error) {
      // A suite beside this one was quicker.
      if (!existsSync(folder)) throw error;
      rmSync(beside, { recursive: true });
    }
  }
  return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
}

/** Of names and contents of all sources. */
function digest(): string {
  const hash = createHash("sha256");
  for (const source of SOURCES) {
    const below = /\.\w+$/.test(source)
      ? [source]
      : readdirSync(join(ROOT, source), { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length))
          .sort();
    for (const path of below)
      hash
        .update(path)
        .update("\0")
        .update(readFileSync(join(ROOT, path)))
        .update("\0");
  }
  return hash.digest("hex").slice(0, 20);
}
