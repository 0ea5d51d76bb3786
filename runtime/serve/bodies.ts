import type { IncomingMessage } from "node:http";
import { busy, clientGone, type Problem, requestTimeout, stopping } from "./problem";

const KIBIBYTE = 2 ** 10;
const MEBIBYTE = 2 ** 20;
/** A body has as long as the sender may be silent, and a second more for every so many bytes that have arrived. */
const SLOWEST_BYTES_PER_SECOND = 64 * KIBIBYTE;
/** Most scans are smaller, bytes. Larger bodies leave an eighth of the memory to these. */
const SMALL = 2 * MEBIBYTE;
const NO_MEMORY = "more large scans on their way than it has memory for";
const FIRST_CAPACITY = 4 * KIBIBYTE;

/** A body that is on its way. */
interface Arrival {
  /** Bytes of memory. */
  capacity: number;
  /** Gives it up: its sender is told why. */
  refuse(problem: Problem): void;
}

export interface BodyLimits {
  /** Bytes of all bodies together, those on their way and those that are worked on. */
  readonly memory: number;
  /** Seconds that a sender may be silent. */
  readonly senderSeconds: number;
}

/** Receives bodies, within bounds of time and memory, so that whoever sends slowly or much locks nobody out. */
export class Bodies {
  private held = 0;
  private readonly arriving = new Set<Arrival>();

  constructor(private readonly limits: BodyLimits) {}

  /** Bytes of memory that bodies take. */
  get bytes(): number {
    return this.held;
  }

  /**
   * Receives a body and runs `work` with it. Its memory is the work's, and counts as taken until the work has ended.
   *
   * @param most bytes
   * @throws {Problem} `request-timeout`, `busy`, `stopping`, `client-gone`, and `tooLarge`
   */
  async receive<T>(
    message: IncomingMessage,
    most: number,
    tooLarge: Problem,
    work: (body: Buffer) => Promise<T>,
  ): Promise<T> {
    const arrival: Arrival = { capacity: 0, refuse: () => {} };
    try {
      return await work(await this.collect(message, most, tooLarge, arrival));
    } finally {
      this.release(arrival);
    }
  }

  /** Bodies that are on their way have so many seconds more. */
  stop(seconds: number): void {
    setTimeout(() => {
      for (const arrival of this.arriving) arrival.refuse(stopping());
    }, seconds * 1000).unref();
  }

  private collect(message: IncomingMessage, most: number, tooLarge: Problem, arrival: Arrival): Promise<Buffer> {
    const announced = Number(message.headers["content-length"] ?? Number.NaN);
    const highest = Math.min(most, Number.isNaN(announced) ? most : announced);
    const started = performance.now();
    // One growing piece of memory and no list of chunks: in chunks of one byte the list would be many times the body.
    let body = Buffer.alloc(0);
    let size = 0;

    return new Promise((resolve, reject) => {
      const end = () => {
        this.arriving.delete(arrival);
        clearTimeout(timer);
        clearImmediate(look);
        message.off("data", take).off("end", done).off("close", gone).off("error", gone);
      };
      const refuse = (problem: Problem) => {
        end();
        this.release(arrival);
        // What still comes is read and dropped, so that the answer is read.
        message.resume();
        reject(problem);
      };
      const take = (chunk: Buffer) => {
        if (size + chunk.length > highest) return refuse(tooLarge);
        if (size + chunk.length > body.length) {
          const capacity = Math.min(highest, Math.max(FIRST_CAPACITY, 2 * body.length, size + chunk.length));
          if (!this.makeRoom(arrival, capacity)) return refuse(busy(NO_MEMORY));
          const grown = Buffer.allocUnsafeSlow(capacity);
          body.copy(grown, 0, 0, size);
          body = grown;
        }
        chunk.copy(body, size);
        size += chunk.length;
      };
      const done = () => {
        end();
        resolve(body.subarray(0, size));
      };
      const gone = () => refuse(clientGone());
      const left = () => {
        const patience = this.limits.senderSeconds + size / SLOWEST_BYTES_PER_SECOND;
        return started + patience * 1000 - performance.now();
      };
      let look: NodeJS.Immediate | undefined;
      const watch = () => {
        if (left() > 0) timer = setTimeout(watch, left() + 1);
        // Timers come before what has arrived is read: where the server was held up, that may be the whole body.
        else look = setImmediate(() => (left() > 0 ? watch() : refuse(requestTimeout())));
      };
      let timer = setTimeout(watch, this.limits.senderSeconds * 1000);

      arrival.refuse = refuse;
      this.arriving.add(arrival);
      if (message.destroyed && !message.readableEnded) return gone();
      message.on("data", take).on("end", done).on("close", gone).on("error", gone);
    });
  }

  /** Takes the memory for a body that grows; a small one may take it from the largest that is still on its way. */
  private makeRoom(arrival: Arrival, capacity: number): boolean {
    const { memory } = this.limits;
    const small = capacity <= SMALL;
    const most = small ? memory : memory - memory / 8;
    const room = () => this.held - arrival.capacity + capacity <= most;
    while (!room()) {
      const largest = small ? this.largestBut(arrival) : undefined;
      if (!largest || largest.capacity <= capacity) return false;
      largest.refuse(busy(NO_MEMORY));
    }
    this.held += capacity - arrival.capacity;
    arrival.capacity = capacity;
    return true;
  }

  private release(arrival: Arrival): void {
    this.held -= arrival.capacity;
    arrival.capacity = 0;
  }

  private largestBut(arrival: Arrival): Arrival | undefined {
    let largest: Arrival | undefined;
    for (const other of this.arriving) {
      if (other !== arrival && other.capacity > (largest?.capacity ?? 0)) largest = other;
    }
    return largest;
  }
}
