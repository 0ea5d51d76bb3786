import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { referenceOf } from "../../runtime/platform/names-in-logs";
import { openWorkspace, type Workspace } from "../../runtime/platform/workspace";
import { currentModel, setCurrent } from "../../runtime/registry";
import { useBackend } from "../../runtime/tensorflow";
import { BRIGHT_SPOT, headPng, saveBrightSpot } from "../support/bright-spot";
import { answering, freePort, stopProcess } from "../support/processes";

/*
 * The processes of the cloud, over files that are called after a patient: whatever happens to them, no line of a log has
 * the name, and what failed is told apart by a reference.
 */

const DIST = resolve("dist");
const FRAMEWORK = resolve("node_modules/@google-cloud/functions-framework/build/src/main.js");
const PATIENT = /M(?:UE|%C3%9C|Ü)LLER|HANS|1954/i;
const SCAN = "Cancer/MUELLER_HANS_19540312.png";

let scratch: string;
let scan: Buffer;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "names-"));
  scan = await headPng(128, 128, { x: 60, y: 60, radius: 10 }, 1);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A process with everything that it wrote. */
function started(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): { child: ChildProcess; said: () => string; ended: Promise<number | null> } {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, LOG_LEVEL: "debug", ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      text += chunk;
    });
  return { child, said: () => text, ended: new Promise((done) => child.once("close", done)) };
}

const uri = (directory: string) => pathToFileURL(directory).href;
const urisOf = (workspace: Workspace, ...buckets: (keyof Workspace["buckets"])[]) =>
  Object.fromEntries(
    buckets.map((name) => [
      name === "warehouse" ? "WAREHOUSE" : `${name.toUpperCase()}_BUCKET`,
      workspace.buckets[name].uri,
    ]),
  );

/** The answer may be there before the line in the log; the test's own time limit ends the wait otherwise. */
async function lineOf(said: () => string, reference: string): Promise<void> {
  while (!said().includes(reference)) await new Promise((done) => setTimeout(done, 50));
}

describe.each(["http", "cloudevent"])("the ingest function, signature %s", (signature) => {
  let workspace: Workspace;
  const running: ReturnType<typeof started>[] = [];
  /** What a process said is all there once it has ended. */
  const stopAll = async () => {
    for (const { child, ended } of running.splice(0)) {
      await stopProcess(child);
      await ended;
    }
  };

  beforeAll(async () => {
    workspace = await openWorkspace(join(scratch, signature));
  });
  afterAll(async () => {
    await stopAll();
    await workspace.close();
  });

  async function start(env: NodeJS.ProcessEnv) {
    const port = await freePort();
    const run = started(
      [
        FRAMEWORK,
        `--source=${join(DIST, "runtime/ingest/function.js")}`,
        "--target=ingest",
        `--signature-type=${signature}`,
        `--port=${port}`,
      ],
      { PSEUDONYM_KEY: "local:test", ...env },
    );
    running.push(run);
    const url = `http://127.0.0.1:${port}`;
    await answering(url, run.child);
    const tell = (bucket: string, name: string, generation: number | string, body?: string) =>
      fetch(url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "ce-specversion": "1.0",
          "ce-id": "1",
          "ce-source": "//storage.googleapis.com/x",
          "ce-type": "google.cloud.storage.object.v1.finalized",
        },
        body: body ?? JSON.stringify({ bucket, name, generation: String(generation) }),
      });
    return { ...run, tell };
  }

  test("names nobody, whatever becomes of a scan", async () => {
    const { landing } = workspace.buckets;
    const buckets = urisOf(workspace, "landing", "curated", "quarantine", "warehouse");
    const { tell, said } = await start(buckets);
    const statuses: Record<string, number> = {};
    const land = async (name: string, content: Buffer | string = scan) => {
      const { generation } = await landing.write(name, content);
      statuses[name] = (await tell(landing.bucket, name, generation)).status;
      return referenceOf(name, generation);
    };
    await landing.write(
      "manifest.csv",
      [
        "path,label,patient_id,mask",
        `${SCAN},,MUELLER HANS,masks/MUELLER_HANS_mask.png`,
        "Cancer/MUELLER_HANS_conflict.png,Non-Cancer,,",
        "Cancer/MUELLER_HANS_small.png,,,masks/MUELLER_HANS_small.png",
        "",
      ].join("\n"),
    );
    await landing.write("masks/MUELLER_HANS_small.png", await headPng(64, 64));
    const references = [
      await land(SCAN), // its mask is missing
      await land("Cancer/MUELLER_HANS_conflict.png"),
      await land("Cancer/MUELLER_HANS_small.png"), // its mask has another size
      await land("MUELLER_HANS_19540312.png"),
      await land("MUELLER HANS 1954/t1.png"),
      await land("Non-Cancer/MUELLER_HANS_report.png", "a text"),
    ];
    // A second delivery, one of an object that is gone, and one of another bucket.
    expect((await tell(landing.bucket, SCAN, 1)).status).toBe(204);
    expect((await tell(landing.bucket, "Cancer/MUELLER_HANS_gone.png", 1)).status).toBe(204);
    expect((await tell("another", SCAN, 1)).status).toBeGreaterThanOrEqual(400);
    expect((await tell("", "", "", `{"name": "${SCAN}", MUELLER}`)).status).toBeGreaterThanOrEqual(400);
    expect(new Set(Object.values(statuses))).toEqual(new Set([204]));

    const rows = (await workspace.warehouse.rows("images")).map(({ row }) => row);
    expect(rows).toHaveLength(6);
    // A manifest that cannot be used stops every scan, and quotes what it holds.
    await landing.write("manifest.csv", "path,label\nCancer/MUELLER_HANS_x.png,HANS MUELLER\n");
    const name = "Cancer/MUELLER_HANS_late.png";
    const { generation } = await landing.write(name, await headPng(100, 100));
    expect((await tell(landing.bucket, name, generation)).status).toBe(500);
    await lineOf(said, referenceOf(name, generation));
    await stopAll();

    for (const reference of [...references, referenceOf(name, generation)]) expect(said()).toContain(reference);
    const [{ id = "" } = {}] = rows.filter(({ source }) => source === SCAN);
    const missing = `"image":"${id}".*"The lesion mask of \\[name\\] is left out: there is no \\[name\\]\\."`;
    expect(said()).toMatch(new RegExp(missing));
    expect(said()).toContain("label-conflict");
    expect(said()).toMatch(/manifest\.csv cannot be used: line 2\./);
    expect(said()).not.toMatch(PATIENT);
  });

  test("names nobody where a store fails", async () => {
    const broken = await openWorkspace(join(scratch, `${signature}-broken`));
    const { landing } = broken.buckets;
    const buckets = urisOf(broken, "landing", "curated", "quarantine", "warehouse");
    // A file stands where the curated bucket has to be.
    writeFileSync(join(scratch, `${signature}-file`), "");
    const { tell, said } = await start({
      ...buckets,
      CURATED_BUCKET: uri(join(scratch, `${signature}-file`, "curated")),
    });
    const { generation } = await landing.write(SCAN, scan);
    expect((await tell(landing.bucket, SCAN, generation)).status).toBe(500);
    await lineOf(said, referenceOf(SCAN, generation));
    await stopAll();

    // Bytes that are not what was uploaded; the copy for quarantine cannot be made of them either.
    const damaged = "Cancer/MUELLER_HANS_damaged.png";
    const again = await start(buckets);
    const other = await landing.write(damaged, scan);
    const history = join(dirname(new URL(landing.uri).pathname), ".store", "landing");
    const { execFileSync } = await import("node:child_process");
    const data = execFileSync("grep", ["-rl", "--include=meta.json", damaged, history], { encoding: "utf8" }).trim();
    chmodSync(join(dirname(data), "data"), 0o644);
    writeFileSync(join(dirname(data), "data"), Buffer.alloc(scan.length, 1));
    await again.tell(landing.bucket, damaged, other.generation);
    await lineOf(again.said, referenceOf(damaged, other.generation));
    await stopAll();
    await broken.close();
    expect(said()).toContain(referenceOf(SCAN, generation));
    expect(again.said()).toContain(referenceOf(damaged, other.generation));
    expect(said() + again.said()).not.toMatch(PATIENT);
  });

  test("names nobody where Google refuses, and says where and why", async () => {
    const google: Server = createServer((request, response) => {
      response.writeHead(403, { "content-type": "application/json" });
      const message = `No access to ${decodeURIComponent(request.url ?? "")}`;
      response.end(
        JSON.stringify({ error: { code: 403, message, errors: [{ message, reason: "forbidden", domain: "global" }] } }),
      );
    });
    await new Promise<void>((done) => google.listen(0, "127.0.0.1", done));
    const { port } = google.address() as AddressInfo;
    const buckets = Object.fromEntries(
      ["LANDING", "CURATED", "QUARANTINE", "WAREHOUSE"].map((name) => [
        name === "WAREHOUSE" ? name : `${name}_BUCKET`,
        `gs://p-h-${name.toLowerCase()}`,
      ]),
    );
    const { tell, said } = await start({ ...buckets, GCS_API_ENDPOINT: `http://127.0.0.1:${port}` });
    try {
      expect((await tell("p-h-landing", SCAN, 5)).status).toBe(500);
      await lineOf(said, referenceOf(SCAN, 5));
    } finally {
      await stopAll();
      google.close();
    }
    expect(said()).toMatch(/A request to Google Cloud failed \(403, forbidden\)\./);
    expect(said()).toContain(referenceOf(SCAN, 5));
    expect(said()).not.toMatch(PATIENT);
  });
});

describe("the jobs", () => {
  /** A workspace of scans that are called after patients, ready to be trained on. */
  async function prepared(title: string, split: (patient: number) => string): Promise<Workspace> {
    const data = join(scratch, `${title}-data`);
    const rows = ["path,patient_id,split"];
    for (let i = 0; i < 6; i++) {
      const name = `${i % 2 === 0 ? "Cancer" : "Non-Cancer"}/MUELLER_HANS_${i}.png`;
      mkdirSync(dirname(join(data, name)), { recursive: true });
      writeFileSync(
        join(data, name),
        await headPng(120 + 8 * i, 130, i % 2 === 0 ? { x: 50, y: 60, radius: 12 } : undefined, i),
      );
      rows.push(`${name},MUELLER ${i >> 1},${split(i)}`);
    }
    writeFileSync(join(data, "manifest.csv"), `${rows.join("\n")}\n`);
    const out = join(scratch, title);
    for (const args of [["ingest", "--data", data], ["preprocess"]]) {
      const run = started([join(DIST, "runtime/cli/main.js"), ...args, "--out", out], { LOG_LEVEL: "warn" });
      expect(await run.ended).toBe(0);
    }
    return openWorkspace(out);
  }

  test("train refuses splits that leak, by their group", async () => {
    const workspace = await prepared("leak", (i) => (i % 2 === 0 ? "train" : "test"));
    const run = started([join(DIST, "runtime/train/main.js")], {
      ...urisOf(workspace, "processed", "models", "reports", "warehouse"),
      BACKEND: "wasm",
      SCRATCH_DIRECTORY: join(scratch, "train"),
    });
    expect(await run.ended).toBe(1);
    const groups = new Set((await workspace.warehouse.rows("assignments")).map(({ row }) => row.group));
    expect(run.said()).toMatch(/cannot be trained on: what is learnt would be tested on\. Groups in two splits: /);
    expect([...groups].some((group) => run.said().includes(group))).toBe(true);
    expect(run.said()).not.toMatch(PATIENT);
    await workspace.close();
  });

  test("preprocess on a cluster says which image is left out, by its id", async () => {
    const workspace = await prepared("left-out", () => "train");
    const run = started(
      [join(DIST, "runtime/preprocess/main.js")],
      urisOf(workspace, "curated", "processed", "models", "warehouse"),
    );
    const [row] = (await workspace.warehouse.rows("images")).map((found) => found.row);
    const { id, source, generation, sha256 } = row as {
      id: string;
      source: string;
      generation: number;
      sha256: string;
    };
    const reject = { id, source, generation, sha256, reason: "curated-missing", message: "its file is gone." };
    const plan = { kept: [], before: [], skipped: 0, notes: [] };
    const outcomes = [{ name: "x", decoded: 0, exists: false, rejects: [reject] }];
    const header = Buffer.from(JSON.stringify({ type: "finish" }));
    const payload = Buffer.from(JSON.stringify({ plan, outcomes }));
    const lengths = Buffer.alloc(8);
    lengths.writeUInt32BE(header.length, 0);
    lengths.writeUInt32BE(payload.length, 4);
    run.child.stdin?.end(Buffer.concat([lengths, header, payload]));
    expect(await run.ended).toBe(0);
    // What the driver prints is the log of the cluster.
    expect(run.said()).toContain(`The image ${id} is left out: its file is gone.`);
    expect(run.said()).not.toMatch(PATIENT);
    await workspace.close();
  });

  test("serve names no file that was sent, also where it cannot keep the answer", async () => {
    const workspace = await openWorkspace(join(scratch, "served"));
    await useBackend("wasm");
    await saveBrightSpot(join(workspace.directory, "models", BRIGHT_SPOT.id));
    const { models } = workspace.buckets;
    await setCurrent(
      models,
      { model: BRIGHT_SPOT.id, reason: "A test." } as Parameters<typeof setCurrent>[1],
      await currentModel(models),
      new Date(0),
    );
    const file = join(scratch, "served-file");
    writeFileSync(file, "");
    const port = await freePort();
    const run = started([join(DIST, "runtime/serve/server.js")], {
      ...urisOf(workspace, "models", "reports", "curated", "landing", "warehouse"),
      PSEUDONYM_KEY: "local:test",
      HOST: "127.0.0.1",
      AUTH: "none",
      PORT: String(port),
    });
    try {
      const url = `http://127.0.0.1:${port}`;
      await answering(url, run.child);
      const send = (content: Buffer) => {
        const form = new FormData();
        form.set("file", new Blob([new Uint8Array(content)]), SCAN);
        return fetch(`${url}/v1/predictions`, { method: "POST", body: form });
      };
      expect((await send(scan)).status).toBe(200);
      expect((await send(Buffer.from("MUELLER HANS"))).status).toBe(415);
      expect((await fetch(`${url}/v1/predictions/MUELLER_HANS_19540312`)).status).toBe(404);
      rmSync(join(workspace.directory, "reports"), { recursive: true });
      writeFileSync(join(workspace.directory, "reports"), "");
      expect((await send(await headPng(140, 130, undefined, 3))).status).toBe(500);
      await lineOf(run.said, "Request failed");
    } finally {
      await stopProcess(run.child);
      await workspace.close();
    }
    await run.ended;
    expect(run.said()).not.toMatch(PATIENT);
  });
});
