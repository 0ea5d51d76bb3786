import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { EXIT } from "./command";

/** The work was stopped by a person or by the machine; what was finished stays. */
export class Interruption extends Error {
  constructor() {
    super("Interrupted.");
    this.name = "Interruption";
  }
}

export interface ChildOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** Gets all that it says. Readable by its owner alone: it may hold values. */
  readonly log?: string;
}

export interface ChildResult {
  /** Undefined where a signal ended it. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

const running = new Set<ChildProcess>();

/**
 * Runs a program to its end. An abort interrupts it once, and waits: Terraform then writes its state and gives its lock
 * back. It has a session of its own, or Ctrl-C in a terminal would reach it a second time, at which Terraform gives up.
 *
 * @throws {Interruption} if the signal is aborted, once the program has ended
 */
export async function runChild(
  [program, ...args]: readonly [string, ...string[]],
  options: ChildOptions,
): Promise<ChildResult> {
  const { cwd, env, signal, log } = options;
  if (signal.aborted) throw new Interruption();
  const child = spawn(program, args, { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const interrupt = () => void child.kill("SIGINT");
  running.add(child);
  signal.addEventListener("abort", interrupt, { once: true });
  try {
    const said = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const)
      child[stream].setEncoding("utf8").on("data", (text: string) => {
        said[stream] += text;
        if (log !== undefined) appendFileSync(log, text, { mode: 0o600 });
      });
    const code = await new Promise<number | null>((settle, fail) => {
      child.once("error", (error: NodeJS.ErrnoException) =>
        fail(error.code === "ENOENT" ? new Error(`${program} is not on PATH.`) : error),
      );
      child.once("close", settle);
    });
    if (signal.aborted) throw new Interruption();
    return { code: code ?? undefined, ...said };
  } finally {
    running.delete(child);
    signal.removeEventListener("abort", interrupt);
  }
}

/** Ends what still runs at once, with all that it started; for a person who will not wait. */
function killRunning(): void {
  for (const { pid } of running)
    if (pid !== undefined)
      try {
        process.kill(-pid, "SIGKILL");
      } catch {
        // It has just ended by itself.
      }
}

/** Ctrl-C interrupts what runs and waits for it; a second one does not wait. */
export function interruptible(): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) {
      killRunning();
      process.exit(EXIT.interrupted);
    }
    process.stderr.write("\nStopping: Terraform ends what it is at. Once more, and it is killed.\n");
    controller.abort();
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, stop);
  return {
    signal: controller.signal,
    release() {
      for (const signal of signals) process.off(signal, stop);
    },
  };
}
