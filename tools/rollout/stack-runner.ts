import { createHash } from "node:crypto";
import {
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import { hashFiles } from "../../constructs/core/bundle-files";
import { type ChildResult, runChild } from "../child";
import { OneAtATime } from "../pool";
import { type Json, readJson, type SynthesizedStack } from "../synthesized";
import { terraformEnvironment } from "../terraform";

/** What Terraform could not do, and where. */
export class TerraformFailure extends Error {
  constructor(
    sentence: string,
    /** Addresses of resources; empty where it is about none of them. */
    readonly addresses: readonly string[],
  ) {
    super(sentence);
    this.name = "TerraformFailure";
  }
}

/** What all stacks of a roll-out share. */
export interface RunnerSettings {
  /** `terraform` or `tofu`. */
  readonly command: string;
  /** The roll-out's own. */
  readonly folder: string;
  /** Where states lie that are in no bucket. */
  readonly localStates: string;
  readonly signal: AbortSignal;
  /** Credentials of a hospital, by its name; without it the caller's own are used. */
  readonly credentials?: ((hospital: string) => NodeJS.ProcessEnv) | undefined;
}

const LOCK_FILE = ".terraform.lock.hcl";

/** Runs Terraform in the stacks of a roll-out, with one cache of providers for all of them. */
export class StackRunner {
  /** Two that fill one cache of providers at once write over each other. https://developer.hashicorp.com/terraform/cli/config/config-file#provider-plugin-cache */
  private readonly inits = new OneAtATime();
  /** What the first stack locked is good for all: they ask for the same provider. */
  private lockFile: string | undefined;

  constructor(private readonly settings: RunnerSettings) {}

  /** Where plan.bin, plan.json and terraform.log of a stack lie. */
  placeOf({ name }: Pick<SynthesizedStack, "name">): string {
    return join(this.settings.folder, "plans", name);
  }

  planFile(stack: Pick<SynthesizedStack, "name">): string {
    return join(this.placeOf(stack), "plan.bin");
  }

  /** @throws {TerraformFailure} @throws {Interruption} */
  async init(stack: SynthesizedStack, hospital: string): Promise<void> {
    await this.inits.run(async () => {
      const own = join(stack.folder, LOCK_FILE);
      if (this.lockFile !== undefined && !existsSync(own)) copyFileSync(this.lockFile, own);
      const result = await this.run(stack, hospital, [
        "init",
        "-input=false",
        "-no-color",
        "-reconfigure",
        ...this.backend(stack),
      ]);
      if (result.code !== 0) throw new TerraformFailure(plainError(result), []);
      if (existsSync(own)) this.lockFile ??= own;
    });
  }

  /**
   * Plans into plan.bin and plan.json. Takes no lock on the state: whoever plans may only read, and a plan that was
   * overtaken is refused when it is applied.
   *
   * @throws {TerraformFailure} @throws {Interruption}
   */
  async plan(stack: SynthesizedStack, hospital: string): Promise<Json> {
    const place = this.placeOf(stack);
    rmSync(place, { recursive: true, force: true });
    mkdirSync(place, { recursive: true, mode: 0o700 });
    await this.init(stack, hospital);
    const file = this.planFile(stack);
    const planned = await this.run(stack, hospital, ["plan", "-input=false", "-lock=false", "-json", `-out=${file}`]);
    if (planned.code !== 0) throw failureIn(planned);
    const shown = await this.run(stack, hospital, ["show", "-json", file], false);
    if (shown.code !== 0) throw new TerraformFailure(plainError(shown), []);
    const json = join(place, "plan.json");
    writeFileSync(json, shown.stdout, { mode: 0o600 });
    return readJson(json, `The plan of ${stack.name}`);
  }

  /** Applies plan.bin and nothing else. @throws {TerraformFailure} @throws {Interruption} */
  async apply(stack: SynthesizedStack, hospital: string): Promise<void> {
    await this.initOnce(stack, hospital);
    const applied = await this.run(stack, hospital, ["apply", "-input=false", "-json", this.planFile(stack)]);
    if (applied.code !== 0) throw failureIn(applied);
  }

  /** Whether a plan would change anything now. @throws {TerraformFailure} @throws {Interruption} */
  async differences(stack: SynthesizedStack, hospital: string): Promise<boolean> {
    await this.initOnce(stack, hospital);
    const planned = await this.run(stack, hospital, [
      "plan",
      "-input=false",
      "-lock=false",
      "-json",
      "-detailed-exitcode",
    ]);
    if (planned.code === 0 || planned.code === 2) return planned.code === 2;
    throw failureIn(planned);
  }

  /** A synth takes away what an earlier init has left in a stack's folder. */
  private async initOnce(stack: SynthesizedStack, hospital: string): Promise<void> {
    if (!existsSync(join(stack.folder, ".terraform"))) await this.init(stack, hospital);
  }

  /** A state in no bucket lies where `npm run synth` and Terraform by hand would have it, not beside the roll-out's stacks. */
  private backend({ name, json }: SynthesizedStack): string[] {
    const { backend } = (json.terraform ?? {}) as { backend?: Json };
    return backend && "local" in backend
      ? [`-backend-config=path=${join(this.settings.localStates, `terraform.${name}.tfstate`)}`]
      : [];
  }

  private run(stack: SynthesizedStack, hospital: string, args: readonly string[], logged = true): Promise<ChildResult> {
    const { command, folder, signal, credentials } = this.settings;
    return runChild([command, ...args], {
      cwd: stack.folder,
      signal,
      ...(logged ? { log: join(this.placeOf(stack), "terraform.log") } : {}),
      env: {
        ...terraformEnvironment(folder, /^TF_(?:CLI_ARGS|DATA_DIR|WORKSPACE)/),
        ...credentials?.(hospital),
      },
    });
  }
}

/** SHA-256 over what was synthesized for a stack; what Terraform puts beside it does not count. */
export function digestOf({ folder }: Pick<SynthesizedStack, "folder">): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((path) => !/^\.terraform(?:\/|\.)|\.tfstate|^crash\./.test(path));
  return hashFiles(new Map(files.map((path) => [path, readFileSync(join(folder, path))])));
}

export async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

interface Diagnostic {
  readonly severity: string;
  readonly summary: string;
  readonly detail?: string;
  readonly address?: string;
}

/** https://developer.hashicorp.com/terraform/internals/machine-readable-ui */
function failureIn(result: ChildResult): TerraformFailure {
  const errors = result.stdout.split("\n").flatMap((line): Diagnostic[] => {
    try {
      const { diagnostic } = JSON.parse(line) as { diagnostic?: Diagnostic };
      return diagnostic?.severity === "error" ? [diagnostic] : [];
    } catch {
      return [];
    }
  });
  const [first] = errors;
  if (!first) return new TerraformFailure(plainError(result), []);
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
  const addresses = [...new Set(errors.flatMap(({ address }) => address ?? []))];
  const detail = first.detail?.split("\n").find((line) => line.trim() !== "") ?? "";
  return new TerraformFailure(`${first.summary.trim()}${detail ? `: ${detail.trim()}` : ""}${more}`, addresses);
}

/** The first error among what Terraform writes for people; an init begins with one that says nothing. */
function plainError({ code, stdout, stderr }: ChildResult): string {
  const text = `${stderr}\n${stdout}`.replace(/[│╷╵]/g, " ").replace(/\s+/g, " ");
  const errors = text.split("Error: ").slice(1);
  const [error] = errors.filter((each) => !/^Terraform encountered problems during initiali/.test(each));
  return error?.trim().slice(0, 400) ?? (code === undefined ? "It was killed." : `It ended with ${code}.`);
}
