import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { crc32cOf } from "../../../../runtime/platform/stores/crc32c";
import { DirectoryStore } from "../../../../runtime/platform/stores/directory-store";
import { GcsStore } from "../../../../runtime/platform/stores/gcs-store";
import {
  ChecksumMismatchError,
  InvalidObjectNameError,
  ObjectNotFoundError,
  type ObjectStore,
  ObjectTooLargeError,
  PreconditionFailedError,
} from "../../../../runtime/platform/stores/object-store";
import { openStore } from "../../../../runtime/platform/stores/open-store";
import { type GcsServer, startGcsServer } from "../../../support/gcs-server";

let server: GcsServer;
let scratch: string;
let buckets = 0;

beforeAll(async () => {
  server = await startGcsServer();
  scratch = mkdtempSync(join(tmpdir(), "stores-"));
});
afterAll(async () => {
  await server.stop();
  rmSync(scratch, { recursive: true, force: true });
});

const adapters: Record<string, () => Promise<ObjectStore>> = {
  DirectoryStore: async () => new DirectoryStore(join(scratch, `bucket-${++buckets}`)),
  GcsStore: async () => {
    const name = `bucket-${++buckets}`;
    await server.createBucket(name);
    return GcsStore.open(`gs://${name}`, server.endpoint);
  },
};

const WRONG_CRC = crc32cOf(Buffer.from("something else"));

async function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function names(store: ObjectStore, prefix?: string): Promise<string[]> {
  const found: string[] = [];
  for await (const object of store.listAll(prefix)) found.push(object.name);
  return found;
}

describe.each(Object.entries(adapters))("%s", (_name, open) => {
  let store: ObjectStore;
  beforeEach(async () => {
    store = await open();
  });

  test("gives back what was written, with what is known of it", async () => {
    const written = await store.write("Cancer/a.png", Buffer.from([1, 2, 3]), {
      contentType: "image/png",
      metadata: { id: "x" },
    });
    expect(written).toMatchObject({
      name: "Cancer/a.png",
      size: 3,
      crc32c: crc32cOf(Buffer.from([1, 2, 3])),
      contentType: "image/png",
      metadata: { id: "x" },
    });
    expect(written.generation).toBeGreaterThan(0);
    expect(new Date(written.updated).toISOString()).toBe(written.updated);
    expect(await store.stat("Cancer/a.png")).toEqual(written);
    expect(await store.read("Cancer/a.png")).toEqual(Buffer.from([1, 2, 3]));
    expect(await collect(await store.createReadStream("Cancer/a.png"))).toEqual(Buffer.from([1, 2, 3]));
  });

  test("takes empty content, strings and no content type", async () => {
    expect((await store.write("empty", Buffer.alloc(0))).size).toBe(0);
    expect(await store.read("empty")).toEqual(Buffer.alloc(0));
    expect((await store.write("text", "grüße")).contentType).toBe("application/octet-stream");
    expect((await store.read("text")).toString()).toBe("grüße");
  });

  test("says that there is nothing", async () => {
    expect(await store.stat("nothing")).toBeUndefined();
    expect(await store.delete("nothing")).toBe(false);
    await expect(store.read("nothing")).rejects.toThrow(ObjectNotFoundError);
    await expect(store.createReadStream("nothing")).rejects.toThrow(ObjectNotFoundError);
    await expect(store.materialize("nothing")).rejects.toThrow(ObjectNotFoundError);
  });

  test("creates only where there is nothing", async () => {
    await store.write("a", "first", { ifGenerationMatch: 0 });
    await expect(store.write("a", "second", { ifGenerationMatch: 0 })).rejects.toThrow(PreconditionFailedError);
    await expect(store.write("a", Readable.from(["third"]), { ifGenerationMatch: 0 })).rejects.toThrow(
      PreconditionFailedError,
    );
    expect((await store.read("a")).toString()).toBe("first");
  });

  test("replaces only the generation that was meant", async () => {
    const first = await store.write("a", "first");
    const second = await store.write("a", "second", { ifGenerationMatch: first.generation });
    expect(second.generation).toBeGreaterThan(first.generation);
    await expect(store.write("a", "third", { ifGenerationMatch: first.generation })).rejects.toThrow(
      PreconditionFailedError,
    );
    await expect(store.write("b", "x", { ifGenerationMatch: first.generation })).rejects.toThrow(
      PreconditionFailedError,
    );
    expect((await store.read("a")).toString()).toBe("second");
  });

  test("of many that create or replace at once, one succeeds", async () => {
    for (const ifGenerationMatch of [0, (await store.write("b", "b")).generation]) {
      const name = ifGenerationMatch === 0 ? "a" : "b";
      const outcomes = await Promise.allSettled(
        Array.from({ length: 8 }, (_, i) => store.write(name, `writer ${i}`, { ifGenerationMatch })),
      );
      const winners = outcomes.flatMap((outcome, i) => (outcome.status === "fulfilled" ? [i] : []));
      expect(winners).toHaveLength(1);
      expect((await store.read(name)).toString()).toBe(`writer ${winners[0]}`);
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") expect(outcome.reason).toBeInstanceOf(PreconditionFailedError);
      }
    }
  });

  test("does not read what is larger than asked for", async () => {
    await store.write("a.png", Buffer.alloc(100));
    expect((await store.read("a.png", { atMost: 100 })).length).toBe(100);
    await expect(store.read("a.png", { atMost: 99 })).rejects.toThrow(ObjectTooLargeError);
    await expect(store.read("none.png", { atMost: 99 })).rejects.toThrow(ObjectNotFoundError);
  });

  test("reads an earlier generation", async () => {
    const first = await store.write("a", "first");
    const second = await store.write("a", "second");
    expect((await store.read("a", { generation: first.generation })).toString()).toBe("first");
    expect((await store.read("a", { generation: second.generation })).toString()).toBe("second");
    expect(await store.stat("a", { generation: first.generation })).toEqual(first);
    expect(await store.stat("a", { generation: second.generation + 1 })).toBeUndefined();
    await expect(store.read("a", { generation: second.generation + 1 })).rejects.toThrow(ObjectNotFoundError);
  });

  test("deletes, and never gives a generation twice", async () => {
    const first = await store.write("a", "first");
    await expect(store.delete("a", { ifGenerationMatch: first.generation + 1 })).rejects.toThrow(
      PreconditionFailedError,
    );
    expect(await store.delete("a", { ifGenerationMatch: first.generation })).toBe(true);
    expect(await store.stat("a")).toBeUndefined();
    expect(await names(store)).toEqual([]);
    expect(await store.delete("a")).toBe(false);
    const again = await store.write("a", "again", { ifGenerationMatch: 0 });
    expect(again.generation).toBeGreaterThan(first.generation);
    expect((await store.read("a")).toString()).toBe("again");
  });

  test("stores nothing whose checksum is not the stated one", async () => {
    await store.write("there", "before");
    const content = () => [Buffer.from("content"), Readable.from([Buffer.from("con"), Buffer.from("tent")])];
    for (const name of ["new", "there"]) {
      for (const body of content()) {
        await expect(store.write(name, body, { crc32c: WRONG_CRC })).rejects.toThrow(ChecksumMismatchError);
      }
    }
    expect(await store.stat("new")).toBeUndefined();
    expect((await store.read("there")).toString()).toBe("before");
    for (const body of content()) await store.write("new", body, { crc32c: crc32cOf(Buffer.from("content")) });
    expect((await store.read("new")).toString()).toBe("content");
  });

  test("stores nothing of a stream that fails", async () => {
    async function* failing() {
      yield Buffer.alloc(100_000);
      throw new Error("the line went dead");
    }
    await expect(store.write("a", Readable.from(failing()))).rejects.toThrow("the line went dead");
    expect(await store.stat("a")).toBeUndefined();
    expect(await names(store)).toEqual([]);
  });

  test("streams an object that is larger than its pieces", async () => {
    const piece = Buffer.alloc(1 << 20, "0123456789abcdef");
    const pieces = 20;
    async function* source() {
      for (let i = 0; i < pieces; i++) {
        piece.writeUInt32LE(i, 0);
        yield Buffer.from(piece);
      }
    }
    const written = await store.write("big.tif", Readable.from(source()), { ifGenerationMatch: 0 });
    expect(written.size).toBe(pieces << 20);
    const read = await collect(await store.createReadStream("big.tif"));
    expect(crc32cOf(read)).toBe(written.crc32c);
    const { path, release } = await store.materialize("big.tif");
    expect(statSync(path).size).toBe(pieces << 20);
    await release();
  });

  test("lists by prefix, page after page, in the order of the bytes", async () => {
    // U+FF5E stands before U+1F9E0 in UTF-8 and behind its surrogates in UTF-16.
    const all = [
      "Cancer/Z.png",
      "Cancer/a.png",
      "Cancer/b/c.png",
      "Cancer/～",
      "Cancer/🧠.png",
      "Non-Cancer/a.png",
      "x",
    ];
    for (const name of [...all].reverse()) await store.write(name, name);
    expect(await names(store)).toEqual(all);
    expect(await names(store, "Cancer/")).toEqual(all.slice(0, 5));
    expect(await names(store, "Cancer/a")).toEqual(["Cancer/a.png"]);
    expect(await names(store, "Can")).toEqual(all.slice(0, 5));
    expect(await names(store, "Nothing/")).toEqual([]);

    const paged: string[] = [];
    const sizes: number[] = [];
    let pageToken: string | undefined;
    do {
      const page = await store.list({ pageSize: 3, ...(pageToken ? { pageToken } : {}) });
      paged.push(...page.objects.map(({ name }) => name));
      sizes.push(page.objects.length);
      pageToken = page.nextPageToken;
    } while (pageToken);
    expect(paged).toEqual(all);
    expect(sizes).toEqual([3, 3, 1]);

    const rest = await store.list({ from: all[2] as string, pageSize: 2 });
    expect(rest.objects.map(({ name }) => name)).toEqual(all.slice(2, 4));
    expect((await store.list({ from: `${all[2]}!` })).objects.map(({ name }) => name)).toEqual(all.slice(3));
  });

  test("takes any name that a scan may have", async () => {
    const odd = [
      "Cancer/two words.png",
      `Cancer/it's "quoted".png`,
      "Cancer/100%25 & more?#[x]*.png",
      "Cancer/schädel-頭-🧠.png",
      `Cancer/${"n".repeat(246)}.png`,
      "Cancer/back\\slash.png",
      "Cancer/.hidden",
      "Cancer/a+b=c;d,e.png",
    ];
    for (const name of odd) await store.write(name, name, { ifGenerationMatch: 0 });
    for (const name of odd) expect((await store.read(name)).toString()).toBe(name);
    expect((await names(store)).sort()).toEqual([...odd].sort());
  });

  test("refuses a name of more than 1,024 bytes", async () => {
    await expect(store.write(`${"ä/".repeat(341)}abc`, "x")).rejects.toThrow(InvalidObjectNameError);
  });

  test.each(["", "/a", "a/", "a//b", "../a", "a/../b", "a/.", "a\nb", "a\0b", "\ud800"])(
    "refuses the name %j",
    async (name) => {
      await expect(store.write(name, "x")).rejects.toThrow(InvalidObjectNameError);
      await expect(store.read(name)).rejects.toThrow(InvalidObjectNameError);
      await expect(store.stat(name)).rejects.toThrow(InvalidObjectNameError);
      await expect(store.delete(name)).rejects.toThrow(InvalidObjectNameError);
    },
  );
});

test("a stored file that decays is noticed when it is read", async () => {
  const store = new DirectoryStore(join(scratch, "decay"));
  await store.write("a.png", "the right bytes");
  const { path } = await store.materialize("a.png");
  // Decay changes bytes without touching the time, which a person's edit does.
  const { atime, mtimeMs } = statSync(path);
  writeFileSync(path, "the wrong bytes");
  utimesSync(path, atime, mtimeMs / 1000);
  await expect(store.read("a.png")).rejects.toThrow(ChecksumMismatchError);
  await expect(store.materialize("a.png")).rejects.toThrow(ChecksumMismatchError);
  await expect(collect(await store.createReadStream("a.png"))).rejects.toThrow(ChecksumMismatchError);
});

test("bytes that a server damages on the way are noticed when they are read", async () => {
  await server.createBucket("damaging");
  const honest = await GcsStore.open("gs://damaging", server.endpoint);
  await honest.write("a.png", "the right bytes");
  const { createServer } = await import("node:http");
  const proxy = createServer(async (request, response) => {
    const answer = await fetch(`${server.endpoint}${request.url}`);
    const body = Buffer.from(await answer.arrayBuffer());
    if (request.url?.includes("alt=media")) body.write("wrong", 4);
    response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "text/plain" }).end(body);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = proxy.address() as { port: number };
    const damaged = await GcsStore.open("gs://damaging", `http://127.0.0.1:${port}`);
    await expect(damaged.read("a.png")).rejects.toThrow(ChecksumMismatchError);
    await expect(collect(await damaged.createReadStream("a.png"))).rejects.toThrow(ChecksumMismatchError);
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
});

test("a store is opened by its URI", async () => {
  expect((await openStore("gs://some-bucket")).uri).toBe("gs://some-bucket");
  const path = join(scratch, "with space");
  expect((await openStore(path)).uri).toBe((await openStore(`file://${encodeURI(path)}`)).uri);
  await expect(openStore("s3://bucket")).rejects.toThrow(/neither gs:/);
  await expect(openStore("gs://bucket/folder")).rejects.toThrow(/no folder behind it/);
  const missing = await GcsStore.open("gs://not-there", server.endpoint);
  await expect(missing.write("a", "b")).rejects.toThrow(/gs:\/\/not-there does not exist/);
});
