import { ConfigurationError } from "../../config";
import type { WithMessageForLogs } from "../../names-in-logs";

/**
 * BigQuery did not do what it was asked. What BigQuery itself says is left out: it quotes values of rows.
 */
export class WarehouseError extends Error implements WithMessageForLogs {
  readonly forLogs: string;

  /** @param code what BigQuery calls it, such as quotaExceeded */
  constructor(
    message: string,
    readonly code: string,
  ) {
    super(message);
    this.forLogs = message;
    this.name = new.target.name;
  }
}

/** It may do so later: the caller can try again. */
export class WarehouseUnavailableError extends WarehouseError {}

/** https://grpc.io/docs/guides/status-codes/ */
export const GRPC = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

/** The name of an error's gRPC status or HTTP reason. */
export function codeOf(error: unknown): string {
  const { code, errors } = (error ?? {}) as { readonly code?: unknown; readonly errors?: unknown };
  const [first] = (Array.isArray(errors) ? errors : []) as { readonly reason?: unknown }[];
  if (typeof first?.reason === "string") return first.reason;
  return Object.entries(GRPC).find(([, value]) => value === code)?.[0] ?? String(code ?? "unknown");
}

/** Reasons for which the same request may succeed a little later. */
const BUSY = [
  "rateLimitExceeded",
  "jobRateLimitExceeded",
  "backendError",
  "jobBackendError",
  "internalError",
  "jobInternalError",
  "tableUnavailable",
];

export function isBusy(error: unknown): boolean {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  if (BUSY.includes(codeOf(error))) return true;
  if ([408, 429, 500, 502, 503, 504].includes(Number(code))) return true;
  return ["ECONNRESET", "ECONNREFUSED", "ETIMEDOUT", "EPIPE", "EAI_AGAIN", "ERR_STREAM_PREMATURE_CLOSE"].includes(
    String(code),
  );
}

/**
 * A failed request, as a sentence with what to do.
 *
 * @param what was to be done, as in "The question "current images" could not be asked"
 * @param where the dataset or table: `project.dataset`
 */
export function explained(error: unknown, what: string, where: string): Error {
  if (error instanceof WarehouseError || error instanceof ConfigurationError) return error;
  const { code } = (error ?? {}) as { readonly code?: unknown };
  const reason = codeOf(error);
  // The text is that of Google's client, and names no row.
  if (error instanceof Error && /unable to impersonate/.test(error.message))
    return new ConfigurationError("The warehouse", [
      `${what}: this process may not act as the account that WAREHOUSE_READER names. It needs roles/iam.serviceAccountTokenCreator on that account, which cdktf deploy of the hospital's app stack gives it.`,
    ]);
  if (reason === "bytesBilledLimitExceeded") {
    // The text is BigQuery's own and counts bytes; nothing else of it is used.
    const [, bytes] = /(\d+) or higher required/.exec(String((error as Error).message)) ?? [];
    const needed = bytes === undefined ? "more" : `${Math.ceil(Number(bytes) / 1024 ** 3)} GiB`;
    return new WarehouseError(
      `${what}: it would read ${needed} of ${where}, and one question may not read so much. ` +
        "If that is worth its price, raise the limit: ?maximumGib=N behind the dataset's name.",
      reason,
    );
  }
  if (code === 403 && ["accessDenied", "403"].includes(reason))
    return new ConfigurationError("The warehouse", [
      `${what}: BigQuery refuses it to this identity in ${where}. Asking needs roles/bigquery.jobUser in the project and roles/bigquery.dataViewer on the tables; adding rows needs bigquery.tables.get and bigquery.tables.updateData.`,
    ]);
  if (code === GRPC.PERMISSION_DENIED || code === GRPC.UNAUTHENTICATED || code === 401)
    return new ConfigurationError("The warehouse", [
      `${what}: BigQuery refuses it to this identity in ${where}. Adding rows needs bigquery.tables.get and bigquery.tables.updateData there; npm run doctor says who has them.`,
    ]);
  if (code === 404 || code === GRPC.NOT_FOUND)
    return new ConfigurationError("The warehouse", [
      `${what}: ${where} does not exist, or is not visible to this identity. cdktf deploy of the hospital's data stack makes it.`,
    ]);
  if (reason === "quotaExceeded" || code === GRPC.RESOURCE_EXHAUSTED)
    return new WarehouseUnavailableError(
      `${what}: a quota of BigQuery is used up (${reason}). Try again later, or ask for more in the console, under IAM and quotas.`,
      reason,
    );
  if (isBusy(error) || code === GRPC.UNAVAILABLE || code === GRPC.DEADLINE_EXCEEDED || code === GRPC.INTERNAL)
    return new WarehouseUnavailableError(
      `${what}: BigQuery cannot be reached, or does not answer (${reason}). Try again in some minutes.`,
      reason,
    );
  return new WarehouseError(`${what}: BigQuery answers ${reason} for ${where}.`, reason);
}
