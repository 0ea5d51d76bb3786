import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { type ObjectStore, PreconditionFailedError } from "../platform/stores";
import { contentOf } from "./log";

const LEASE = "lease.json";
/** Without a renewal. A seal of 2,048 leaves takes some hundred milliseconds. */
const LASTS_MS = 120_000;

interface Holder {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** ISO 8601. */
  readonly until: string;
}

const NOBODY: Holder = { id: "", host: "", pid: 0, until: "1970-01-01T00:00:00.000Z" };

/** The right to seal: one process has it at a time, until it gives it back, ends, or lets it expire. */
export class Lease {
  private constructor(
    private readonly store: ObjectStore,
    private readonly id: string,
    private generation: number,
  ) {}

  /** The lease, or until when another process has it (ISO 8601). */
  static async take(store: ObjectStore): Promise<Lease | string> {
    const seen = await store.stat(LEASE);
    if (seen) {
      const content = await contentOf(store, LEASE);
      // Given back meanwhile: the generation decides whether anybody has it now.
      const holder = content ? (JSON.parse(content.toString("utf8")) as Holder) : NOBODY;
      if (Date.parse(holder.until) > Date.now() && !isDead(holder)) return holder.until;
    }
    const id = randomUUID();
    try {
      const { generation } = await store.write(LEASE, content(id), { ifGenerationMatch: seen?.generation ?? 0 });
      return new Lease(store, id, generation);
    } catch (error) {
      if (!(error instanceof PreconditionFailedError)) throw error;
      return new Date(Date.now() + LASTS_MS).toISOString();
    }
  }

  /** @throws {PreconditionFailedError} if another process has taken it */
  async renew(): Promise<void> {
    const options = { ifGenerationMatch: this.generation };
    this.generation = (await this.store.write(LEASE, content(this.id), options)).generation;
  }

  async giveBack(): Promise<void> {
    await this.store.delete(LEASE, { ifGenerationMatch: this.generation }).catch((error: unknown) => {
      if (!(error instanceof PreconditionFailedError)) throw error;
    });
  }
}

function content(id: string): string {
  const until = new Date(Date.now() + LASTS_MS).toISOString();
  return JSON.stringify({ id, host: hostname(), pid: process.pid, until } satisfies Holder);
}

/** Of this machine's processes it can be told whether they live. */
function isDead({ host, pid }: Holder): boolean {
  if (host !== hostname()) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
