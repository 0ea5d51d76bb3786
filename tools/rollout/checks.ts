import { setTimeout as wait } from "node:timers/promises";
import { type ChildResult, Interruption, runChild } from "../child";
import { type Member, stacksOf } from "./members";
import type { StackRunner } from "./stack-runner";

/** What a wave has to pass before the next one begins. */
export interface Check {
  readonly name: string;
  /** @default during the whole time; `end`: once, when it is over */
  readonly when?: "end";
  /**
   * @param since when the wave was applied
   * @returns a sentence for each thing that is wrong with a hospital; none if it is well
   */
  run(member: Member, since: Date, signal: AbortSignal): Promise<readonly string[]>;
}

/** Runs a command and gives what it said; tests put their own in its place. */
export type Ask = (
  command: readonly [string, ...string[]],
  hospital: string,
  signal: AbortSignal,
  env?: NodeJS.ProcessEnv,
) => Promise<ChildResult>;

export interface CheckOptions {
  readonly runner: StackRunner;
  readonly ask: Ask;
  /** A shell command, see {@link commandCheck}. */
  readonly command?: string | undefined;
  /** 5xx answers that a hospital may give while it is watched. */
  readonly maxErrors: number;
}

/** What every wave has to pass: what runs is ready and answers, and what was deployed is what is there. */
export function standardChecks({ runner, ask, command, maxErrors }: CheckOptions): Check[] {
  return [
    readiness(ask),
    answers(ask, maxErrors),
    ...(command === undefined ? [] : [commandCheck(command, ask)]),
    nothingLeftToChange(runner),
  ];
}

/** Cloud Run calls a revision ready once its startup probe has been answered, which asks /readyz. */
function readiness(ask: Ask): Check {
  return {
    name: "ready",
    run: async (member, _since, signal) => {
      const problems: string[] = [];
      for (const { name, kind } of servicesOf(member)) {
        const { project, region } = member.hospital;
        const describe = kind === "service" ? ["run", "services", "describe"] : ["functions", "describe"];
        const where = [`--region=${region}`, `--project=${project}`, "--format=json"];
        const said = await gcloud(ask, [...describe, name, ...where], member, signal);
        const state = said as {
          state?: string;
          status?: { conditions?: { type: string; status: string; message?: string }[] };
        };
        const ready = state.status?.conditions?.find(({ type }) => type === "Ready");
        if (kind === "service" && ready?.status !== "True") problems.push(`Cloud Run ${name} is not ready.`);
        if (kind === "function" && state.state !== "ACTIVE")
          problems.push(`The function ${name} is ${state.state ?? "not there"}.`);
      }
      return problems;
    },
  };
}

/** Counts answers that are the service's fault in the request log. */
function answers(ask: Ask, most: number): Check {
  return {
    name: "answers",
    run: async (member, since, signal) => {
      if (servicesOf(member).length === 0) return [];
      const filter = [
        'resource.type="cloud_run_revision"',
        "httpRequest.status>=500",
        `timestamp>="${since.toISOString()}"`,
      ].join(" AND ");
      const limit = [`--limit=${most + 1}`, `--project=${member.hospital.project}`, "--format=json(timestamp)"];
      const found = await gcloud(ask, ["logging", "read", filter, ...limit], member, signal);
      const count = Array.isArray(found) ? found.length : 0;
      return count > most ? [`More than ${most} answers were errors (5xx) since ${since.toISOString()}.`] : [];
    },
  };
}

/** A command of the operator's own; anything but exit code 0 is a problem. */
function commandCheck(command: string, ask: Ask): Check {
  return {
    name: "command",
    run: async (member, since, signal) => {
      const { name, project, region } = member.hospital;
      const variables = {
        HOSPITAL: name,
        PROJECT: project,
        REGION: region,
        WAVE: `${member.wave}`,
        SINCE: since.toISOString(),
      };
      const { code, stderr } = await ask(["sh", "-c", command], name, signal, variables);
      if (code === 0) return [];
      const [said] = stderr.trim().split("\n").slice(-1);
      return [`"${command}" ended with ${code ?? "a signal"}${said ? `: ${said}` : "."}`];
    },
  };
}

/** What was written is what is read back. At the end, since some of Google's answers are behind for minutes. */
function nothingLeftToChange(runner: StackRunner): Check {
  return {
    name: "no change left",
    when: "end",
    run: async (member) => {
      const problems: string[] = [];
      for (const { stack } of stacksOf([member]))
        if (await runner.differences(stack, member.hospital.name))
          problems.push(`${stack.name} was applied, and another plan would change it again.`);
      return problems;
    },
  };
}

async function gcloud(ask: Ask, args: readonly string[], { hospital }: Member, signal: AbortSignal): Promise<unknown> {
  const { code, stdout, stderr } = await ask(["gcloud", ...args], hospital.name, signal);
  if (code !== 0) throw new Error(`gcloud ${args.slice(0, 3).join(" ")} failed: ${stderr.trim().slice(-400)}`);
  return stdout.trim() === "" ? undefined : JSON.parse(stdout);
}

function servicesOf({ stacks }: Member): { readonly name: string; readonly kind: "service" | "function" }[] {
  const resources = (stacks.app.json.resource ?? {}) as Record<string, Record<string, { name?: unknown }>>;
  const named = (type: string, kind: "service" | "function") =>
    Object.values(resources[type] ?? {}).map(({ name }) => ({ name: String(name), kind }));
  return [...named("google_cloud_run_v2_service", "service"), ...named("google_cloudfunctions2_function", "function")];
}

/** A hospital that did not pass. */
export interface Failure {
  readonly member: Member;
  readonly check: string;
  readonly sentences: readonly string[];
}

const INTERVAL_MS = 60_000;

/**
 * Watches a wave for some time, all hospitals again and again.
 *
 * @param soakMs 0: everything is looked at once
 * @returns the first that did not pass; undefined if all did
 * @throws {Interruption}
 */
export async function watch(
  members: readonly Member[],
  checks: readonly Check[],
  soakMs: number,
  signal: AbortSignal,
  intervalMs = INTERVAL_MS,
): Promise<Failure | undefined> {
  const since = new Date();
  const look = async (end: boolean): Promise<Failure | undefined> => {
    for (const check of checks.filter(({ when }) => when === undefined || end))
      for (const member of members) {
        if (signal.aborted) throw new Interruption();
        const sentences = await attempt(() => check.run(member, since, signal));
        if (sentences.length > 0) return { member, check: check.name, sentences };
      }
    return undefined;
  };
  const until = performance.now() + soakMs;
  for (let left = soakMs; left > 0; left = until - performance.now()) {
    const failure = await look(false);
    if (failure) return failure;
    await wait(Math.max(0, Math.min(intervalMs, until - performance.now())), undefined, { signal }).catch(() => {
      throw new Interruption();
    });
  }
  return look(true);
}

/** A check that cannot be made has not been passed. */
async function attempt(check: () => Promise<readonly string[]>): Promise<readonly string[]> {
  try {
    return await check();
  } catch (error) {
    if (error instanceof Interruption) throw error;
    return [error instanceof Error ? error.message : String(error)];
  }
}

/** Commands of checks, with the credentials of the hospital that they are about. */
export const askWith =
  (credentials: ((hospital: string) => NodeJS.ProcessEnv) | undefined): Ask =>
  (command, hospital, signal, env = {}) =>
    runChild(command, { signal, env: { ...process.env, ...credentials?.(hospital), ...env } });
