import { writeAct } from "../../audit";
import type { Logger } from "../../platform/logging";
import type { Warehouse } from "../../platform/warehouse";
import { Problem } from "../problem";
import type { Caller } from "./roles";

declare module "fastify" {
  interface FastifyInstance {
    readonly audit: Audit;
  }
}

/** What callers do that is written down. */
export type AuditAction =
  | "predict"
  | "shadow"
  | "store"
  | "view-original"
  | "view-overlay"
  | "view-map"
  | "view-pixels"
  | "view-prediction"
  | "view-similar"
  | "view-scan"
  | "view-report"
  | "view-monitoring"
  | "view-study"
  | "deliver"
  | "history"
  | "feedback"
  | "promote"
  | "rollback";

/** One act: `{ action: "predict", ...request.caller, request: request.id, subject: answer.id, ... }`. */
export interface AuditEntry extends Caller {
  readonly action: AuditAction;
  /** Id of the request, or of its part where it asks for several things. */
  readonly request: string;
  /** Id of the prediction, of the model or of the image of the data set that it was done to. @default null */
  readonly subject?: string | null;
  /** SHA-256 of the decoded pixels that went in. @default null */
  readonly sha256?: string | null;
  readonly model?: string | null;
  readonly recipe?: string | null;
  /** What came of it, such as the decision: nothing that a person typed. @default null */
  readonly result?: string | null;
  /** Of an answer that no process gave which follows the current model. */
  readonly servedAs?: "pinned" | "shadow";
}

/** Writes down who did what, before he has the answer. */
export class Audit {
  constructor(
    private readonly warehouse: Pick<Warehouse, "append">,
    private readonly log: Logger,
  ) {}

  /**
   * Resolves once the row is written: only then may the answer be given.
   *
   * @throws {Problem} `audit-unavailable` if it cannot be
   */
  async record(entry: AuditEntry): Promise<void> {
    const { request, action, who, role, subject = null, sha256 = null } = entry;
    const { model = null, recipe = null, result = null, servedAs } = entry;
    const as = servedAs ? { served_as: servedAs } : {};
    const told = { request, action, who, role, subject, sha256, model, recipe, result, ...as };
    try {
      await writeAct(this.warehouse, told);
    } catch (error) {
      this.log.error({ err: error, request, action }, "The audit row cannot be written, so no answer was given");
      throw new Problem(
        503,
        "audit-unavailable",
        "The server cannot write down who asked for what, and gives no answer without that. Try again in a moment; if it goes on, tell an administrator.",
        { "retry-after": "5" },
      );
    }
  }
}
