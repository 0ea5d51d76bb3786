import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newSalt, openSigner, type Sealed, seal, type Verified, verifyLog } from "../../runtime/audit";
import type { ObjectStore } from "../../runtime/platform/stores";
import { openStore } from "../../runtime/platform/stores";
import type { Row } from "../../runtime/platform/warehouse";
import { openWorkspace } from "../../runtime/platform/workspace";

/** A row of a request, as serve and score write it. */
export const predictionRow = (request: string, at: string, probability = 0.25): Row<"predictions"> => ({
  ...{ request, id: "a".repeat(64), model: "cnn-1", recipe: "r", probability, label: "Non-Cancer" },
  ...{ decision: "Non-Cancer", threshold: 0.5, sha256: "b".repeat(64), predicted_at: at, who: "dr@hospital.org" },
  milliseconds: null,
  salt: newSalt(),
});

export const auditRow = (request: string, at: string, action = "predict"): Row<"audit"> => ({
  ...{ request, action, who: "dr@hospital.org", role: "clinician", subject: "a".repeat(64), sha256: null },
  ...{ model: "cnn-1", recipe: "r", result: "Non-Cancer", recorded_at: at, salt: newSalt() },
});

export const feedbackRow = (feedback: string, request: string, at: string): Row<"feedback"> => ({
  ...{ feedback, request, id: "a".repeat(64), label: "Cancer", comment: "seen again", who: "dr@hospital.org" },
  ...{ given_at: at, supersedes: null, scope: null, confirmed: null, salt: newSalt() },
});

type Rows = Readonly<
  Record<string, readonly Row<"predictions">[] | readonly Row<"audit">[] | readonly Row<"feedback">[]>
>;

/** A workspace's rows and log, and an archive beside it, as folders that a test may change as somebody would. */
export class AuditedWorkspace {
  readonly out: string;
  readonly archive: string;

  constructor(readonly folder: string) {
    this.out = join(folder, "out");
    this.archive = join(folder, "archive");
  }

  /** @param rows by table and batch: `predictions/BATCH` */
  async write(rows: Rows): Promise<void> {
    const workspace = await openWorkspace(this.out);
    for (const [name, batch] of Object.entries(rows)) {
      const at = name.indexOf("/");
      await workspace.warehouse.append(name.slice(0, at) as "predictions", name.slice(at + 1), batch as never);
    }
    await workspace.close();
  }

  /** @param now the moment of the seal, ISO 8601 */
  async seal(
    now: string,
    more: {
      readonly archive?: boolean;
      readonly late?: boolean;
      readonly log?: ObjectStore;
      readonly archived?: ObjectStore;
    } = {},
  ): Promise<Sealed> {
    const workspace = await openWorkspace(this.out);
    try {
      return await seal({
        warehouse: workspace.warehouse,
        log: more.log ?? (await this.log()),
        archive: more.archive === false ? undefined : (more.archived ?? (await openStore(join(this.archive, "log")))),
        signer: await openSigner(join(this.out, "audit-key.pem")),
        ...{ waitMs: 0, late: more.late ?? false, now: () => new Date(now) },
      });
    } finally {
      await workspace.close();
    }
  }

  async verify({ archive = true } = {}): Promise<Verified> {
    const { warehouse, buckets, close } = await openWorkspace(this.out);
    const places = { warehouse, log: await this.log(), reports: buckets.reports };
    try {
      return await verifyLog(archive ? { ...places, archive: await openStore(join(this.archive, "log")) } : places);
    } finally {
      await close();
    }
  }

  log(): Promise<ObjectStore> {
    return openStore(join(this.out, "audit"));
  }

  /** What a person finds under a name below `out`. */
  path = (...names: readonly string[]) => join(this.out, ...names);

  rows = (name: string) => this.path("warehouse", `${name}.jsonl`);

  /** Changes a file as an editor does: a new one takes the name of the old. */
  edit(path: string, change: (text: string) => string): void {
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    rmSync(path, { force: true });
    writeFileSync(path, change(text));
  }
}
