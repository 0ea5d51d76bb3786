import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Json, readJson, type SynthesizedStack } from "./synthesized";

/** Nothing listens there: whatever leaves this machine fails. */
const NOWHERE = "http://127.0.0.1:9";

/**
 * Credentials that nobody accepts, in place of the caller's own. The hermetic environment also leads every request into
 * the void, so that a plan which calls Google fails instead of succeeding by accident.
 */
export function terraformEnvironment(scratch: string, hermetic: boolean): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(?:GOOGLE_|GCLOUD_|CLOUDSDK_|GCE_METADATA|TF_VAR_|TF_CLI_ARGS)/.test(name),
  );
  const cache = process.env.TF_PLUGIN_CACHE_DIR ?? join(scratch, "plugins");
  mkdirSync(cache, { recursive: true });
  return {
    ...Object.fromEntries(own),
    TF_IN_AUTOMATION: "1",
    TF_INPUT: "0",
    TF_PLUGIN_CACHE_DIR: cache,
    CHECKPOINT_DISABLE: "1",
    GOOGLE_OAUTH_ACCESS_TOKEN: "dummy",
    USER_PROJECT_OVERRIDE: "false",
    ...(hermetic
      ? {
          HTTPS_PROXY: NOWHERE,
          HTTP_PROXY: NOWHERE,
          https_proxy: NOWHERE,
          http_proxy: NOWHERE,
          NO_PROXY: "",
          no_proxy: "",
        }
      : {}),
  };
}

export interface Run {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Terraform, or OpenTofu, in one folder. */
export class Terraform {
  constructor(
    readonly command: string,
    private readonly folder: string,
    private readonly scratch: string,
  ) {}

  run(args: readonly string[], { hermetic = true }: { readonly hermetic?: boolean } = {}): Run {
    const { status, stdout, stderr, error } = spawnSync(this.command, [...args], {
      cwd: this.folder,
      env: terraformEnvironment(this.scratch, hermetic),
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    return { ok: status === 0, stdout: stdout ?? "", stderr: `${stderr ?? ""}${error ? error.message : ""}` };
  }

  /** Brings the provider: the only step that may use the network, and only where the provider comes from there. */
  init(): Run {
    return this.run(["init", "-input=false", "-no-color"], { hermetic: false });
  }
}

/** The first of these that is installed; undefined if none is. */
export function findTerraform(): string | undefined {
  const candidates = process.env.TERRAFORM_BINARY_NAME ? [process.env.TERRAFORM_BINARY_NAME] : ["terraform", "tofu"];
  return candidates.find(
    (command) => spawnSync(command, ["version"], { stdio: "ignore", env: process.env }).status === 0,
  );
}

/** Why the provider cannot be had; undefined if it can. */
export function providerProblem(command: string, scratch: string): string | undefined {
  const folder = join(scratch, "probe");
  mkdirSync(folder, { recursive: true });
  const required_providers = { google: { source: "hashicorp/google", version: "~> 6.50" } };
  writeFileSync(join(folder, "main.tf.json"), JSON.stringify({ terraform: { required_providers } }));
  const { ok, stderr } = new Terraform(command, folder, scratch).init();
  if (ok) return undefined;
  const text = stderr.replace(/[│╷╵]/g, " ").replace(/\s+/g, " ").trim();
  return /Error: (.{0,300}?[.:])(?: |$)/.exec(text)?.[1] ?? text.slice(0, 200);
}

/**
 * A copy of a stack that can be planned anywhere: its state is local and empty.
 * @param change what the copy has different
 */
export function copyStack(stack: SynthesizedStack, folder: string, change: (json: Json) => void = () => {}): void {
  cpSync(stack.folder, folder, { recursive: true, filter: (source) => !/\.terraform$|\.tfstate/.test(source) });
  const json = readJson(join(stack.folder, "cdk.tf.json"), `The stack ${stack.name}`);
  json.terraform = { ...(json.terraform as Json), backend: { local: { path: "terraform.tfstate" } } };
  change(json);
  writeFileSync(join(folder, "cdk.tf.json"), JSON.stringify(json, null, 2));
}

export interface PlanFacts {
  readonly creates: number;
  /** What a first plan should not have. */
  readonly problems: readonly string[];
}

/** Checks that a first plan creates everything that the stack has, changes nothing and reads nothing. */
export function firstPlan(plan: Json, stack: Json): PlanFacts {
  const changes = (plan.resource_changes ?? []) as { address: string; mode: string; change: { actions: string[] } }[];
  const problems = changes
    .filter(({ mode, change }) => mode !== "managed" || change.actions.join() !== "create")
    .map(
      ({ address, mode, change }) =>
        `${address}: the plan would ${mode === "data" ? "read" : change.actions.join(" and ")} it.`,
    );
  const planned = new Set(changes.map(({ address }) => address));
  for (const address of resourceAddresses(stack))
    if (!planned.has(address)) problems.push(`${address}: the plan leaves it out.`);
  if (stack.data !== undefined) problems.push("The stack has data sources, which are read while planning.");
  return { creates: changes.length - problems.length, problems };
}

export function resourceAddresses(stack: Json): string[] {
  const types = (stack.resource ?? {}) as Record<string, Record<string, unknown>>;
  return Object.entries(types).flatMap(([type, instances]) => Object.keys(instances).map((id) => `${type}.${id}`));
}
