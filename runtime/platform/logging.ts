import pino, { type DestinationStream, type Logger } from "pino";

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

/**
 * One JSON object a line in the shape that Cloud Logging reads: `severity`, `message`, `time` (RFC 3339), the rest as
 * payload. https://cloud.google.com/logging/docs/structured-logging
 */
export function createLogger(component: string, destination: DestinationStream = pino.destination(2)): Logger {
  return pino(
    {
      level: process.env.LOG_LEVEL ?? "info",
      messageKey: "message",
      base: { component },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ severity: SEVERITY[label] ?? "DEFAULT" }) },
      redact: { paths: ["patient_id", "*.patient_id", "authorization", "*.authorization"], censor: "[redacted]" },
    },
    destination,
  );
}
