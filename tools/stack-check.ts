import { join } from "node:path";
import { checkSchema } from "./check-schema";
import type { GoogleApis } from "./google-apis";
import { googleSchema } from "./provider-schema";
import type { Json, SynthesizedStack } from "./synthesized";
import { copyStack, differences, firstPlan, type Run, removals, resourceAddresses, Terraform } from "./terraform";

/** In the order in which they are done. */
export const STEPS = [
  "schema",
  "init",
  "validate",
  "plan",
  "apply",
  "again",
  "refused",
  "allowed",
  "destroy",
  "left",
] as const;
export type Step = (typeof STEPS)[number];
export type Outcome = "ok" | "failed" | "-";

export interface CheckContext {
  readonly command: string;
  readonly scratch: string;
  /** Undefined: nothing is applied. */
  readonly apis: GoogleApis | undefined;
  readonly signal: AbortSignal;
  /** Told of every step that is done, with the seconds that it took. */
  readonly progress: (stack: string, step: Step, outcome: Outcome, seconds: number) => void;
}

/** Requests wait for an answer most of the time, so that many go at once. */
const PARALLEL = "-parallelism=64";
const QUIET = ["-input=false", "-no-color"];

/** The life of one stack: each step is done once, and those behind one that failed are left out. */
export class StackCheck {
  readonly steps: Record<Step, Outcome>;
  readonly problems: string[] = [];
  readonly resources: number;
  private readonly terraform: Terraform;

  constructor(
    readonly stack: SynthesizedStack,
    private readonly context: CheckContext,
  ) {
    this.steps = Object.fromEntries(STEPS.map((step) => [step, "-"])) as Record<Step, Outcome>;
    this.resources = resourceAddresses(stack.json).length;
    const folder = join(context.scratch, stack.name);
    this.terraform = new Terraform(context.command, folder, context.scratch, context.signal);
  }

  get failed(): boolean {
    return this.problems.length > 0;
  }

  get applies(): boolean {
    return this.context.apis !== undefined;
  }

  /** Whether Terraform itself refuses to destroy something of it. */
  get protects(): boolean {
    return JSON.stringify(this.stack.json.resource ?? {}).includes('"prevent_destroy":true');
  }

  /** What a stack is judged by without applying it: nothing is called. */
  async judge(): Promise<void> {
    await this.step("schema", () =>
      checkSchema(googleSchema(), this.stack.json).map(({ address, message }) => `${address}: ${message}`),
    );
    await this.step("init", async () => {
      copyStack(this.stack, this.terraform.folder);
      return problemOf(await this.terraform.init());
    });
    await this.step("validate", async () => {
      const { stdout } = await this.terraform.run(["validate", "-json"]);
      const { diagnostics = [] } = JSON.parse(stdout) as { diagnostics?: { summary: string; detail?: string }[] };
      return diagnostics.map(({ summary, detail }) => `${summary} ${detail ?? ""}`.trim());
    });
    await this.step("plan", async () => {
      const planned = await this.terraform.run(["plan", ...QUIET, "-out=first.bin"]);
      if (!planned.ok) return problemOf(planned);
      return firstPlan(await this.terraform.show("first.bin"), this.stack.json).problems;
    });
  }

  apply(): Promise<void> {
    return this.step("apply", async () => problemOf(await this.online(["apply", ...QUIET, PARALLEL, "first.bin"])));
  }

  /** A second plan has nothing to do. */
  again(): Promise<void> {
    return this.step("again", () => this.nothingToDo());
  }

  /** What protects its data keeps it from being destroyed. */
  refused(): Promise<void> {
    return this.step("refused", async () => {
      const { ok, stderr } = await this.online(["plan", "-destroy", "-refresh=false", ...QUIET]);
      if (ok) return ["Terraform would destroy it, though it protects data."];
      return /Instance cannot be destroyed/.test(stderr) ? [] : [tail(stderr)];
    });
  }

  /**
   * Deploys it with its protection lifted, over what stands: in place, and a plan behind that has nothing to do either.
   * @param lifted the same stack, synthesized with `allowDestroys`
   */
  allowed(lifted: SynthesizedStack): Promise<void> {
    return this.step("allowed", async () => {
      copyStack(lifted, this.terraform.folder);
      const planned = await this.online(["plan", ...QUIET, PARALLEL, "-out=lifted.bin"]);
      if (!planned.ok) return problemOf(planned);
      const lost = removals(await this.terraform.show("lifted.bin"));
      if (lost.length > 0) return lost;
      const applied = await this.online(["apply", ...QUIET, PARALLEL, "lifted.bin"]);
      return applied.ok ? this.nothingToDo() : problemOf(applied);
    });
  }

  destroy(): Promise<void> {
    return this.step("destroy", async () =>
      problemOf(await this.online(["destroy", "-auto-approve", ...QUIET, PARALLEL])),
    );
  }

  /** What is left of it are enabled APIs, and of its own keys the shells: their versions will be destroyed. */
  left(): Promise<void> {
    return this.step("left", () => {
      const own = (this.context.apis?.contents() ?? []).filter(
        ({ by, state }) => by === this.stack.name && state !== "DELETED",
      );
      const keys = own.filter(({ name }) => /^kms\/[^ ]+$/.test(name));
      const others = own.filter((entry) => !keys.includes(entry) && !/^serviceusage\//.test(entry.name));
      const types = (this.stack.json.resource ?? {}) as Record<string, object>;
      const count = (type: string) => Object.keys(types[type] ?? {}).length;
      const expected = count("google_kms_key_ring") + count("google_kms_crypto_key");
      const isVersion = ({ name }: { name: string }) => name.includes("/cryptoKeyVersions/");
      const shells = keys.filter((key) => !isVersion(key)).length;
      return [
        ...others.map(({ name }) => `${name} is left behind.`),
        ...keys
          .filter((key) => isVersion(key) && key.state !== "DESTROY_SCHEDULED")
          .map(({ name, state }) => `${name} is ${state}, and was to be destroyed.`),
        ...(shells === expected ? [] : [`${shells} rings and keys are left; it made ${expected}.`]),
      ];
    });
  }

  private async nothingToDo(): Promise<string[]> {
    const planned = await this.online(["plan", ...QUIET, PARALLEL, "-detailed-exitcode", "-out=again.bin"]);
    if (planned.code === 0) return [];
    if (planned.code !== 2) return problemOf(planned);
    return differences(await this.terraform.show("again.bin"));
  }

  private online(args: readonly string[]): Promise<Run> {
    const apis = { ...this.context.apis?.environment, TF_APPEND_USER_AGENT: `maker/${this.stack.name}` };
    return this.terraform.run(args, { apis });
  }

  private async step(name: Step, work: () => readonly string[] | Promise<readonly string[]>): Promise<void> {
    if (this.failed) return;
    const begun = Date.now();
    const found = await work();
    this.steps[name] = found.length === 0 ? "ok" : "failed";
    this.problems.push(...found.map((text) => `${name}: ${text}`));
    this.context.progress(this.stack.name, name, this.steps[name], (Date.now() - begun) / 1000);
  }
}

const problemOf = ({ ok, stderr }: Run): string[] => (ok ? [] : [tail(stderr)]);

/** What an error says and where, without the excerpt of the configuration. */
function tail(text: string): string {
  const lines = text.split("\n").map((line) => line.replace(/[│╷╵]/g, " ").trim().slice(0, 300));
  const errors = lines.filter((line) => /^(?:Error:|with \S+,$|google_\S+, provider$)/.test(line));
  return (errors.length > 0 ? errors : lines.filter((line) => line !== "")).slice(-12).join(" ");
}

/**
 * What stacks use and none of them makes, as a service names it: keys and buckets of the platform where it is not among
 * the stacks, keys that a line names.
 */
export function madeByOthers(stacks: readonly SynthesizedStack[]): string[] {
  const resources = (type: string) =>
    stacks.flatMap(({ json }) =>
      Object.values(((json.resource ?? {}) as Record<string, Record<string, Json>>)[type] ?? {}),
    );
  const made = new Set([
    ...resources("google_kms_key_ring").map(
      (ring) => `kms/projects/${ring.project}/locations/${ring.location}/keyRings/${ring.name}`,
    ),
    ...resources("google_storage_bucket").map(({ name }) => `storage/b/${name}`),
    ...resources("google_secret_manager_secret").map(
      ({ project, secret_id: secret }) => `secretmanager/projects/${project}/secrets/${secret}`,
    ),
    ...resources("google_artifact_registry_repository").map(
      (it) => `artifactregistry/projects/${it.project}/locations/${it.location}/repositories/${it.repository_id}`,
    ),
  ]);
  const text = stacks.map(({ json }) => JSON.stringify(json)).join("\n");
  const key = /(projects\/[^/"$]+\/locations\/[^/"$]+\/keyRings\/[\w-]+)\/cryptoKeys\/[\w-]+/g;
  const used = [
    ...[...text.matchAll(key)].filter(([, ring = ""]) => !made.has(`kms/${ring}`)).map(([name]) => `kms/${name}`),
    // A Shared VPC, and a perimeter.
    ...[...text.matchAll(/"https:\/\/www\.googleapis\.com\/(compute)\/v1\/(projects\/[\w-]+\/[\w/-]+)"/g)].map(
      ([, service, name]) => `${service}/${name}`,
    ),
    ...[...text.matchAll(/accessPolicies\/\d+\/servicePerimeters\/\w+/g)].map(
      ([name]) => `accesscontextmanager/${name}`,
    ),
    ...resources("google_storage_bucket_iam_member").map(({ bucket }) => `storage/b/${bucket}`),
    // What people keep of a receiver of answers.
    ...resources("google_secret_manager_secret_iam_member").map(
      ({ project, secret_id: secret }) => `secretmanager/projects/${project}/secrets/${secret}`,
    ),
    ...resources("google_artifact_registry_repository_iam_member").map(
      (it) => `artifactregistry/projects/${it.project}/locations/${it.location}/repositories/${it.repository}`,
    ),
  ];
  return [...new Set(used)].filter((name) => !made.has(name) && !name.includes("$"));
}
