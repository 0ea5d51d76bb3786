import type { Duplex } from "node:stream";
import { GRPC } from "./errors";

/** What the service answers to one request of an append call. */
interface AppendResponse {
  readonly error?: { readonly code?: number | null; readonly message?: string | null } | null;
}

/** How the service failed, or the way to it. */
export class AppendError extends Error {
  constructor(
    /** Of gRPC. */
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

/** Longest that one request may take. */
const ANSWER_MS = 30_000;

/** One bidirectional call of AppendRows, on which one request at a time waits for its answer. */
export class AppendCall {
  private waiting: { readonly resolve: () => void; readonly reject: (error: AppendError) => void } | undefined;

  private over: AppendError | undefined;

  constructor(private readonly call: Duplex & { cancel(): void }) {
    call.on("data", ({ error }: AppendResponse) =>
      error?.code ? this.answer(new AppendError(error.code, error.message ?? "")) : this.answer(),
    );
    // Without a listener, an error would end the process.
    call.on("error", ({ code, message }: { readonly code?: number; readonly message: string }) =>
      this.end(new AppendError(code ?? GRPC.UNKNOWN, message)),
    );
    for (const event of ["end", "close"])
      call.on(event, () => this.end(new AppendError(GRPC.UNAVAILABLE, "the call has ended")));
  }

  /** Whether further requests can be made: the service ends a call that has been idle for some minutes. */
  get isOpen(): boolean {
    return this.over === undefined;
  }

  /** @throws {AppendError} */
  send(request: object): Promise<void> {
    if (this.over) return Promise.reject(this.over);
    if (this.waiting) throw new Error("One request at a time.");
    return new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => this.end(new AppendError(GRPC.DEADLINE_EXCEEDED, "no answer")), ANSWER_MS);
      const done =
        <A extends unknown[]>(settle: (...values: A) => void) =>
        (...values: A) => {
          clearTimeout(timer);
          settle(...values);
        };
      this.waiting = { resolve: done(resolve), reject: done(reject) };
      this.call.write(request);
    });
  }

  close(): void {
    this.end(new AppendError(GRPC.CANCELLED, "closed"));
  }

  private answer(error?: AppendError): void {
    const { waiting } = this;
    this.waiting = undefined;
    if (error) waiting?.reject(error);
    else waiting?.resolve();
  }

  /** An answer that comes later belongs to nobody: the next request has another call. */
  private end(error: AppendError): void {
    if (this.over) return;
    this.over = error;
    this.answer(error);
    this.call.end();
    // Neither end nor destroy makes a service go that does not answer: the call would stay open on both sides.
    this.call.cancel();
    this.call.destroy();
  }
}
