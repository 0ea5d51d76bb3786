import { PassThrough } from "node:stream";
import { type Frame, frame, serveFrames } from "../../../runtime/platform/framed";

const encode = ({ header, payload }: Frame): Buffer => {
  const text = Buffer.from(JSON.stringify(header));
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32BE(text.length, 0);
  lengths.writeUInt32BE(payload.length, 4);
  return Buffer.concat([lengths, text, payload]);
};

function decode(bytes: Buffer): Frame[] {
  const found: Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [header, payload] = [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)];
    const body = at + 8 + header;
    found.push({
      header: JSON.parse(bytes.toString("utf8", at + 8, body)) as Frame["header"],
      payload: bytes.subarray(body, body + payload),
    });
    at = body + payload;
  }
  return found;
}

/** What is answered to a stream that arrives in pieces of some bytes. */
async function answers(requests: readonly Frame[], piece: number, handle: Parameters<typeof serveFrames>[2]) {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const chunks: Buffer[] = [];
  output.on("data", (chunk: Buffer) => chunks.push(chunk));
  const served = serveFrames(input, output, handle);
  const bytes = Buffer.concat(requests.map(encode));
  for (let at = 0; at < bytes.length; at += piece) input.write(bytes.subarray(at, at + piece));
  input.end();
  await served;
  return decode(Buffer.concat(chunks));
}

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe("frames over a pipe", () => {
  const requests = Array.from({ length: 20 }, (_, n) => frame({ n, name: "Schädel" }, Buffer.alloc(1000 * n, n)));

  test.each([1, 7, 4096, 1 << 20])(
    "are read whole from pieces of %i bytes and answered in their order",
    async (piece) => {
      const found = await answers(requests, piece, async ({ header, payload }) => {
        await wait(20 - (header.n as number));
        return frame({ n: header.n, name: header.name }, payload);
      });
      expect(found.map(({ header }) => header)).toEqual(requests.map(({ header }) => header));
      found.forEach(({ payload }, n) => {
        expect(Buffer.compare(Buffer.from(payload), Buffer.from((requests[n] as Frame).payload))).toBe(0);
      });
    },
  );

  test("an answer may have several frames, and a failure is an answer", async () => {
    const found = await answers(requests.slice(0, 3), 100, async ({ header }) => {
      if (header.n === 1) throw new Error("The bucket is gone.");
      if (header.n === 2) return frame({ last: true });
      return (async function* () {
        yield frame({ part: 1, more: true });
        await wait(5);
        yield frame({ part: 2 });
      })();
    });
    expect(found.map(({ header }) => header)).toEqual([
      { part: 1, more: true },
      { part: 2 },
      { error: "The bucket is gone." },
      { last: true },
    ]);
  });

  test("few requests are worked on at a time", async () => {
    let [running, most] = [0, 0];
    await answers(requests, 1 << 20, async () => {
      most = Math.max(most, ++running);
      await wait(2);
      running--;
      return frame({});
    });
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(8);
  });

  test("what is not made of frames, and what ends within one, is refused", async () => {
    const serve = (bytes: Buffer) => {
      const input = new PassThrough();
      input.end(bytes);
      return serveFrames(input, new PassThrough(), async () => frame({}));
    };
    await expect(serve(Buffer.from("GET / HTTP/1.1\r\n\r\n"))).rejects.toThrow(/not made of frames/);
    await expect(serve(encode(frame({ n: 1 })).subarray(0, 12))).rejects.toThrow(/ends within a frame/);
  });
});
