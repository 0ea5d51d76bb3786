import { createHash } from "node:crypto";
import { readJson, tryToCreate } from "../../platform/stores";
import { Problem } from "../problem";
import type { KeptStore } from "./time-index";

/** Keys and the answers under them, for a day and then gone. */
export const KEYS = "idempotency/";
/** How long a key holds. */
export const KEY_DAYS = 1;
/** Beyond the time that an answer may take, for what is written after it. */
const GRACE_SECONDS = 15;
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
  /** When another may begin anew: whoever made the claim is done by then, or has died. */
  readonly until: string;
}

/**
 * Makes that a request with a key is done once, whichever instance gets it, and however often it is sent: the first makes a
 * claim, an object that only one can create; who comes later gets its answer, or is told to wait.
 */
export class Idempotency {
  private readonly claimSeconds: number;

  /** @param deadlineSeconds that an answer may take */
  constructor(
    private readonly store: KeptStore,
    deadlineSeconds: number,
  ) {
    this.claimSeconds = deadlineSeconds + GRACE_SECONDS;
  }

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
      const left = earlier ? Date.parse(earlier.until) - Date.now() : 0;
      if (!reply && left > 0) throw this.inProgress(left / 1000);
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

  /** @param left seconds of the claim, by this instance's clock */
  private inProgress(left: number): Problem {
    const wait = Math.max(1, Math.ceil(Math.min(left, this.claimSeconds)));
    return new Problem(
      409,
      "in-progress",
      `The first request with this Idempotency-Key is not done yet, or its server has died. Send this one again in ${wait} s: by then the first is done, or this one is.`,
      { "retry-after": String(wait) },
    );
  }

  private claim(name: string, fingerprint: string): Promise<boolean> {
    const claim: Claim = { fingerprint, until: new Date(Date.now() + this.claimSeconds * 1000).toISOString() };
    return tryToCreate(this.store, name, JSON.stringify(claim), { contentType: "application/json" });
  }

  private async read<T>(name: string): Promise<T | undefined> {
    if (!(await this.store.stat(name))) return undefined;
    return (await readJson(this.store, name)) as T;
  }
}

const reused = () =>
  new Problem(
    422,
    "idempotency-key-reused",
    "This Idempotency-Key was used for another request. Take a new one for each request, and the same only to send one again.",
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
