import { ConfigurationError } from "./config";
import { diskError } from "./disk";
import { createLogger, type Logger } from "./logging";
import { messageForLogs } from "./names-in-logs";

/** What a job of the cloud works with: no terminal, no workspace. */
export interface JobTools {
  readonly log: Logger;
  /** Aborted when the platform asks the process to end. */
  readonly signal: AbortSignal;
}

/** Runs a job once. It stops at a safe point when the platform asks it to. */
export async function runJob(name: string, work: (tools: JobTools) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once("SIGTERM", onSignal);
  process.once("SIGINT", onSignal);
  try {
    await work({ log: createLogger(name), signal: stop.signal });
  } finally {
    process.off("SIGTERM", onSignal);
    process.off("SIGINT", onSignal);
  }
}

/**
 * Says why a job's process could not do its work and gives it its exit code: 2 for its configuration, else 1. What it
 * says goes to a log, see {@link messageForLogs}.
 */
export function reportJobFailure(error: unknown): void {
  process.stderr.write(`${messageForLogs(diskError(error) ?? error)}\n`);
  process.exitCode = error instanceof ConfigurationError ? 2 : 1;
}
