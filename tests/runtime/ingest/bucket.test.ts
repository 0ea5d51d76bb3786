import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { uploadFolder } from "../../../runtime/ingest";
import { ORIGINAL_NAME, openIdentities } from "../../../runtime/intake";
import { crc32cOf } from "../../../runtime/platform/stores/crc32c";
import { DirectoryStore } from "../../../runtime/platform/stores/directory-store";
import { GcsStore } from "../../../runtime/platform/stores/gcs-store";
import type { ObjectStore } from "../../../runtime/platform/stores/object-store";
import { ObjectStoreWarehouse } from "../../../runtime/platform/warehouse";
import { type GcsServer, startGcsServer } from "../../support/gcs-server";
import { answering, freePort, stopProcess } from "../../support/processes";
import { writeMr } from "../imaging/dicom/dicom-writer";
import { drawScan } from "./scans";

const REPOSITORY = join(__dirname, "..", "..", "..");
const DIST = join(REPOSITORY, "dist");
const UPLOAD = join(__dirname, "fixtures", "upload.js");

let server: GcsServer;
let scratch: string;
let folders = 0;

beforeAll(async () => {
  server = await startGcsServer();
  scratch = mkdtempSync(join(tmpdir(), "bucket-"));
});
afterAll(async () => {
  await server.stop();
  rmSync(scratch, { recursive: true, force: true });
});

async function makeBucket(name: string): Promise<ObjectStore> {
  await server.createBucket(name);
  return GcsStore.open(`gs://${name}`, server.endpoint);
}

function makeFolder(files: Record<string, Buffer | string>): string {
  const folder = join(scratch, `data-${++folders}`);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

async function listed(store: ObjectStore) {
  const found: { name: string; crc32c: string; generation: number }[] = [];
  for await (const { name, crc32c, generation } of store.listAll()) found.push({ name, crc32c, generation });
  return found;
}

const FILES = {
  "Cancer/a.png": "first",
  'Cancer/it\'s a "b" 🧠.png': "second",
  "Non-Cancer/c.png": "third",
  "masks/a.png": "mask",
  "manifest.csv": "path,label\nCancer/a.png,Cancer\n",
  "notes.txt": "a stray, which ingest will quarantine",
};

describe.each(["a bucket", "a workspace's landing folder"])("an upload to %s", (kind) => {
  let store: ObjectStore;
  let number = 0;
  beforeEach(async () => {
    const name = `upload-${kind.length}-${++number}`;
    store = kind === "a bucket" ? await makeBucket(name) : new DirectoryStore(join(scratch, name, "landing"));
  });

  test("sends everything once, the manifest first and the scans last", async () => {
    const data = makeFolder(FILES);
    const order: string[] = [];
    const write = store.write.bind(store);
    jest.spyOn(store, "write").mockImplementation((name, content, options) => {
      order.push(name);
      expect(options).toMatchObject({ ifGenerationMatch: 0, crc32c: expect.any(String) });
      return write(name, content, options);
    });
    expect(await uploadFolder({ data, store })).toMatchObject({ items: 6, skipped: 0, rejected: 0, refused: [] });
    expect(order.slice(0, 2)).toEqual(["manifest.csv", "masks/a.png"]);
    expect((await listed(store)).map(({ name, crc32c }) => [name, crc32c])).toEqual(
      Object.entries(FILES)
        .map(([name, content]) => [name, crc32cOf(Buffer.from(content))])
        .sort(),
    );
    const before = await listed(store);
    expect(await uploadFolder({ data, store })).toMatchObject({ items: 0, skipped: 6, rejected: 0 });
    expect(await listed(store)).toEqual(before);
  });

  test("refuses to overwrite, says what, and sends the rest", async () => {
    await uploadFolder({ data: makeFolder(FILES), store });
    const changed = makeFolder({ ...FILES, "Cancer/a.png": "other", "Cancer/new.png": "new" });
    const { items, skipped, rejected, refused } = await uploadFolder({ data: changed, store });
    expect({ items, skipped, rejected }).toEqual({ items: 1, skipped: 5, rejected: 1 });
    expect(refused).toEqual([
      expect.stringMatching(/^Cancer\/a.png is in .* with other content. It was not overwritten/),
    ]);
    expect((await store.read("Cancer/a.png")).toString()).toBe("first");
    expect((await store.read("Cancer/new.png")).toString()).toBe("new");
  });

  test("streams large files, and adds the rows of a later manifest", async () => {
    const large = Buffer.alloc(9 << 20, "large");
    await uploadFolder({ data: makeFolder({ ...FILES, "Cancer/large.tif": large }), store });
    expect((await store.stat("Cancer/large.tif"))?.crc32c).toBe(crc32cOf(large));
    const data = makeFolder({ "Cancer/d.png": "d", "manifest.csv": "path,patient_id\nCancer/d.png,P7\n" });
    expect(await uploadFolder({ data, store })).toMatchObject({ items: 2, rejected: 0 });
    const manifest = (await store.read("manifest.csv")).toString();
    expect(manifest).toBe("path,label,patient_id\nCancer/a.png,Cancer,\nCancer/d.png,,P7\n");
    expect(await uploadFolder({ data, store })).toMatchObject({ items: 0, skipped: 2 });
  });

  test("calls DICOM files by pseudonyms, of the hospital's key where it is a bucket", async () => {
    const data = makeFolder({ "Cancer/DOE JANE Ä.dcm": writeMr(8, 8, [[0x0020_000d, "UI", "1.2.3"]]) });
    if (kind === "a bucket") {
      await expect(uploadFolder({ data, store })).rejects.toThrow(/PSEUDONYM_KEY is not set/);
      expect(await listed(store)).toEqual([]);
    }
    expect(await uploadFolder({ data, store, pseudonymKey: "local:hospital" })).toMatchObject({
      items: 1,
      rejected: 0,
    });
    const [{ name } = { name: "" }] = await listed(store);
    const study = (await (await openIdentities("local:hospital")).of(undefined)).uid("1.2.3");
    expect(name).toMatch(new RegExp(`^Cancer/${study}/2\\.25\\.\\d+/2\\.25\\.\\d+\\.dcm$`));
    expect((await store.stat(name))?.metadata).toEqual({ [ORIGINAL_NAME]: "Cancer/DOE JANE Ä.dcm" });
    expect(await uploadFolder({ data, store, pseudonymKey: "local:hospital" })).toMatchObject({ items: 0, skipped: 1 });
  });

  test("with a limit takes that many scans with their masks", async () => {
    const many = Object.fromEntries(
      ["Cancer", "Non-Cancer"].flatMap((label) =>
        Array.from({ length: 8 }, (_, i) => [`${label}/${label[0]}${i}.png`, `${label}${i}`]),
      ),
    );
    const masks = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`masks/C${i}.png`, `m${i}`]));
    await uploadFolder({ data: makeFolder({ ...many, ...masks, "stray.txt": "x" }), store, limit: 6 });
    const names = (await listed(store)).map(({ name }) => name);
    expect(names.filter((name) => name.startsWith("Cancer/"))).toHaveLength(3);
    expect(names.filter((name) => name.startsWith("Non-Cancer/"))).toHaveLength(3);
    expect(names.filter((name) => name.startsWith("masks/"))).toEqual(
      names.filter((name) => name.startsWith("Cancer/")).map((name) => name.replace("Cancer/", "masks/")),
    );
    expect(names).toHaveLength(9);
  });
});

test("an upload that is killed goes on where it stopped", async () => {
  const store = await makeBucket("killed");
  const data = makeFolder(
    Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`Cancer/${i}.png`, Buffer.alloc(20_000, String(i))])),
  );
  const start = () => {
    const child = spawn(process.execPath, [UPLOAD, DIST, data, "gs://killed"], {
      env: { ...process.env, GCS_API_ENDPOINT: server.endpoint },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    return { child, output: () => output, closed: new Promise((resolve) => child.once("close", resolve)) };
  };
  const first = start();
  while (first.output().length < 20) await sleep(2);
  first.child.kill("SIGKILL");
  await first.closed;
  const half = await listed(store);
  expect(half.length).toBeGreaterThanOrEqual(20);
  expect(half.length).toBeLessThan(300);

  const second = start();
  await second.closed;
  const { items, skipped, rejected } = JSON.parse(second.output().trim().split("\n").at(-1) as string);
  expect({ items, skipped, rejected }).toEqual({ items: 300 - half.length, skipped: half.length, rejected: 0 });
  const whole = await listed(store);
  expect(whole.map(({ name, crc32c }) => [name, crc32c])).toEqual(
    Array.from({ length: 300 }, (_, i) => [`Cancer/${i}.png`, crc32cOf(Buffer.alloc(20_000, String(i)))]).sort(),
  );
  // What the first had sent was not sent again.
  expect(whole).toEqual(expect.arrayContaining(half));
});

describe.each(["http", "cloudevent"])("the function under the functions framework, signature %s", (signature) => {
  let framework: ChildProcess;
  let url: string;
  const stores: Record<string, ObjectStore> = {};
  const bucket = (name: string) => `${signature}-${name}`;

  beforeAll(async () => {
    for (const name of ["landing", "curated", "quarantine", "warehouse"]) stores[name] = await makeBucket(bucket(name));
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    framework = spawn(
      process.execPath,
      [
        join(REPOSITORY, "node_modules", "@google-cloud", "functions-framework", "build", "src", "main.js"),
        `--source=${join(DIST, "runtime", "ingest", "function.js")}`,
        "--target=ingest",
        `--signature-type=${signature}`,
        `--port=${port}`,
      ],
      {
        env: {
          ...process.env,
          LANDING_BUCKET: `gs://${bucket("landing")}`,
          CURATED_BUCKET: `gs://${bucket("curated")}`,
          QUARANTINE_BUCKET: `gs://${bucket("quarantine")}`,
          WAREHOUSE: `gs://${bucket("warehouse")}`,
          PSEUDONYM_KEY: "local:test",
          GCS_API_ENDPOINT: server.endpoint,
          LOG_LEVEL: "fatal",
        },
        stdio: "ignore",
      },
    );
    await answering(url, framework);
  });
  afterAll(() => stopProcess(framework));

  const rows = async () =>
    (await new ObjectStoreWarehouse(stores.warehouse as ObjectStore).rows("images")).map(({ row }) => row);
  const land = async (name: string, content: Buffer | string) => {
    const { generation } = await (stores.landing as ObjectStore).write(name, content);
    return { bucket: bucket("landing"), name, generation: String(generation) };
  };
  const post = (body: unknown, headers: Record<string, string> = {}) =>
    fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  const cloudEvent = {
    id: "1",
    source: "//storage.googleapis.com/x",
    type: "google.cloud.storage.object.v1.finalized",
  };
  const binary = (object: object) =>
    post(object, {
      "ce-specversion": "1.0",
      ...Object.fromEntries(Object.entries(cloudEvent).map(([key, value]) => [`ce-${key}`, value])),
    });
  const structured = (object: object) =>
    post({ specversion: "1.0", ...cloudEvent, data: object }, { "content-type": "application/cloudevents+json" });

  test("ingests what a CloudEvent names, exactly once however often it is told", async () => {
    const scan = await land("Cancer/a b.png", await drawScan(1));
    for (const answer of [await binary(scan), await structured(scan), await binary(scan)])
      expect(answer.status).toBe(204);
    const all = await rows();
    expect(all).toMatchObject([{ source: "Cancer/a b.png", status: "curated", generation: Number(scan.generation) }]);
    expect((await stores.curated?.stat(`images/${all[0]?.sha256}.png`))?.metadata.id).toBe(all[0]?.id);
  });

  test("says that what is no event is none, and that what failed is to be sent again", async () => {
    expect((await post({ nonsense: true })).status).toBeGreaterThanOrEqual(400);
    const stranger = { bucket: "another", name: "Cancer/a.png", generation: "1" };
    expect((await binary(stranger)).status).toBeGreaterThanOrEqual(400);
  });

  if (signature === "http") {
    test("ingests what a Pub/Sub push names, and not again what the CloudEvent named", async () => {
      const before = await rows();
      const push = (object: { bucket: string; name: string; generation: string }, how: "attributes" | "data") =>
        post({
          subscription: "projects/p/subscriptions/s",
          message: {
            messageId: "1",
            ...(how === "data"
              ? { data: Buffer.from(JSON.stringify(object)).toString("base64") }
              : {
                  attributes: {
                    eventType: "OBJECT_FINALIZE",
                    bucketId: object.bucket,
                    objectId: object.name,
                    objectGeneration: object.generation,
                  },
                }),
          },
        });
      const scan = await land("Cancer/a b.png", await drawScan(2));
      const bad = await land("Non-Cancer/bad.png", "bad");
      const answers = await Promise.all([
        push(scan, "attributes"),
        push(scan, "data"),
        binary(scan),
        push(bad, "data"),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([204, 204, 204, 204]);
      const added = (await rows()).filter(({ id }) => !before.some((row) => row.id === id));
      expect(added.map(({ source, status }) => [source, status]).sort()).toEqual([
        ["Cancer/a b.png", "curated"],
        ["Non-Cancer/bad.png", "quarantined"],
      ]);
      const refused = added.find(({ status }) => status === "quarantined");
      expect((await stores.quarantine?.read(`${refused?.id}/bad.png`))?.toString()).toBe("bad");
      const reason = JSON.parse(String(await stores.quarantine?.read(`${refused?.id}/reason.json`)));
      expect(reason).toMatchObject({ code: "unsupported-format", source: "Non-Cancer/bad.png", bytes: 3 });
    });

    test("answers 500 while the manifest has mistakes, and ingests once it is corrected", async () => {
      const manifest = stores.landing as ObjectStore;
      await manifest.write("manifest.csv", "path,label\nCancer/z.png,cancer\n");
      const scan = await land("Cancer/z.png", await drawScan(3));
      expect((await binary(scan)).status).toBe(500);
      await manifest.write("manifest.csv", "path,label\nCancer/z.png,Cancer\n");
      expect((await binary(scan)).status).toBe(204);
      expect((await rows()).filter(({ source }) => source === "Cancer/z.png")).toHaveLength(1);
    });
  }
});

test("the function does not start in an environment that lacks something, and names all of it", async () => {
  const child = spawn(
    process.execPath,
    [
      join(REPOSITORY, "node_modules", "@google-cloud", "functions-framework", "build", "src", "main.js"),
      `--source=${join(DIST, "runtime", "ingest", "function.js")}`,
      "--target=ingest",
      "--port=0",
    ],
    { env: { PATH: process.env.PATH, LANDING_BUCKET: "landing" }, stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  child.stdout?.on("data", (chunk) => {
    output += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    output += chunk;
  });
  const code = await new Promise((resolve) => child.once("close", resolve));
  expect(code).not.toBe(0);
  expect(output).toMatch(/LANDING_BUCKET is "landing": must be gs:\/\/BUCKET/);
  for (const key of ["CURATED_BUCKET", "QUARANTINE_BUCKET", "WAREHOUSE", "PSEUDONYM_KEY"]) {
    expect(output).toContain(`${key} is not set.`);
  }
});
