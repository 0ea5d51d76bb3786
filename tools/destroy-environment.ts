import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildApp } from "../stacks/app";
import type { Lines } from "../stacks/lines";
import { asRecord } from "../stacks/sentences";
import { drain } from "./drain";
import { type Managed, type Owner, ownershipProblems } from "./environment-proof";
import type { StateFile } from "./environment-states";
import type { Environment } from "./environments";
import { type Runner, showCommand } from "./gcloud";
import { type Json, readStacks, type SynthesizedStack, withScratch } from "./synthesized";
import { findTerraform, terraformEnvironment } from "./terraform";

/** Runs Terraform in a stack's folder, and returns what it printed where that is asked for. */
export type TerraformRunner = (args: readonly string[], folder: string, capture: boolean) => string;

/** What a destroy needs from outside; tests put their own in place. */
export interface Tools {
  readonly run: Runner;
  /** @default the one that is installed, as this process's user */
  readonly terraform?: TerraformRunner;
  /** @default the stacks of the environment as this checkout makes them */
  readonly synthesize?: (outdir: string) => readonly SynthesizedStack[];
}

export interface DestroyOptions {
  readonly environment: Environment;
  readonly owner: Owner;
  /** The states that the environment was found by. */
  readonly files: readonly StateFile[];
  /** Where its things are looked for if its states name no region. */
  readonly region: string;
  /** The platform, and all hospitals: an environment that is called like one is refused. */
  readonly lines: Lines;
}

const PLAN = "destroy.tfplan";

/**
 * Takes an environment away, with the states that it was found by. Everything is planned first, and each plan is held to
 * the same rules as the states: it knows what is there now, and Terraform refuses it once the state is another.
 * @throws before anything was changed, if the environment is not one, or a plan would touch what is not its own
 */
export function destroyEnvironment(options: DestroyOptions, tools: Tools): void {
  const { environment, owner, files } = options;
  const { name } = environment;
  withScratch((scratch) => {
    const terraform = tools.terraform ?? installedTerraform(scratch);
    const synthesized = (tools.synthesize ?? synthesizer(options))(join(scratch, "stacks"));
    const stacks = environment.states.map(({ stack }) => {
      const file = files.find((one) => one.id === name && one.stack === stack);
      const found = synthesized.find((one) => one.name === stack);
      if (!file || !found) throw new Error(`There is no stack ${stack} to destroy.`);
      useBackend(found, file.backend);
      return found;
    });
    for (const { name: stack, folder } of stacks) {
      terraform(["init", "-input=false", "-no-color"], folder, false);
      terraform(["plan", "-destroy", "-input=false", "-no-color", `-out=${PLAN}`], folder, false);
      checkPlan(stack, terraform(["show", "-json", PLAN], folder, true), owner);
    }
    const target = { name, project: owner.project, region: environment.region ?? options.region, projectNumber: "" };
    drain(target, tools.run, { dryRun: false });
    for (const { folder } of stacks) terraform(["apply", "-input=false", "-no-color", PLAN], folder, false);
  });
}

function synthesizer({ environment, owner, lines, region }: DestroyOptions) {
  return (outdir: string): readonly SynthesizedStack[] => {
    const variables = {
      CI_ENV_ID: environment.name,
      CI_PROJECT: owner.project,
      CI_PROJECT_NUMBER: owner.projectNumber,
      CI_REGION: environment.region ?? region,
      CI_EXPIRES_AT: environment.expiresAt,
    };
    const { hospitals, platform } = lines;
    // Policy is about what is made, and may have grown since.
    const made = { outdir, platform, subject: "The environment", skipValidation: true };
    buildApp(hospitals, { ...made, variables, expired: true }).synth();
    return readStacks(outdir);
  };
}

function useBackend(stack: SynthesizedStack, backend: Json): void {
  const json = { ...stack.json, terraform: { ...asRecord(stack.json.terraform), backend } };
  writeFileSync(join(stack.folder, "cdk.tf.json"), JSON.stringify(json, null, 2));
}

/** @throws if what Terraform shows is no plan: what it would destroy is not known then. */
function planIn(stack: string, text: string): Json {
  try {
    return asRecord(JSON.parse(text));
  } catch {
    throw new Error(
      `Nothing of ${stack} was destroyed: "terraform show -json" printed ${text.trim() === "" ? "nothing" : "something else"} in place of JSON, so what it would take is not known.`,
    );
  }
}

/** @throws if a plan does anything but delete what is the environment's. */
function checkPlan(stack: string, text: string, owner: Owner): void {
  const { resource_changes: changes = [] } = planIn(stack, text) as {
    resource_changes?: { address: string; mode: string; type: string; change: { actions: string[]; before: Json } }[];
  };
  const problems = changes
    .filter(({ mode, change }) => mode === "managed" && change.actions.join() !== "no-op")
    .flatMap(({ address, type, change }) => {
      if (change.actions.join() !== "delete") return [`the plan would ${change.actions.join(" and ")} ${address}`];
      const thing: Managed = { address, type, attributes: asRecord(change.before) };
      return ownershipProblems(thing, owner);
    });
  if (problems.length > 0)
    throw new Error(
      `Nothing of ${owner.id} was destroyed. What lies in the cloud for ${stack} is not all of it: ${problems.join("; ")}.`,
    );
}

/** Settings that would lead Terraform to another state, or another configuration, than the one that was looked at. */
const MISLEADING = /^TF_(?:WORKSPACE|DATA_DIR|CLI_ARGS.*|VAR_.*)$/;

function installedTerraform(scratch: string): TerraformRunner {
  const command = findTerraform();
  if (command === undefined) throw new Error("Neither terraform nor tofu is on PATH.");
  const env = terraformEnvironment(scratch, MISLEADING);
  return (args, cwd, capture) => {
    // What it says while it works goes to stderr: stdout is this command's own answer.
    const { status, stdout } = spawnSync(command, args, {
      cwd,
      env,
      encoding: "utf8",
      maxBuffer: 1 << 28,
      stdio: ["ignore", capture ? "pipe" : 2, 2],
    });
    if (status !== 0) throw new Error(`"${showCommand([command, ...args])}" failed.`);
    return stdout ?? "";
  };
}
