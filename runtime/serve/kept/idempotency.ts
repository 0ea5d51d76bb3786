import { createHash } from "node:crypto";
import { PreconditionFailedError } from "../../platform/stores";
import { Problem } from "../problem";
import type { KeptStore } from "./time-index";

/** Keys and the answers under them, for a day and then gone. */
export const KEYS = "idempotency/";
/** How long a key holds, and how long one instance may be at work under it before another may begin anew. */
export const KEY_DAYS = 1;
const CLAIM_SECONDS = 180;
const MOST_CLAIMS = 100;

/** An answer as it can be given again. */
export interface KeptReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** Whether another try may go better: then this one is not given again. */
  readonly passing?: boolean;
}

/** What a key was used for. */
export interface KeyUse {
  readonly who: string;
  readonly key: string;
  /** Of the request: the route, what it is about and its body. */
  readonly parts: readonly (string | Buffer)[];
}

interface Claim {
  readonly fingerprint: string;
  readonly until: string;
}

/**
 * Makes that a request with a key is done once, whichever instance gets it, and however often it is sent: the first makes a
 * claim, an object that only one can create; who comes later gets its answer, or is told to wait.
 */
export class Idempotency {
  constructor(private readonly store: KeptStore) {}

  /**
   * Does the work, unless it was done under this key before: then `again` is true and the reply is that one. Replies of 500
   * and more, and those that pass, are not kept, so that the request can be sent again.
   *
   * @throws {Problem} `idempotency-key-reused` for another request under the key, `in-progress` where the first is not done
   */
  async once(
    { who, key, parts }: KeyUse,
    work: () => Promise<KeptReply>,
  ): Promise<{ readonly reply: KeptReply; readonly again: boolean }> {
    const folder = `${KEYS}${sha256([who, key])}/`;
    const fingerprint = sha256(parts);
    for (let attempt = 1; attempt <= MOST_CLAIMS; attempt++) {
      const name = `${folder}${String(attempt).padStart(3, "0")}`;
      if (await this.claim(`${name}-claim.json`, fingerprint)) return this.work(name, work);
      const earlier = await this.read<Claim>(`${name}-claim.json`);
      if (earlier && earlier.fingerprint !== fingerprint) throw reused();
      const reply = await this.read<KeptReply>(`${name}-reply.json`);
      if (reply && reply.status < 500) return { reply, again: true };
      if (!reply && earlier && Date.parse(earlier.until) > Date.now()) throw inProgress();
    }
    throw new Problem(422, "idempotency-key-reused", "Under this Idempotency-Key too much failed. Take a new one.");
  }

  private async work(name: string, work: () => Promise<KeptReply>) {
    let reply: KeptReply = { status: 500, contentType: "", body: "" };
    try {
      reply = await work();
      return { reply, again: false };
    } finally {
      const kept = reply.status < 500 && !reply.passing ? reply : { ...reply, status: 500, body: "" };
      await this.store.create(`${name}-reply.json`, JSON.stringify(kept), { contentType: "application/json" });
    }
  }

  private async claim(name: string, fingerprint: string): Promise<boolean> {
    const claim: Claim = { fingerprint, until: new Date(Date.now() + CLAIM_SECONDS * 1000).toISOString() };
    try {
      await this.store.create(name, JSON.stringify(claim), { contentType: "application/json" });
      return true;
    } catch (error) {
      if (error instanceof PreconditionFailedError) return false;
      throw error;
    }
  }

  private async read<T>(name: string): Promise<T | undefined> {
    if (!(await this.store.stat(name))) return undefined;
    return JSON.parse((await this.store.read(name)).toString("utf8")) as T;
  }
}

const reused = () =>
  new Problem(
    422,
    "idempotency-key-reused",
    "This Idempotency-Key was used for another request. Take a new one for each request, and the same only to send one again.",
  );

const inProgress = () =>
  new Problem(
    409,
    "in-progress",
    "The first request with this Idempotency-Key is not done yet. Ask again in a moment.",
    {
      "retry-after": "2",
    },
  );

/** SHA-256 over parts and where each ends. */
function sha256(parts: readonly (string | Buffer)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) {
    const bytes = Buffer.from(part);
    hash.update(`${bytes.length} `).update(bytes);
  }
  return hash.digest("hex");
}
