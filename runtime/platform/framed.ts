import type { Readable, Writable } from "node:stream";
import { diskError } from "./disk";
import { messageForLogs } from "./names-in-logs";

/**
 * Messages over a pipe. Each is two 32-bit big-endian lengths, a header (a JSON object, UTF-8) and a payload (bytes). A
 * request is answered by one or more frames, in the order of the requests; all but the last of an answer have
 * `more: true`. An answer `{error}` says that the request could not be worked on, for no fault of its subject; it goes to
 * the log of a cluster, see {@link messageForLogs}.
 */
export interface Frame {
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Uint8Array;
}

/** What answers a request: a frame, or several one after the other. */
export type Answer = Frame | AsyncIterable<Frame>;

/** Requests that are worked on at a time: reading one object overlaps with decoding another. */
const CONCURRENCY = 8;
const LENGTHS = 8;
const LONGEST_HEADER = 2 ** 26;
const LONGEST_PAYLOAD = 2 ** 30;
const NOTHING = new Uint8Array(0);

export function frame(header: Readonly<Record<string, unknown>>, payload: Uint8Array = NOTHING): Frame {
  return { header, payload };
}

/**
 * Answers every request that comes in until the input ends. Waits while the other side does not read.
 * @throws if the input is not made of frames, or ends within one.
 */
export async function serveFrames(
  input: Readable,
  output: Writable,
  handle: (request: Frame) => Promise<Answer>,
): Promise<void> {
  const answers: Promise<Answer>[] = [];
  let finished = false;
  let wake = () => {};
  let room = () => {};

  const write = async (): Promise<void> => {
    for (;;) {
      const next = answers[0];
      if (!next) {
        if (finished) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      try {
        const answer = await next;
        if (Symbol.asyncIterator in answer) for await (const one of answer) await send(output, one);
        else await send(output, answer);
      } catch (error) {
        await send(output, frame({ error: messageForLogs(diskError(error) ?? error) }));
      }
      answers.shift();
      room();
    }
  };

  const read = async (): Promise<void> => {
    try {
      for await (const request of frames(input)) {
        const answer = handle(request);
        // Looked at in its turn; a failure before that must not count as unhandled.
        answer.catch(() => {});
        answers.push(answer);
        wake();
        while (answers.length >= CONCURRENCY)
          await new Promise<void>((resolve) => {
            room = resolve;
          });
      }
    } finally {
      finished = true;
      wake();
    }
  };
  await Promise.all([read(), write()]);
}

async function send(output: Writable, { header, payload }: Frame): Promise<void> {
  const text = Buffer.from(JSON.stringify(header));
  const head = Buffer.allocUnsafe(LENGTHS + text.length);
  head.writeUInt32BE(text.length, 0);
  head.writeUInt32BE(payload.byteLength, 4);
  text.copy(head, LENGTHS);
  output.cork();
  output.write(head);
  const more = payload.byteLength === 0 || output.write(payload);
  output.uncork();
  if (!more) await new Promise<void>((resolve) => output.once("drain", resolve));
}

async function* frames(input: Readable): AsyncGenerator<Frame> {
  let held: Buffer[] = [];
  let size = 0;
  let needed = LENGTHS;
  for await (const chunk of input as AsyncIterable<Buffer>) {
    held.push(chunk);
    size += chunk.length;
    while (size >= needed) {
      const bytes = held.length === 1 ? (held[0] as Buffer) : Buffer.concat(held);
      const [header, payload] = [bytes.readUInt32BE(0), bytes.readUInt32BE(4)];
      if (header > LONGEST_HEADER || payload > LONGEST_PAYLOAD)
        throw new Error(`The input is not made of frames: it announces ${header} and ${payload} bytes.`);
      const end = LENGTHS + header + payload;
      if (size < end) {
        held = [bytes];
        needed = end;
        break;
      }
      yield {
        header: JSON.parse(bytes.toString("utf8", LENGTHS, LENGTHS + header)) as Record<string, unknown>,
        payload: bytes.subarray(LENGTHS + header, end),
      };
      held = size > end ? [bytes.subarray(end)] : [];
      size -= end;
      needed = LENGTHS;
    }
  }
  if (size > 0) throw new Error(`The input ends within a frame, ${size} bytes after its start.`);
}
