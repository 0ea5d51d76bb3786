import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { crc32cOf } from "../../../../runtime/platform/stores/crc32c";
import { DirectoryStore } from "../../../../runtime/platform/stores/directory-store";
import { InvalidObjectNameError } from "../../../../runtime/platform/stores/object-store";

const WRITER = join(__dirname, "fixtures", "store-writer.js");
/** Processes run what the build emitted. */
const MODULE = join(__dirname, "..", "..", "..", "..", "dist", "runtime", "platform", "stores", "directory-store.js");

let scratch: string;
let root: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "directory-store-"));
  root = join(scratch, "landing");
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

async function names(store: DirectoryStore, prefix?: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of store.listAll(prefix)) found.push(name);
  return found;
}

function startWriter(mode: string, ...more: string[]) {
  const child = spawn(process.execPath, [WRITER, MODULE, root, mode, ...more], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return { child, ended, lines: () => output.split("\n").filter((line) => line !== "") };
}

describe("crashes and races", () => {
  test("a process killed at any moment leaves no half object and loses nothing it had confirmed", async () => {
    type Line = { name: string; generation?: number; crc32c?: string; deleted?: true };
    const confirmed = new Map<string, { generation: number; crc32c: string }>();
    let writes = 0;
    for (let round = 0; round < 12; round++) {
      const writer = startWriter("write");
      // Killed after some number of operations, not after some time: a slow machine does as many.
      const enough = 1 + Math.floor(Math.random() * 14);
      while (writer.lines().length < enough) await sleep(1);
      writer.child.kill("SIGKILL");
      await writer.ended;
      const last = new Map<string, Line>();
      for (const text of writer.lines()) {
        const line = JSON.parse(text) as Line;
        last.set(line.name, line);
        if (line.generation && line.crc32c) {
          writes++;
          confirmed.set(`${line.name}\n${line.generation}`, { generation: line.generation, crc32c: line.crc32c });
        }
      }

      const store = new DirectoryStore(root);
      const listed = new Map<string, number>();
      for await (const object of store.listAll()) {
        listed.set(object.name, object.generation);
        const content = await store.read(object.name);
        // What was written proves itself, and people see the same bytes.
        const [hash, body] = [content.toString("latin1", 0, 64), content.subarray(64)];
        expect(createHash("sha256").update(body).digest("hex")).toBe(hash);
        expect(readFileSync(join(root, object.name)).equals(content)).toBe(true);
      }
      for (const [name, line] of last) {
        // The operation after the last confirmed one may have happened as well, or not.
        const live = (await store.stat(name))?.generation;
        expect(listed.get(name)).toBe(live);
        if (line.generation && live !== undefined) expect(live).toBeGreaterThanOrEqual(line.generation);
      }
      for (const [key, { generation, crc32c }] of confirmed) {
        const content = await store.read(key.split("\n")[0] as string, { generation });
        expect(crc32cOf(content)).toBe(crc32c);
      }
      expect(
        readdirSync(join(scratch, ".store", "tmp")).filter((task) => task.includes(`-${writer.child.pid}-`)),
      ).toEqual([]);
    }
    expect(writes).toBeGreaterThanOrEqual(12);
  });

  test("what was published when the process died becomes visible", async () => {
    const store = new DirectoryStore(root);
    await store.write("Cancer/a.png", "first");
    const data = join(scratch, ".store", "landing");
    const folder = join(data, readdirSync(data)[0] as string);
    const history = join(folder, readdirSync(folder)[0] as string);
    // As a process leaves it that dies right after publishing generation 2.
    const meta = JSON.parse(readFileSync(join(history, "1", "meta.json"), "utf8"));
    mkdirSync(join(history, "2"));
    writeFileSync(join(history, "2", "data"), "second!");
    writeFileSync(
      join(history, "2", "meta.json"),
      JSON.stringify({ ...meta, generation: 2, size: 7, crc32c: crc32cOf(Buffer.from("second!")), modified: 1 }),
    );
    const tmp = join(scratch, ".store", "tmp");
    const [mine] = readdirSync(tmp) as [string];
    const dead = mine.replace(/^([0-9a-f]+)-.*/, "$1-999999999-1-0011223344556677");
    mkdirSync(join(tmp, dead));
    writeFileSync(join(tmp, dead, "name"), "landing/Cancer/a.png");

    expect((await store.read("Cancer/a.png")).toString()).toBe("second!");
    const reopened = new DirectoryStore(root);
    expect(readFileSync(join(root, "Cancer/a.png"), "utf8")).toBe("second!");
    expect((await reopened.stat("Cancer/a.png"))?.generation).toBe(2);
    expect(existsSync(join(tmp, dead))).toBe(false);
  });

  test("processes that replace one object on a condition lose no update", async () => {
    const writers = Array.from({ length: 4 }, () => startWriter("increment", "25"));
    await Promise.all(writers.map(({ ended }) => ended));
    for (const writer of writers) expect(writer.lines()).toEqual(["done"]);
    const store = new DirectoryStore(root);
    expect((await store.read("counter")).toString()).toBe("100");
    expect((await store.stat("counter"))?.generation).toBe(100);
    expect(readFileSync(join(root, "counter"), "utf8")).toBe("100");
  });

  test("a work directory of a living process is left alone", async () => {
    const store = new DirectoryStore(root);
    let finish: (value?: unknown) => void = () => {};
    const hold = new Promise((resolve) => {
      finish = resolve;
    });
    let begin: (value?: unknown) => void = () => {};
    const begun = new Promise((resolve) => {
      begin = resolve;
    });
    async function* slow() {
      yield Buffer.from("begun, ");
      begin();
      await hold;
      yield Buffer.from("done");
    }
    const writing = store.write("a", Readable.from(slow()));
    await begun;
    const other = new DirectoryStore(root);
    expect(await other.stat("a")).toBeUndefined();
    finish();
    await writing;
    expect((await other.read("a")).toString()).toBe("begun, done");
  });
});

describe("what a person does to the files", () => {
  test("a file dropped into the folder is an object", async () => {
    mkdirSync(join(root, "Cancer"), { recursive: true });
    writeFileSync(join(root, "Cancer", "by hand.png"), "dropped");
    const store = new DirectoryStore(root);
    expect(await names(store)).toEqual(["Cancer/by hand.png"]);
    expect(await store.stat("Cancer/by hand.png")).toMatchObject({
      generation: 1,
      size: 7,
      crc32c: crc32cOf(Buffer.from("dropped")),
    });
    expect((await new DirectoryStore(root).stat("Cancer/by hand.png"))?.generation).toBe(1);
  });

  test.each(["changed in place", "replaced"])(
    "a file that is %s is the next generation; the first stays",
    async (how) => {
      const store = new DirectoryStore(root);
      await store.write("a", "first");
      if (how === "replaced") {
        writeFileSync(join(scratch, "other"), "second one");
        renameSync(join(scratch, "other"), join(root, "a"));
        expect((await store.read("a", { generation: 1 })).toString()).toBe("first");
      } else appendFileSync(join(root, "a"), ", changed");
      expect(await store.stat("a")).toMatchObject({ generation: 2 });
      expect((await store.read("a")).toString()).toBe(how === "replaced" ? "second one" : "first, changed");
    },
  );

  test("a file that is removed is deleted, and may come again", async () => {
    const store = new DirectoryStore(root);
    await store.write("a", "first");
    rmSync(join(root, "a"));
    expect(await store.stat("a")).toBeUndefined();
    expect(await names(store)).toEqual([]);
    writeFileSync(join(root, "a"), "again");
    expect(await store.stat("a")).toMatchObject({ generation: 3, size: 5 });
  });

  test("a copied workspace keeps its generations", async () => {
    const store = new DirectoryStore(root);
    await store.write("a", "first");
    const second = await store.write("a", "second");
    const copy = join(scratch, "copy");
    mkdirSync(copy);
    cpSync(root, join(copy, "landing"), { recursive: true });
    cpSync(join(scratch, ".store"), join(copy, ".store"), { recursive: true });
    const copied = new DirectoryStore(join(copy, "landing"));
    expect(await copied.stat("a")).toEqual(second);
    expect((await copied.write("a", "third", { ifGenerationMatch: 2 })).generation).toBe(3);
    expect((await store.read("a")).toString()).toBe("second");
  });

  test("links to files count, links to folders and out of the bucket do not", async () => {
    const store = new DirectoryStore(root);
    mkdirSync(join(scratch, "elsewhere"));
    writeFileSync(join(scratch, "elsewhere", "x.png"), "x");
    symlinkSync(join(scratch, "elsewhere", "x.png"), join(root, "linked.png"));
    symlinkSync(join(scratch, "elsewhere"), join(root, "folder"));
    symlinkSync(join(scratch, "nothing"), join(root, "broken"));
    expect(await names(store)).toEqual(["linked.png"]);
    await expect(store.write("folder/y.png", "y")).rejects.toThrow(InvalidObjectNameError);
    expect(readdirSync(join(scratch, "elsewhere"))).toEqual(["x.png"]);
  });
});

test("names that a directory cannot show are refused", async () => {
  const store = new DirectoryStore(root);
  await store.write("a/b", "x");
  await expect(store.write("a", "x")).rejects.toThrow(/there are objects below that name/);
  await expect(store.write("a/b/c", "x")).rejects.toThrow(/name of one of its folders/);
  await expect(store.write(`Cancer/${"n".repeat(256)}`, "x")).rejects.toThrow(/255 bytes/);
  await expect(store.write(".store/x", "x")).rejects.toThrow(InvalidObjectNameError);
  await store.delete("a/b");
  await store.write("a", "a folder that was emptied does not stand in the way");
  expect(await names(store)).toEqual(["a"]);
});
