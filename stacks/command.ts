import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { AnnotationMetadataEntryType, type App } from "../constructs/core/cdktf";
import { ConfigurationError } from "../runtime/platform/config";
import { buildApp } from "./app";
import type { HospitalLine } from "./config";
import { chooseLines } from "./lines";

const HELP = `Synthesizes the Terraform stacks of every hospital. Needs no network and no cloud account.

Usage: npm run synth -- [options]

Options:
  --hospitals FILE.json  a list of {name, tier, project, projectNumber, region, ...} in place of stacks/hospitals.ts;
                         or FILE.ts, which exports hospitals as that file does, and platform if it likes
  --platform FILE.json   the platform's line in place of the one in stacks/hospitals.ts; or FILE.ts, which exports platform
  --out DIR              where the stacks are written (default: cdktf.out)
  --seed N               accepted as everywhere; a synth draws nothing at random
  --help                 this text

The variables HOSPITALS_FILE and PLATFORM_FILE do the same, and npm run cdktf hears them as well.

Each stack is a folder DIR/stacks/<hospital>-data or <hospital>-app, data first:
  terraform -chdir=DIR/stacks/<name> init && terraform -chdir=DIR/stacks/<name> plan
`;

/** Exit codes of every command of this project. */
const DONE = 0;
const FAILED = 1;
const WRONG_USAGE = 2;

/**
 * The command `npm run synth`.
 * @param args what follows the command's name
 * @param defaults hospitals in place of those of `hospitals.ts`
 * @returns the exit code
 */
export function synth(args: readonly string[], defaults?: readonly HospitalLine[]): number {
  try {
    const options = parseOptions(args);
    if (options.help) {
      process.stdout.write(HELP);
      return DONE;
    }
    const { hospitals, platform, subject } = chooseLines(options, defaults);
    const app = buildApp(hospitals, { outdir: options.out, platform, subject });
    app.synth();
    const stacks = Object.keys(app.manifest.stacks);
    removeStale(app.outdir, stacks);
    for (const warning of warnings(app)) process.stderr.write(`Warning: ${warning}\n`);
    process.stdout.write(`${stacks.length} stacks in ${join(app.outdir, "stacks")}: ${stacks.join(", ")}\n`);
    return DONE;
  } catch (error) {
    const usage = error instanceof ConfigurationError;
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${message}\n${usage ? "" : "Nothing was deployed; the output folder may be incomplete.\n"}`);
    return usage ? WRONG_USAGE : FAILED;
  }
}

/** What constructs and stacks want a person to know, each once; the cdktf command line prints the same. */
function warnings(app: App): Set<string> {
  const annotations = Object.values(app.manifest.stacks).flatMap((stack) => stack.annotations);
  const found = annotations.filter(({ level }) => level === AnnotationMetadataEntryType.WARN);
  return new Set(found.map(({ message }) => message));
}

interface Options {
  readonly help: boolean;
  readonly hospitals: string | undefined;
  readonly platform: string | undefined;
  readonly out: string | undefined;
}

function parseOptions(args: readonly string[]): Options {
  const subject = "The command line";
  const hint = "See npm run synth -- --help.";
  try {
    const { values } = parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        hospitals: { type: "string" },
        platform: { type: "string" },
        out: { type: "string" },
        seed: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const problems: string[] = [];
    for (const option of ["hospitals", "platform", "out"] as const)
      if (values[option] === "") problems.push(`--${option} is empty; it needs a path. ${hint}`);
    if (values.seed !== undefined && !/^\d+$/.test(values.seed))
      problems.push(`--seed is "${values.seed}"; it must be a whole number, 0 or more.`);
    if (values.out !== undefined && existsSync(values.out) && !statSync(values.out).isDirectory())
      problems.push(`--out is "${values.out}", which is a file; it must be a folder.`);
    if (problems.length > 0) throw new ConfigurationError(subject, problems);
    return { help: values.help, hospitals: values.hospitals, platform: values.platform, out: values.out };
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    throw new ConfigurationError(subject, [`${(error as Error).message.replace(/\.?$/, ".")} ${hint}`]);
  }
}

/** Removes the folders of stacks that are no longer there, so that nobody deploys one by accident. */
function removeStale(outdir: string, stacks: readonly string[]): void {
  const folder = join(outdir, "stacks");
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const synthesized = existsSync(join(folder, name, "cdk.tf.json"));
    if (synthesized && !stacks.includes(name)) rmSync(join(folder, name), { recursive: true });
  }
}
