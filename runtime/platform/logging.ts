import pino, { type DestinationStream, type Logger } from "pino";

import { withoutNames } from "./names-in-logs";

export type { Logger } from "pino";

/** Cloud Logging's severities. https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity */
const SEVERITY: Record<string, string> = {
  trace: "DEBUG",
  debug: "DEBUG",
  info: "INFO",
  warn: "WARNING",
  error: "ERROR",
  fatal: "CRITICAL",
};

export interface LoggerOptions {
  /**
   * Whether names that people gave may stand in it: on the terminal of the person whose files they are.
   * @default false
   */
  readonly keepNames?: boolean;
  /** @default standard error */
  readonly destination?: DestinationStream;
}

/**
 * One JSON object a line in the shape that Cloud Logging reads: `severity`, `message`, `time` (RFC 3339), the rest as
 * payload. https://cloud.google.com/logging/docs/structured-logging
 *
 * Names of files may be names of patients: they are left out, see {@link withoutNames}.
 */
export function createLogger(component: string, options: LoggerOptions = {}): Logger {
  return pino(
    {
      level: process.env.LOG_LEVEL ?? "info",
      messageKey: "message",
      base: { component },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ severity: SEVERITY[label] ?? "DEFAULT" }) },
      redact: { paths: ["patient_id", "*.patient_id", "authorization", "*.authorization"], censor: "[redacted]" },
      ...(options.keepNames
        ? {}
        : {
            // It is a plain object when pino gets it.
            serializers: { err: (err: unknown) => err },
            hooks: {
              logMethod(given, method) {
                method.apply(this, withoutNames(given));
              },
            },
          }),
    },
    options.destination ?? pino.destination(2),
  );
}
