/**
 * Runs `work` without recording where each token was made. cdktf formats a complete stack trace for every reference, which
 * takes a quarter of a synth, and shows it in one rare error only. Errors keep their own stacks.
 */
export function withoutCreationStacks<T>(work: () => T): T {
  const record = Error.captureStackTrace;
  Error.captureStackTrace = (target: object) => {
    (target as { stack?: string }).stack = "";
  };
  try {
    return work();
  } finally {
    Error.captureStackTrace = record;
  }
}
