import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runChild } from "./child";
import { type Json, readJson, type SynthesizedStack } from "./synthesized";

/** Nothing listens there: whatever leaves this machine fails. */
const NOWHERE = "http://127.0.0.1:9";

/**
 * What Terraform runs with wherever nobody answers it: this process's environment, and one cache of providers.
 * @param folder where that cache is kept, unless TF_PLUGIN_CACHE_DIR names one
 * @param without variables that would lead it elsewhere than to what its caller has looked at
 */
export function terraformEnvironment(folder: string, without: RegExp): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !without.test(name));
  const cache = process.env.TF_PLUGIN_CACHE_DIR ?? join(folder, "plugins");
  mkdirSync(cache, { recursive: true });
  return {
    ...Object.fromEntries(own),
    TF_IN_AUTOMATION: "1",
    TF_INPUT: "0",
    TF_PLUGIN_CACHE_DIR: cache,
    CHECKPOINT_DISABLE: "1",
  };
}

/**
 * Credentials that nobody accepts, in place of the caller's own. The hermetic environment also leads every request into
 * the void, so that a plan which calls Google fails instead of succeeding by accident; what `apis` names is on the loopback
 * interface, to which no proxy leads.
 */
function hermeticEnvironment(scratch: string, { hermetic = true, apis = {} }: RunOptions): NodeJS.ProcessEnv {
  return {
    ...terraformEnvironment(scratch, /^(?:GOOGLE_|GCLOUD_|CLOUDSDK_|GCE_METADATA|TF_VAR_|TF_CLI_ARGS)/),
    GOOGLE_OAUTH_ACCESS_TOKEN: "dummy",
    USER_PROJECT_OVERRIDE: "false",
    ...apis,
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
  /** Undefined where a signal ended it. */
  readonly code: number | undefined;
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** @default true */
  readonly hermetic?: boolean;
  /** Variables that lead the provider to something else than Google. */
  readonly apis?: Readonly<Record<string, string>>;
}

/** Terraform, or OpenTofu, in one folder. */
export class Terraform {
  constructor(
    readonly command: string,
    readonly folder: string,
    private readonly scratch: string,
    private readonly signal: AbortSignal = new AbortController().signal,
  ) {}

  /** @throws {Interruption} once the signal is aborted, and Terraform has ended */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Run> {
    const env = hermeticEnvironment(this.scratch, options);
    const { code, ...said } = await runChild([this.command, ...args], { cwd: this.folder, env, signal: this.signal });
    return { ...said, code, ok: code === 0 };
  }

  /** Brings the provider: the only step that may use the network, and only where the provider comes from there. */
  init(): Promise<Run> {
    return this.run(["init", "-input=false", "-no-color"], { hermetic: false });
  }

  /** A plan that was kept in a file, as JSON. */
  async show(plan: string): Promise<Json> {
    const { ok, stdout, stderr } = await this.run(["show", "-json", plan]);
    if (!ok) throw new Error(`terraform show of ${plan} failed: ${stderr}`);
    return JSON.parse(stdout) as Json;
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
export async function providerProblem(command: string, scratch: string): Promise<string | undefined> {
  const folder = join(scratch, "probe");
  mkdirSync(folder, { recursive: true });
  const required_providers = { google: { source: "hashicorp/google", version: "~> 6.50" } };
  writeFileSync(join(folder, "main.tf.json"), JSON.stringify({ terraform: { required_providers } }));
  const { ok, stderr } = await new Terraform(command, folder, scratch).init();
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
  // The provider gathers requests for three seconds each.
  const { google = [] } = (json.provider ?? {}) as { google?: Json[] };
  json.provider = {
    ...(json.provider as Json),
    google: google.map((config) => ({ ...config, batching: { enable_batching: true, send_after: "300ms" } })),
  };
  change(json);
  writeFileSync(join(folder, "cdk.tf.json"), JSON.stringify(json, null, 2));
}

interface ResourceChange {
  readonly address: string;
  readonly mode: string;
  readonly change: {
    readonly actions: readonly string[];
    readonly before: unknown;
    readonly after: unknown;
    readonly after_unknown?: unknown;
    readonly before_sensitive?: unknown;
    readonly after_sensitive?: unknown;
    readonly replace_paths?: readonly (readonly (string | number)[])[];
  };
}

const changesOf = (plan: Json) => (plan.resource_changes ?? []) as ResourceChange[];

/** What a plan would do, of which a second plan has nothing: an address and its differences each, as a sentence. */
export function differences(plan: Json): string[] {
  const resources = changesOf(plan)
    .filter(({ change }) => change.actions.join() !== "no-op")
    .map(({ address, change }) => {
      const { actions, before, after, replace_paths = [] } = change;
      const forcing =
        replace_paths.length > 0 ? ` because of ${replace_paths.map((path) => path.join(".")).join(", ")}` : "";
      if (before === null || after === null) return `${address}: ${actions.join(" and ")}${forcing}.`;
      return `${address}: ${actions.join(" and ")}${forcing}: ${changedValues(change).join("; ") || "nothing that it shows"}.`;
    });
  const outputs = Object.entries((plan.output_changes ?? {}) as Record<string, ResourceChange["change"]>)
    .filter(([, { actions }]) => actions.join() !== "no-op")
    .map(([name]) => `output ${name}: changes.`);
  return [...resources, ...outputs];
}

/** Everything in a plan that deletes or replaces something. */
export function removals(plan: Json): string[] {
  return changesOf(plan)
    .filter(({ change }) => change.actions.includes("delete"))
    .map(({ address, change }) => `${address}: the plan would ${change.actions.join(" and ")} it.`);
}

/** `labels.owner "a" -> "b"`, without what Terraform keeps secret. */
function changedValues({
  before,
  after,
  after_unknown,
  before_sensitive,
  after_sensitive,
}: ResourceChange["change"]): string[] {
  const from = leaves(before);
  const to = leaves(after);
  const unknown = leaves(after_unknown);
  const secret = [...leaves(before_sensitive), ...leaves(after_sensitive)].filter(([, value]) => value === true);
  const show = (path: string, values: ReadonlyMap<string, unknown>) => {
    if (secret.some(([hidden]) => path === hidden || path.startsWith(`${hidden}.`))) return "(sensitive)";
    if (!values.has(path)) return "nothing";
    return JSON.stringify(values.get(path)).slice(0, 120);
  };
  return [...new Set([...from.keys(), ...to.keys()])]
    .filter((path) => JSON.stringify(from.get(path)) !== JSON.stringify(to.get(path)))
    .map(
      (path) => `${path} ${show(path, from)} -> ${unknown.get(path) === true ? "known after apply" : show(path, to)}`,
    );
}

/** Every value that is no list or object, by its path. */
function leaves(value: unknown, path = ""): Map<string, unknown> {
  if (typeof value !== "object" || value === null || Object.keys(value).length === 0) return new Map([[path, value]]);
  return new Map(
    Object.entries(value).flatMap(([name, inner]) => [...leaves(inner, path === "" ? name : `${path}.${name}`)]),
  );
}

export interface PlanFacts {
  readonly creates: number;
  /** What a first plan should not have. */
  readonly problems: readonly string[];
}

/** Checks that a first plan creates everything that the stack has, changes nothing and reads nothing. */
export function firstPlan(plan: Json, stack: Json): PlanFacts {
  const changes = changesOf(plan);
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
