import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { PassThrough } from "node:stream";
import { Bodies } from "../../../runtime/serve/bodies";
import { Problem } from "../../../runtime/serve/problem";

const MEBIBYTE = 2 ** 20;
const tooLarge = new Problem(413, "file-too-large", "It is too large.");

/** A request whose body the test writes. */
function message(length?: number): PassThrough & IncomingMessage {
  const stream = new PassThrough({ highWaterMark: 64 * MEBIBYTE });
  const headers = length === undefined ? {} : { "content-length": String(length) };
  return Object.assign(stream, { headers }) as unknown as PassThrough & IncomingMessage;
}

const receive = (bodies: Bodies, stream: IncomingMessage, most = 8 * MEBIBYTE) =>
  bodies.receive(stream, most, tooLarge, async (body) => Buffer.from(body));

/** Sends so many bytes and not the end. */
async function begin(bodies: Bodies, size: number) {
  const stream = message(8 * MEBIBYTE);
  const outcome = receive(bodies, stream).catch((problem: Problem) => problem.code);
  stream.write(Buffer.alloc(size));
  await new Promise((resolve) => setImmediate(resolve));
  return { stream, outcome };
}

test.each([
  ["a known length", 3000],
  ["no length", undefined],
])("a body in pieces of one byte, with %s, is the same bytes", async (_, length) => {
  const bodies = new Bodies({ memory: 32 * MEBIBYTE, senderSeconds: 5 });
  const stream = message(length);
  const sent = Buffer.from(Uint8Array.from({ length: 3000 }, (_, i) => i % 251));
  const received = receive(bodies, stream);
  for (const byte of sent) stream.write(Buffer.from([byte]));
  stream.end();
  expect((await received).equals(sent)).toBe(true);
  expect(bodies.bytes).toBe(0);
});

test("memory is the work's: free again when it ends, and when it fails", async () => {
  const bodies = new Bodies({ memory: 32 * MEBIBYTE, senderSeconds: 5 });
  const stream = message(1000);
  stream.end(Buffer.alloc(1000));
  const failing = bodies.receive(stream, 1000, tooLarge, async (body) => {
    expect(body).toHaveLength(1000);
    expect(bodies.bytes).toBe(1000);
    throw new Error("broken");
  });
  await expect(failing).rejects.toThrow("broken");
  expect(bodies.bytes).toBe(0);
});

test("a length that is announced takes no memory: bytes do", async () => {
  const bodies = new Bodies({ memory: 32 * MEBIBYTE, senderSeconds: 5 });
  const slow = await Promise.all(Array.from({ length: 100 }, () => begin(bodies, 1)));
  expect(bodies.bytes).toBeLessThan(MEBIBYTE);
  for (const { stream } of slow) stream.destroy();
  expect(await Promise.all(slow.map(({ outcome }) => outcome))).toEqual(Array(100).fill("client-gone"));
  expect(bodies.bytes).toBe(0);
});

test("more than is taken, and more than there is memory for, are refused; what still comes is dropped", async () => {
  const bodies = new Bodies({ memory: 16 * MEBIBYTE, senderSeconds: 5 });
  const large = message();
  const refused = receive(bodies, large, 1000);
  large.write(Buffer.alloc(1001));
  await expect(refused).rejects.toBe(tooLarge);
  large.write(Buffer.alloc(5000));
  await new Promise((resolve) => setImmediate(resolve));
  expect(large.readableLength).toBe(0);

  const [first, second] = [await begin(bodies, 7 * MEBIBYTE), await begin(bodies, 7 * MEBIBYTE)];
  expect(await (await begin(bodies, 3 * MEBIBYTE)).outcome).toBe("busy");
  expect(bodies.bytes).toBe(14 * MEBIBYTE);
  for (const { stream } of [first, second]) stream.end(Buffer.alloc(MEBIBYTE - 1));
  // The two wanted the last of it at the same time.
  const outcomes = await Promise.all([first.outcome, second.outcome]);
  expect(bodies.bytes).toBe(0);
  expect(outcomes.some(Buffer.isBuffer)).toBe(true);
});

test("large bodies leave room for small ones; what is small and finds none takes it from the largest on its way", async () => {
  const bodies = new Bodies({ memory: 16 * MEBIBYTE, senderSeconds: 5 });
  const large = await begin(bodies, 7 * MEBIBYTE);
  const other = await begin(bodies, 6 * MEBIBYTE);
  const small = await Promise.all(Array.from({ length: 3 }, () => begin(bodies, MEBIBYTE)));
  expect(bodies.bytes).toBe(16 * MEBIBYTE);
  const plain = message(1000);
  plain.end(Buffer.alloc(1000));
  expect(await receive(bodies, plain)).toHaveLength(1000);
  expect(await large.outcome).toBe("busy");
  for (const { stream } of [other, ...small]) stream.destroy();
  await Promise.all([other, ...small].map(({ outcome }) => outcome));
  expect(bodies.bytes).toBe(0);
});

test("a sender that stalls is refused, one that goes on steadily is not; a stop refuses both", async () => {
  const bodies = new Bodies({ memory: 32 * MEBIBYTE, senderSeconds: 0.2 });
  const stalled = await begin(bodies, 1);
  const steady = await begin(bodies, MEBIBYTE);
  expect(await stalled.outcome).toBe("request-timeout");
  bodies.stop(0.05);
  expect(await steady.outcome).toBe("stopping");
  expect(bodies.bytes).toBe(0);
});

test("a sender is not held to have stalled by a server that was itself held up", async () => {
  const bodies = new Bodies({ memory: 32 * MEBIBYTE, senderSeconds: 0.2 });
  const sent = Buffer.alloc(MEBIBYTE, 7);
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const request = once(server, "request") as Promise<[IncomingMessage]>;
  client.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${sent.length}\r\n\r\n`);
  const [message] = await request;
  const received = receive(bodies, message).then(
    (body) => (body.equals(sent) ? "whole" : "another"),
    (problem: Problem) => problem.code,
  );
  // What it sends lies in this machine's memory, and nobody reads it.
  client.write(sent);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  const outcome = await received;
  client.destroy();
  server.close();
  expect(outcome).toBe("whole");
});
