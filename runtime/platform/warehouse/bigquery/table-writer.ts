import { setTimeout as sleep } from "node:timers/promises";
import { AppendCall, AppendError } from "./append-call";
import { GRPC, isBusy } from "./errors";
import type { RowEncoder } from "./row-encoder";
import type { StreamBook } from "./stream-book";

/** A request holds at most 10 MB; some of it is left for what stands around the rows. */
const REQUEST_BYTES = 9_000_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5_000;

/** Rows of a committed stream count as soon as they are acknowledged, those of a pending one once it is committed, all at once. */
export type StreamType = "COMMITTED" | "PENDING";

/** Of the Storage Write API, what a table's writer uses. */
export interface WriteService {
  /** @returns its name */
  createStream(type: StreamType): Promise<string>;
  /** Makes the rows of a pending stream that was finalised count. */
  commitStream(stream: string): Promise<void>;
  /** No row can be added to it afterwards, also by requests that are on their way. */
  finalizeStream(stream: string): Promise<void>;
  appendRows(stream: string): ConstructorParameters<typeof AppendCall>[0];
}

export interface TableWriterOptions {
  readonly service: WriteService;
  readonly encoder: () => Promise<RowEncoder>;
  readonly book: StreamBook;
  /** Which of some batches are stored; undefined where this process cannot see that. */
  readonly stored: (names: readonly string[]) => Promise<ReadonlySet<string> | undefined>;
  /** How long one request is tried again, in milliseconds. */
  readonly patienceMs: number;
}

interface Batch {
  readonly name: string;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface OpenStream {
  readonly name: string;
  readonly encoder: RowEncoder;
  /** How many rows it holds. */
  offset: number;
  call: AppendCall | undefined;
  /** Whether this call knows the columns. */
  described: boolean;
}

/**
 * Adds batches to one table through one committed stream of this process. What waits while a request is under way goes
 * together with the next one. A request names the offset of its first row, so one that is sent twice is stored once: the
 * service answers ALREADY_EXISTS to the second. Where a stream is lost with a request whose fate is not known, it is
 * finalised first, so that nothing can arrive late, and only what is not stored is sent to the next stream.
 */
export class TableWriter {
  private readonly waiting: Batch[] = [];

  private working: Promise<void> | undefined;

  private stream: OpenStream | undefined;

  constructor(private readonly options: TableWriterOptions) {}

  /**
   * Resolves once the rows are stored.
   * @throws {AppendError}
   * @throws {RangeError} if one row is more than a request can hold
   */
  async append(name: string, rows: Batch["rows"]): Promise<void> {
    // Of the encoded rows: what an attempt adds is the same for all.
    const bytes = Buffer.byteLength(JSON.stringify(rows)) + rows.length * (name.length + 80);
    if (bytes > REQUEST_BYTES) return this.storeLarge(name, rows);
    await new Promise<void>((resolve, reject) => {
      this.waiting.push({ name, rows, bytes, resolve, reject });
      this.start(() => this.work());
    });
  }

  /** Opens the stream, so that the first rows need not wait for it. What is wrong the first rows will hear. */
  async warm(): Promise<void> {
    this.start(async () => {
      this.stream ??= await this.open().catch(() => undefined);
      await this.work();
    });
    await this.working;
  }

  private start(work: () => Promise<void>): void {
    this.working ??= work().finally(() => {
      this.working = undefined;
    });
  }

  /** Waits for what is under way and finalises the stream. */
  async close(): Promise<void> {
    await this.working;
    await this.abandon();
  }

  private async work(): Promise<void> {
    // The first of many callers does not go alone.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const group: Batch[] = [];
      let bytes = 0;
      while (this.waiting[0] && (group.length === 0 || bytes + this.waiting[0].bytes <= REQUEST_BYTES)) {
        const next = this.waiting.shift() as Batch;
        bytes += next.bytes;
        group.push(next);
      }
      await this.store(group);
    }
  }

  /** Settles every batch of a group. */
  private async store(given: readonly Batch[]): Promise<void> {
    let group = given;
    const until = Date.now() + this.options.patienceMs;
    /** Whether a request may have been stored whose answer was lost. */
    let uncertain = false;
    let refusals = 0;
    for (let tries = 1; ; tries++) {
      try {
        if (uncertain && !this.stream) {
          group = await this.missing(group);
          uncertain = false;
          if (group.length === 0) return;
        }
        await this.send(group, uncertain);
        for (const { resolve } of group) resolve();
        return;
      } catch (error) {
        const failure = failureOf(error);
        uncertain ||= failure.uncertain;
        if (failure.kind === "refused") refusals++;
        if (refusals > 1 && group.length > 1) {
          // One of them is refused, and the others need not be.
          await this.abandon();
          for (const batch of group) await this.store([batch]);
          return;
        }
        const isLast = refusals > 1 || failure.kind === "fatal" || Date.now() > until;
        // Whoever comes next must not find the rows of this request at its offset.
        if (isLast || failure.kind !== "again") await this.abandon();
        if (isLast) {
          for (const { reject } of group) reject(error);
          return;
        }
        if (failure.kind === "again") {
          this.stream?.call?.close();
          await pause(tries);
        }
      }
    }
  }

  /** A batch that one request cannot hold: through a stream of its own, so that it is there as a whole or not at all. */
  private async storeLarge(name: string, rows: Batch["rows"]): Promise<void> {
    const until = Date.now() + this.options.patienceMs;
    let uncertain = false;
    for (let tries = 1; ; tries++) {
      try {
        if (uncertain && (await this.options.stored([name]))?.has(name)) return;
        const stream = await this.fill(name, rows);
        uncertain = true;
        await ofStream(this.options.service.commitStream(stream));
        return;
      } catch (error) {
        const { kind } = failureOf(error);
        // What was not committed counts for nobody, so that every other try begins anew.
        if (kind === "fatal" || (kind === "refused" && tries > 1) || Date.now() > until) throw error;
        await pause(tries);
      }
    }
  }

  /** @returns a stream with all rows, finalised */
  private async fill(name: string, rows: Batch["rows"]): Promise<string> {
    const { service } = this.options;
    const encoder = await this.options.encoder();
    const stream = await service.createStream("PENDING");
    const batch = { batch: name, attempt: attemptOf(stream, 0) };
    const call = new AppendCall(service.appendRows(stream));
    try {
      let sent = 0;
      let serializedRows: Uint8Array[] = [];
      let bytes = 0;
      const send = async () => {
        await call.send(requestOf(stream, sent, sent === 0 ? encoder : undefined, serializedRows));
        sent += serializedRows.length;
        [serializedRows, bytes] = [[], 0];
      };
      for (const [batch_row, row] of rows.entries()) {
        const encoded = encoder.encode({ ...row, ...batch, batch_row });
        if (encoded.length > REQUEST_BYTES) {
          const mb = (size: number) => Math.ceil(size / 1e6);
          throw new RangeError(
            `A row of a batch is ${mb(encoded.length)} MB; at most ${mb(REQUEST_BYTES)} MB are added at once.`,
          );
        }
        if (bytes + encoded.length > REQUEST_BYTES) await send();
        serializedRows.push(encoded);
        bytes += encoded.length;
      }
      await send();
      await ofStream(service.finalizeStream(stream));
      return stream;
    } finally {
      call.close();
    }
  }

  /** One request, which stores all of the group or nothing. */
  private async send(group: readonly Batch[], again: boolean): Promise<void> {
    this.stream ??= await this.open();
    const { stream } = this;
    if (!stream.call?.isOpen) {
      stream.call = new AppendCall(this.options.service.appendRows(stream.name));
      stream.described = false;
    }
    let at = stream.offset;
    const serializedRows: Uint8Array[] = [];
    for (const { name, rows } of group) {
      // Two batches of one name in one request are two attempts.
      const batch = { batch: name, attempt: attemptOf(stream.name, at) };
      for (const [batch_row, row] of rows.entries())
        serializedRows.push(stream.encoder.encode({ ...row, ...batch, batch_row }));
      at += rows.length;
    }
    try {
      const undescribed = stream.described ? undefined : stream.encoder;
      await stream.call.send(requestOf(stream.name, stream.offset, undescribed, serializedRows));
    } catch (error) {
      // An earlier try of this very request was stored.
      if (!(again && error instanceof AppendError && error.code === GRPC.ALREADY_EXISTS)) throw error;
    }
    stream.described = true;
    stream.offset = at;
  }

  private async open(): Promise<OpenStream> {
    const encoder = await this.options.encoder();
    const name = await this.options.service.createStream("COMMITTED");
    this.options.book.add(name);
    return { name, encoder, offset: 0, call: undefined, described: false };
  }

  private async abandon(): Promise<void> {
    const { stream } = this;
    if (!stream) return;
    this.stream = undefined;
    stream.call?.close();
    try {
      await this.options.service.finalizeStream(stream.name);
      this.options.book.remove(stream.name);
    } catch {
      // The service is away, or has forgotten the stream: of several attempts readers take one.
    }
  }

  /** What of a group whose stream is closed is not stored. */
  private async missing(group: readonly Batch[]): Promise<readonly Batch[]> {
    const stored = await this.options.stored(group.map(({ name }) => name));
    if (!stored) return group;
    for (const { name, resolve } of group) if (stored.has(name)) resolve();
    return group.filter(({ name }) => !stored.has(name));
  }
}

/** Of several attempts to add a batch, readers take the one whose sign is the least: the earliest. */
function attemptOf(stream: string, offset: number): string {
  return `${new Date().toISOString()}/${stream.slice(stream.lastIndexOf("/") + 1)}/${String(offset).padStart(12, "0")}`;
}

/** @param encoder where the call does not know the columns yet */
function requestOf(
  stream: string,
  offset: number,
  encoder: RowEncoder | undefined,
  serializedRows: Uint8Array[],
): object {
  return {
    writeStream: stream,
    offset: { value: String(offset) },
    protoRows: {
      ...(encoder ? { writerSchema: { protoDescriptor: encoder.descriptor } } : {}),
      rows: { serializedRows },
    },
  };
}

/** What fails with a stream that the service has forgotten is tried with another one. */
function ofStream(call: Promise<void>): Promise<void> {
  return call.catch(({ code, message }: { readonly code?: number; readonly message: string }) => {
    throw new AppendError(code ?? GRPC.UNKNOWN, message);
  });
}

const pause = (tries: number) =>
  sleep(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (tries - 1)) * (0.5 + Math.random() / 2));

/**
 * What follows from an error: `again` on the same stream, with a `fresh` one, a `refused` request that only other columns
 * could help, or none that is worth a try.
 */
function failureOf(error: unknown): { kind: "again" | "fresh" | "refused" | "fatal"; uncertain: boolean } {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  // Nothing was sent: a stream was to be made, or it was looked for what is stored.
  if (!(error instanceof AppendError))
    return { kind: isTransient(code) || isBusy(error) ? "again" : "fatal", uncertain: false };
  if (isTransient(code)) return { kind: "again", uncertain: code !== GRPC.RESOURCE_EXHAUSTED };
  switch (code) {
    case GRPC.INVALID_ARGUMENT:
      return { kind: "refused", uncertain: false };
    case GRPC.NOT_FOUND:
    case GRPC.FAILED_PRECONDITION:
    case GRPC.OUT_OF_RANGE:
    case GRPC.ALREADY_EXISTS:
      return { kind: "fresh", uncertain: false };
    case GRPC.UNKNOWN:
      // Not said to be worth another try at the same offset, and not said to be void.
      return { kind: "fresh", uncertain: true };
    default:
      return { kind: "fatal", uncertain: false };
  }
}

const isTransient = (code: unknown): boolean =>
  [
    GRPC.CANCELLED,
    GRPC.DEADLINE_EXCEEDED,
    GRPC.RESOURCE_EXHAUSTED,
    GRPC.ABORTED,
    GRPC.INTERNAL,
    GRPC.UNAVAILABLE,
  ].includes(code as 1);
