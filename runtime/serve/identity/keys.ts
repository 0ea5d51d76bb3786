import { createLocalJWKSet, errors, type FlattenedJWSInput, type JSONWebKeySet, type JWSHeaderParameters } from "jose";

/** The issuer's keys cannot be had, so that nobody can tell whether a token is good. */
export class KeysUnavailableError extends Error {
  constructor(options?: ErrorOptions) {
    super("The keys of the issuer of tokens cannot be fetched.", options);
    this.name = "KeysUnavailableError";
  }
}

export interface KeyTimes {
  /**
   * Keys older than this are fetched anew before a token is looked at, ms: so long one that was withdrawn is good. The
   * issuer's own `max-age` counts where it is shorter. After half of it they are fetched beside the work.
   *
   * @default 5 minutes
   */
  readonly fresh?: number;
  /** Within this they are fetched {@link BURST} times at most, whatever keys tokens name, ms. @default 30 seconds */
  readonly cooldown?: number;
  /** After a fetch that failed the next one waits so long, ms. @default 2 seconds */
  readonly retry?: number;
  /** Keys are used so long where none can be fetched, ms. @default an hour, in which most tokens expire */
  readonly stale?: number;
}

/** Keys may be changed twice within a minute; who sends tokens with keys that nobody has may not flood the issuer. */
export const BURST = 4;
/** An issuer that wants its keys fetched more often than this, ms, is not heard. */
const LEAST_FRESH = 30_000;
/** Most of a key set, bytes; Google's have three thousand. */
const MOST_BYTES = 2 ** 18;
const FETCH_MS = 5000;

/**
 * The public keys of an issuer, cached. jose's own remote set gives up keys that it has where the issuer's server is down,
 * and takes an answer of any size.
 */
export class IssuerKeys {
  private set: ReturnType<typeof createLocalJWKSet> | undefined;
  private fetchedAt = Number.NEGATIVE_INFINITY;
  /** How long the set is fresh, ms. */
  private fresh = 0;
  /** When the last fetches began, the newest at the end. */
  private tries: number[] = [];
  private failure: unknown;
  private pending: Promise<void> | undefined;
  private readonly times: Required<KeyTimes>;

  constructor(
    private readonly url: URL,
    times: KeyTimes = {},
  ) {
    this.times = { fresh: 300_000, cooldown: 30_000, retry: 2000, stale: 3_600_000, ...times };
  }

  /**
   * The key that a token says it is signed with.
   *
   * @throws {errors.JWKSNoMatchingKey} if the issuer has no such key
   * @throws {KeysUnavailableError} if that cannot be told
   */
  readonly find = async (header: JWSHeaderParameters, token: FlattenedJWSInput) => {
    const age = performance.now() - this.fetchedAt;
    if (age >= this.fresh) await this.refresh();
    else if (age >= this.fresh / 2) void this.refresh();
    if (!this.set || performance.now() - this.fetchedAt >= this.times.stale)
      throw new KeysUnavailableError({ cause: this.failure });
    try {
      return await this.set(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
    }
    // It may be newer than what is cached.
    await this.refresh();
    try {
      return await this.set(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey && this.failure !== undefined)
        throw new KeysUnavailableError({ cause: this.failure });
      throw error;
    }
  };

  /** Fetches them, unless that was done just now; never throws. */
  private refresh(): Promise<void> {
    if (this.pending) return this.pending;
    const now = performance.now();
    this.tries = this.tries.filter((at) => now - at < this.times.cooldown);
    const last = this.tries.at(-1);
    const tooSoon = this.failure !== undefined && last !== undefined && now - last < this.times.retry;
    if (tooSoon || this.tries.length >= BURST) return Promise.resolve();
    this.tries.push(now);
    this.pending = this.fetch()
      .then(
        ({ set, maxAge }) => {
          this.set = set;
          this.fetchedAt = performance.now();
          this.fresh = Math.min(this.times.fresh, Math.max(LEAST_FRESH, maxAge));
          this.failure = undefined;
        },
        (error: unknown) => {
          this.failure = error;
        },
      )
      .finally(() => {
        this.pending = undefined;
      });
    return this.pending;
  }

  private async fetch() {
    const response = await fetch(this.url, {
      // Wherever it leads, it is not what was configured.
      redirect: "error",
      headers: { accept: "application/json" },
      signal: AbortSignal.timeout(FETCH_MS),
    });
    if (!response.ok) throw new Error(`The server of the keys answered ${response.status}.`);
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of response.body ?? []) {
      size += part.length;
      if (size > MOST_BYTES) throw new Error(`The keys are larger than ${MOST_BYTES} bytes.`);
      parts.push(part);
    }
    const set = createLocalJWKSet(JSON.parse(Buffer.concat(parts).toString("utf8")) as JSONWebKeySet);
    return { set, maxAge: maxAgeOf(response.headers.get("cache-control") ?? "") };
  }
}

/** Milliseconds (RFC 9111, section 5.2.2); infinite where the issuer says nothing. */
function maxAgeOf(cacheControl: string): number {
  if (/\bno-(store|cache)\b/i.test(cacheControl)) return 0;
  const seconds = /\bmax-age="?(\d{1,9})/i.exec(cacheControl)?.[1];
  return seconds === undefined ? Number.POSITIVE_INFINITY : Number(seconds) * 1000;
}
