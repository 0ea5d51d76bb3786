import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type Server } from "node:http";
import { type AddressInfo, createServer, type Server as NetServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pino } from "pino";
import { destinationOf, forgetAtHome, type Gateway, startGateway } from "../../../runtime/gateway";
import { Mapping } from "../../../runtime/gateway/mapping";
import { Courier } from "../../../runtime/gateway/results/courier";
import { Outbox } from "../../../runtime/gateway/results/outbox";
import { writePng } from "../../../runtime/imaging";
import { openStore } from "../../../runtime/platform/stores";
import { picturesKey, type StudyAnswer, studyObject, studyOverlay } from "../../../runtime/study";
import { freePort, stopProcess } from "../../support/processes";
import { pydicomPython } from "../../support/pydicom";
import { readBack } from "../exchange/read-back";
import { PLANTED, writeInstance } from "./instances";

/** Fetching answers home: a real gateway, its mapping, and receivers on this machine that nobody here wrote where there are some. */

const MAIN = join(__dirname, "..", "..", "..", "dist", "runtime", "cli", "main.js");
const STUDY = "1.2.826.0.1.3680043.9.1";
const SERIES = "1.2.826.0.1.3680043.9.2";

let folder: string;
/** The records of two instances as the gateway has them at home. */
let records: Record<string, unknown>[];
let study: string;
const gateways: Gateway[] = [];
const children: ChildProcess[] = [];
const servers: (Server | NetServer)[] = [];
const logged: string[] = [];

const home = (...names: string[]) => join(folder, "out", "gateway", ...names);
const files = (where: string) => readdirSync(home("results", where)).filter((name) => name.endsWith(".json"));

/** Waits for what happens by itself, however long that takes on this machine. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function start(to: readonly string[] = [], unfit = true): Promise<Gateway> {
  const out = join(folder, "out");
  const gateway = await startGateway({
    ...{ aet: "GATEWAY", host: "127.0.0.1", port: 0, tls: undefined, callers: [], addresses: [] },
    folder: home(),
    store: await openStore(join(out, "landing")),
    key: "local:test",
    log: pino({ level: "trace" }, { write: (line: string) => void logged.push(line) }),
    limits: { reserveBytes: 1 },
    results: {
      reports: await openStore(join(out, "reports")),
      destinations: to.map((uri) => destinationOf(uri, { aet: "GATEWAY", tls: {} })),
      unfit,
      lookSeconds: 0.05,
    },
  });
  gateways.push(gateway);
  return gateway;
}

const stopAll = async () => {
  for (const gateway of gateways.splice(0)) await gateway.close();
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "results-"));
  const { port } = await start();
  const sent = [1, 2].map((number) => writeInstance(folder, number).file);
  const child = spawn(pydicomPython(), [join(__dirname, "send.py"), "--port", String(port), ...sent], {
    stdio: "ignore",
  });
  children.push(child);
  await once(child, "exit");
  await until(() => readdirSync(home("spool", "waiting")).length === 0);
  await stopAll();
  const [name = ""] = readdirSync(home("mapping"));
  study = name.replace(/\.jsonl$/, "");
  records = readFileSync(home("mapping", name), "utf8")
    .split("\n")
    .flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Record<string, unknown>]))
    .filter((line) => !("landed" in line));
  renameSync(home(), join(folder, "home-once"));
});

beforeEach(() => {
  mkdirSync(join(folder, "out"), { recursive: true });
  rmSync(home(), { recursive: true, force: true });
  rmSync(join(folder, "out", "reports"), { recursive: true, force: true });
  copy(join(folder, "home-once"), home());
  logged.length = 0;
});

afterEach(async () => {
  await stopAll();
  for (const child of children.splice(0)) await stopProcess(child);
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function copy(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [a, b] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copy(a, b);
    else writeFileSync(b, readFileSync(a));
  }
}

/** What score writes of the study. */
async function answer(revision: number, slices: number, more: Partial<StudyAnswer> = {}): Promise<StudyAnswer> {
  const given = records.slice(0, slices).map((record, i) => ({
    ...{ instance: String(record.instance), series: String(record.series), page: 1, sequence: null, view: null },
    ...{ sha256: String(i).repeat(64), probability: 0.9 - i / 10, decision: "Cancer" as const },
  }));
  const verdict = { fit: false, sentence: "Not fit for use: the test says so.", reasons: ["phantoms"] };
  const made: StudyAnswer = {
    ...{ study, revision, answered_at: "2026-03-01T10:11:12.345Z", model: "m-1", model_sha256: "a".repeat(64) },
    ...{
      recipe: "r-1",
      synthetic: true,
      verdict,
      disclaimer: "Not for diagnostic use.",
      threshold: 0.4,
      uncertain: null,
    },
    whole: { probability: 0.75, decision: "Cancer", threshold: 0.5, rule: "A study is answered by a rule.", verdict },
    pictures: picturesKey(given),
    slices: given,
    peak: { x: 3, y: 5 },
    overlay: null,
    ...more,
  };
  const reports = await openStore(join(folder, "out", "reports"));
  await reports.create(studyObject(study, revision), JSON.stringify(made));
  return made;
}

/** What is at home may be there, and at the receivers; nothing else may tell it. */
function expectNoNames(): void {
  const told = [
    ...logged,
    ...["queue", "sent", "dead", "seen"].flatMap((where) =>
      readdirSync(home("results", where)).map((name) => name + readFileSync(home("results", where, name), "utf8")),
    ),
  ].join("\n");
  for (const secret of [...Object.values(PLANTED), STUDY, "1.2.826.0.1.3680043.9"]) expect(told).not.toContain(secret);
}

async function archive(): Promise<{ port: number; lines: string[]; folder: string }> {
  const stored = mkdtempSync(join(folder, "archive-"));
  const child = spawn(pydicomPython(), [join(__dirname, "receive.py"), stored], { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  const lines: string[] = [];
  const port = await new Promise<number>((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (/^\d+$/.test(line)) resolve(Number(line));
      else lines.push(line);
    });
  });
  return { port, lines, folder: stored };
}

/** An HTTP server that keeps what it is posted. */
async function web(status: () => number): Promise<{ port: number; bodies: { type: string; body: Buffer }[] }> {
  const bodies: { type: string; body: Buffer }[] = [];
  const server = createHttpServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    bodies.push({ type: request.headers["content-type"] ?? "", body: Buffer.concat(parts) });
    response.writeHead(status()).end("{}");
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, bodies };
}

/** A receiver of HL7 v2. `answer` gives MSA-1, or nothing to say nothing. */
async function mllp(answer: (count: number) => string | undefined): Promise<{ port: number; messages: string[] }> {
  const messages: string[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    let held = "";
    socket.on("data", (chunk) => {
      held += chunk.toString("utf8");
      const end = held.indexOf("\x1c\r");
      if (end < 0) return;
      messages.push(held.slice(held.indexOf("\x0b") + 1, end));
      held = held.slice(end + 2);
      const id = messages.at(-1)?.split("\r")[0]?.split("|")[9];
      const code = answer(messages.length);
      if (code !== undefined) socket.write(`\x0bMSH|^~\\&|RIS|||||||||2.5.1\rMSA|${code}|${id}\r\x1c\r`);
    });
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, messages };
}

test("an answer comes home under the hospital's own names: C-STORE, STOW, FHIR and HL7, each once", async () => {
  const [pacs, stow, fhir, ris] = [await archive(), await web(() => 200), await web(() => 200), await mllp(() => "AA")];
  await answer(1, 2);
  const to = [
    `dicom://ARCHIVE@127.0.0.1:${pacs.port}`,
    `stow+http://127.0.0.1:${stow.port}/studies`,
    `fhir+http://127.0.0.1:${fhir.port}/fhir`,
    `mllp://127.0.0.1:${ris.port}`,
  ];
  await start(to);
  await until(() => files("sent").length === 4);
  // Another model's answer of the same slices is none that the hospital waits for; nor is anything sent again.
  await answer(2, 2, { model: "m-2" });
  await until(() => readFileSync(home("results", "seen", `${study}.json`), "utf8").includes('"revision":2'));
  await stopAll();
  await start(to);
  await answer(3, 2, { model: "m-3" });
  await until(() => readFileSync(home("results", "seen", `${study}.json`), "utf8").includes('"revision":3'));
  await stopAll();
  expect([files("queue"), files("dead"), files("sent").length]).toEqual([[], [], 4]);
  expect([pacs.lines.length, stow.bodies.length, fhir.bodies.length, ris.messages.length]).toEqual([1, 1, 1, 1]);

  // The archive's copy as highdicom reads it; what STOW was sent is the same file.
  const part = stow.bodies[0]?.body as Buffer;
  const start4 = part.indexOf("\r\n\r\n") + 4;
  const file = part.subarray(start4, part.lastIndexOf("\r\n--"));
  const [name = ""] = readdirSync(pacs.folder);
  const stored = readFileSync(join(pacs.folder, name));
  expect(file.subarray(-stored.length).equals(stored)).toBe(true);
  expect(pacs.lines).toEqual([`0000 ${name.replace(/^1-|\.dcm$/g, "")} GATEWAY ARCHIVE`]);
  expect(readBack(folder, ["sr", file])).toEqual([
    expect.objectContaining({
      study: STUDY,
      patient: PLANTED.id,
      accession: PLANTED.accession,
      evidence: [STUDY, SERIES],
      image: ["1.2.840.10008.5.1.4.1.1.4", "1.2.826.0.1.3680043.9.1.1", null],
      point: [[3.5, 5.5]],
      probability: 90,
      flags: ["PRELIMINARY", "COMPLETE", "UNVERIFIED"],
    }),
  ]);
  const asked = `import sys, pydicom
d = pydicom.dcmread(sys.argv[1])
print(d.PatientName, d.PatientBirthDate, d.StudyDate, "PatientIdentityRemoved" in d)
print(str(d))
for item in d.ContentSequence:
    print(item.get("TextValue"))`;
  const path = join(folder, "home.dcm");
  writeFileSync(path, file);
  const read = spawn(pydicomPython(), ["-c", asked, path], { stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  for await (const chunk of read.stdout) printed += String(chunk);
  expect(printed.split("\n")[0]).toBe(`${PLANTED.name} ${PLANTED.birth} 20240229 False`);
  // The study's own answer beside its slice's.
  expect(printed).toMatch(/'study-cancer'[\s\S]*Numeric Value\s+DS: '75'/);
  expect(printed).toContain("For the whole study: Cancer, probability of Cancer 75.0 %");

  const bundle = fhir.bodies[0]?.body.toString("utf8") ?? "";
  expect(bundle).toContain(`urn:oid:${STUDY}`);
  expect(bundle).toContain(`"value":"${PLANTED.id}"`);
  expect(bundle).toContain("study-cancer");
  const [hl7 = ""] = ris.messages;
  expect(hl7).toContain(`\rPID|1||${PLANTED.id}^^^^PI||PLANTED^NAME^^^||${PLANTED.birth}|`);
  expect(hl7).toContain(`^${STUDY}^ISO`);
  expect(hl7).toContain("study-cancer");
  // No pseudonym goes on into the hospital's systems.
  for (const text of [bundle, hl7, file.toString("latin1")])
    for (const pseudonym of [study, String(records[0]?.instance), String(records[0]?.patient)])
      expect(text).not.toContain(pseudonym);
  expectNoNames();
});

/** A picture as score draws one: grey, with a red pixel. */
const WIDTH = 32;
const HEIGHT = 25;
async function overlay(): Promise<{ png: Buffer; sha256: string; name: string }> {
  const samples = Buffer.from(Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => (i >> 3) & 0xff));
  samples.set([200, 10, 20], 0);
  const png = await writePng({ width: WIDTH, height: HEIGHT, channels: 3, samples });
  const sha256 = createHash("sha256").update(png).digest("hex");
  return { png, sha256, name: studyOverlay(study, sha256) };
}

test("the overlay comes home as a Secondary Capture under the hospital's own names, the same bytes by C-STORE and STOW", async () => {
  const [pacs, stow] = [await archive(), await web(() => 200)];
  const { png, sha256, name } = await overlay();
  const reports = await openStore(join(folder, "out", "reports"));
  await reports.create(name, png);
  await answer(1, 2, { overlay: sha256 });
  const to = (form: string) => [
    `dicom://ARCHIVE@127.0.0.1:${pacs.port}${form}`,
    `stow+http://127.0.0.1:${stow.port}/studies${form}`,
  ];
  // Beside the report, which goes to the same archives.
  await start([...to("#sc"), ...to("")]);
  await until(() => files("sent").length === 4);
  await stopAll();
  const captures = stow.bodies.filter(({ body }) => body.includes(Buffer.from("1.2.840.10008.5.1.4.1.1.7\0")));
  expect([pacs.lines.length, stow.bodies.length, captures.length]).toEqual([2, 2, 1]);
  const part = captures[0]?.body as Buffer;
  const file = part.subarray(part.indexOf("\r\n\r\n") + 4, part.lastIndexOf("\r\n--"));
  const stored = readdirSync(pacs.folder).map((each) => readFileSync(join(pacs.folder, each)));
  expect(stored.filter((bytes) => file.subarray(-bytes.length).equals(bytes))).toHaveLength(1);
  const [read] = readBack(folder, ["sc", file]);
  expect(read).toMatchObject({
    class: "Secondary Capture Image Storage",
    study: STUDY,
    patient: PLANTED.id,
    person: [PLANTED.name, PLANTED.birth, "20240229", false],
    modality: "OT",
    source: ["1.2.840.10008.5.1.4.1.1.4", "1.2.826.0.1.3680043.9.1.1", null],
    corner: [200, 10, 20],
    highdicom: true,
  });
  const uids = read?.uids as string[];
  expect(pacs.lines).toContain(`0000 ${uids[0]} GATEWAY ARCHIVE`);
  expect(String(read?.comments)).toContain("For the whole study: Cancer");
  for (const pseudonym of [study, String(records[0]?.instance), String(records[0]?.patient)])
    expect(file.toString("latin1")).not.toContain(pseudonym);
  expectNoNames();

  // Another gateway, with the same mapping: the same instance.
  rmSync(home("results"), { recursive: true });
  await start([`stow+http://127.0.0.1:${stow.port}/studies#sc`]);
  await until(() => files("sent").length === 1);
  expect(stow.bodies.at(-1)?.body.equals(part)).toBe(true);
});

test("an overlay that is another is given up, one that is not there waits, and the report goes out whatever becomes of it", async () => {
  const stow = await web(() => 200);
  const { png, sha256, name } = await overlay();
  const reports = await openStore(join(folder, "out", "reports"));
  await answer(1, 2, { overlay: sha256 });
  const to = [`stow+http://127.0.0.1:${stow.port}/studies#sc`, `stow+http://127.0.0.1:${stow.port}/studies`];
  await start(to);
  await until(() => files("sent").length === 1 && logged.join("").includes("is gone, or may not be read"));
  await reports.create(name, png);
  await until(() => files("sent").length === 2);
  await stopAll();
  expect(stow.bodies).toHaveLength(2);

  for (const [content, given, reason] of [
    [Buffer.concat([png, Buffer.alloc(1)]), sha256, "Its overlay is not as it was drawn."],
    [Buffer.from("GIF89a"), createHash("sha256").update("GIF89a").digest("hex"), "Its overlay is not as it was drawn."],
    [undefined, null, "It has no overlay"],
  ] as const) {
    rmSync(home("results"), { recursive: true });
    rmSync(join(folder, "out", "reports"), { recursive: true });
    if (content) await reports.create(studyOverlay(study, given), content);
    await answer(1, 2, { overlay: given });
    await start(to);
    await until(() => files("sent").length === 1 && files("dead").length === 1);
    await stopAll();
    const [why = ""] = readdirSync(home("results", "dead")).filter((each) => each.endsWith(".reason"));
    expect(readFileSync(home("results", "dead", why), "utf8")).toContain(reason);
  }
  expectNoNames();
});

test("a study waits until what was sent is answered, and unfit models' answers stay unless asked for", async () => {
  const ris = await mllp(() => "AA");
  const to = [`mllp://127.0.0.1:${ris.port}`];
  await answer(1, 1);
  await start(to);
  await until(() => logged.join("").includes("not all slices of a study are answered yet"));
  expect(ris.messages).toEqual([]);
  await answer(2, 2);
  await until(() => files("sent").length === 1);
  await stopAll();
  expect(ris.messages).toHaveLength(1);
  expect(ris.messages[0]).not.toContain("are not answered");

  rmSync(home("results"), { recursive: true });
  await start(to, false);
  await until(() => files("seen").length === 1);
  expect([files("queue"), files("sent"), files("dead")]).toEqual([[], [], []]);
  expect(logged.join("")).toContain("the model is not fit for use");
});

test("what may pass is tried again, what is refused is given up with its reason, and one that is away holds up no other", async () => {
  let status = 503;
  const [busy, refusing] = [await web(() => status), await web(() => 422)];
  const ris = await mllp((count) => (count === 1 ? "AR" : count === 2 ? undefined : "AA"));
  const closed = await freePort();
  const pacs = await archive();
  writeFileSync(join(pacs.folder, "status"), "a700");
  await answer(1, 2);
  await start([
    `fhir+http://127.0.0.1:${busy.port}/`,
    `fhir+http://127.0.0.1:${refusing.port}/`,
    `dicom://ARCHIVE@127.0.0.1:${closed}`,
    `dicom://WRONG@127.0.0.1:${pacs.port}`,
    `dicom://ARCHIVE@127.0.0.1:${pacs.port}`,
    `mllp://127.0.0.1:${ris.port}`,
  ]);
  await until(() => files("dead").length >= 1 && pacs.lines.length > 1);
  expect(pacs.lines.every((line) => line.startsWith("a700 "))).toBe(true);
  status = 201;
  rmSync(join(pacs.folder, "status"));
  // A receiver that says nothing is left when the gateway stops, and asked again after.
  await until(() => files("sent").length >= 2 && ris.messages.length >= 2);
  await stopAll();
  await start([`mllp://127.0.0.1:${ris.port}`]);
  await until(() => files("sent").length === 3);
  await stopAll();
  expect(files("queue")).toHaveLength(2);
  const [reason = ""] = readdirSync(home("results", "dead")).filter((name) => name.endsWith(".reason"));
  expect(readFileSync(home("results", "dead", reason), "utf8")).toContain("The server answers 422.");
  expect(new Set(ris.messages).size).toBe(1);
  expectNoNames();
  // Put back by hand, it is tried again.
  const [dead = ""] = files("dead");
  renameSync(home("results", "dead", dead), home("results", "queue", dead));
  await start([`fhir+http://127.0.0.1:${refusing.port}/`]);
  await until(() => refusing.bodies.length === 2 && files("dead").length === 1);
});

test("what is handed on while the queue is being read is not handed on again", async () => {
  await answer(1, 2);
  const outbox = await Outbox.open(home("results"));
  let taken: () => void = () => undefined;
  const has = new Promise<void>((resolve) => {
    taken = resolve;
  });
  let attempts = 0;
  let reads = 0;
  const waiting = outbox.waiting.bind(outbox);
  outbox.waiting = async () => {
    const read = await waiting();
    // Between this and what is made of it, the receiver takes what stands in it.
    if (++reads === 2) {
      taken();
      await until(() => files("sent").length === 1);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return read;
  };
  const courier = new Courier({
    ...{ mapping: await Mapping.open(home("mapping")), outbox, unfit: true, lookSeconds: 0.05, incompleteHours: 24 },
    reports: await openStore(join(folder, "out", "reports")),
    destinations: [
      {
        ...{ id: "0".repeat(16), uri: "a receiver" },
        send: () => {
          attempts++;
          return has;
        },
      },
    ],
    log: pino({ level: "silent" }),
  });
  courier.start();
  await until(() => reads >= 4);
  await courier.stop();
  expect([attempts, files("sent").length, files("queue")]).toEqual([1, 1, []]);
});

test("killed between a receiver's having it and its being noted, the same message goes out again, and then never more", async () => {
  let silent = true;
  const ris = await mllp(() => (silent ? undefined : "AA"));
  await answer(1, 2);
  const run = () => {
    const child = spawn(
      process.execPath,
      [
        ...[MAIN, "gateway", "--aet", "GATEWAY", "--port", "0", "--out", join(folder, "out"), "--results-unfit"],
        ...["--results-to", `mllp://127.0.0.1:${ris.port}`, "--results-seconds", "1"],
      ],
      { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, PSEUDONYM_KEY: "local:test" } },
    );
    children.push(child);
    child.stderr.on("data", (chunk) => logged.push(String(chunk)));
    return child;
  };
  for (const times of [1, 2]) {
    const child = run();
    await until(() => ris.messages.length === times);
    await stopProcess(child);
  }
  silent = false;
  const third = run();
  await until(() => files("sent").length === 1);
  await stopProcess(third);
  await answer(2, 2, { model: "m-2" });
  const fourth = run();
  await until(() => readFileSync(home("results", "seen", `${study}.json`), "utf8").includes('"revision":2'));
  await stopProcess(fourth, "SIGTERM");
  expect(ris.messages).toHaveLength(3);
  expect(new Set(ris.messages).size).toBe(1);
  expectNoNames();
});

describe("of a study of which one instance was forgotten", () => {
  const seen = () => JSON.parse(readFileSync(home("results", "seen", `${study}.json`), "utf8"));
  const cloudForgets = () => rmSync(join(folder, "out", "reports"), { recursive: true });
  /** The less suspicious of the two. */
  const forget = () => {
    const { series, instance } = records[1] as Record<string, unknown>;
    const source = `Unlabelled/gateway/${study}/${series}/${instance}.dcm`;
    return forgetAtHome(home(), { source }, { dry: false, now: new Date(0) });
  };

  test("nothing is handed on twice", async () => {
    const [ris, fhir] = [await mllp(() => "AA"), await web(() => 422)];
    const to = [`mllp://127.0.0.1:${ris.port}`, `fhir+http://127.0.0.1:${fhir.port}/fhir`];
    await answer(1, 2);
    await start(to);
    await until(() => files("sent").length === 1 && files("dead").length === 1);
    await stopAll();
    // Answer, refused answer and reason; how far it was looked at is no answer.
    expect(await forget()).toMatchObject({ instances: 1, results: 3 });
    expect([files("queue"), files("sent"), readdirSync(home("results", "dead"))]).toEqual([[], [], []]);
    expect(seen().revision).toBe(0);
    await start(to);
    await until(() => seen().revision === 1);
    await answer(2, 2, { model: "m-2" });
    await until(() => seen().revision === 2);
    expect([files("queue"), files("sent"), files("dead")]).toEqual([[], [], []]);
    expect([ris.messages.length, fhir.bodies.length]).toEqual([1, 1]);
  });

  test("what the cloud answers anew is handed on, though its revisions begin anew", async () => {
    const ris = await mllp(() => "AA");
    const to = [`mllp://127.0.0.1:${ris.port}`];
    await answer(1, 2);
    await start(to);
    await until(() => files("sent").length === 1);
    await stopAll();
    await forget();
    cloudForgets();
    const { pictures } = await answer(1, 1);
    await start(to);
    await until(() => files("sent").length === 1);
    expect(files("sent")[0]).toContain(pictures);
    expect(ris.messages).toHaveLength(2);
  });

  test("nor does it matter which forgets first, and whether the gateway looked between", async () => {
    const ris = await mllp(() => "AA");
    const to = [`mllp://127.0.0.1:${ris.port}`];
    await answer(1, 2);
    await start(to);
    await until(() => files("sent").length === 1);
    await stopAll();
    await forget();
    await start(to);
    await until(() => seen().revision === 1);
    cloudForgets();
    await until(() => seen().revision === 0);
    await answer(1, 1);
    await until(() => files("sent").length === 1);
    await stopAll();
    expect(ris.messages).toHaveLength(2);
  });

  test("what waited and nobody has is handed on once it is answered again", async () => {
    const away = await freePort();
    const { pictures } = await answer(1, 2);
    await start([`mllp://127.0.0.1:${away}`]);
    await until(() => files("seen").length === 1);
    await stopAll();
    expect(seen()).toEqual({ revision: 1, pictures: [pictures] });
    await forget();
    expect([seen(), files("queue")]).toEqual([{ revision: 0, pictures: [] }, []]);
    const ris = await mllp(() => "AA");
    await start([`mllp://127.0.0.1:${ris.port}`]);
    await until(() => files("sent").length === 1);
    expect(ris.messages).toHaveLength(1);
  });
});

test("what lies below studies/ and is no answer is passed over; one of an instance that is not at home is given up", async () => {
  const ris = await mllp(() => "AA");
  const reports = await openStore(join(folder, "out", "reports"));
  await reports.create(studyObject(study, 1), '{"study": "1"');
  const strange = `2.25.${"9".repeat(30)}`;
  const made = await answer(2, 2);
  const [first, second] = made.slices;
  const slices = [{ ...(first as object), instance: strange }, first, second];
  await reports.create(studyObject(study, 3), JSON.stringify({ ...made, revision: 3, slices, pictures: "other" }));
  await start([`mllp://127.0.0.1:${ris.port}`]);
  await until(() => files("dead").length === 1);
  expect(ris.messages).toEqual([]);
  await answer(4, 2);
  await until(() => files("sent").length === 1);
  expect(logged.join("")).toContain("an answer is damaged and passed over");
});

test.each([
  ["http://10.0.0.1/fhir", "is of no kind"],
  ["fhir+http://10.0.0.1/fhir", "is not secured"],
  ["dicom://10.0.0.1:104", "names no application entity title"],
  ["dicom://PACS@10.0.0.1", "names no host and port"],
  ["stow+https://user:secret@pacs/studies", "holds a password"],
  ["pacs", "is no address"],
  ["mllp://10.0.0.1:2575#sc", 'asks for "#sc"'],
  ["dicom://PACS@10.0.0.1:104#toString", 'asks for "#toString"'],
])("%s is refused as a destination", (uri, why) => {
  expect(() => destinationOf(uri, { aet: "GATEWAY", tls: {} })).toThrow(why);
});
