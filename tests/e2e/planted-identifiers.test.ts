import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { deidentify } from "../../runtime/imaging";
import { openIdentities } from "../../runtime/intake";
import { openWorkspace } from "../../runtime/platform/workspace";
import {
  bytesOfSlice,
  type Elements,
  mrElements,
  writeElements,
  writeFile,
} from "../runtime/imaging/dicom/dicom-writer";
import { COLUMNS, head, headScan, ROWS } from "../support/head-scan";
import { writeText } from "../support/letters";
import { stopProcess } from "../support/processes";
import { runPydicom } from "../support/pydicom";
import { filesBelow, findings, type Places, unpacked } from "../support/searched";
import { promote, storeModel, until } from "../support/served-model";

/*
 * Scans that name their patients wherever a file can, sent the whole way: nothing of it stands in what is behind ingest, in
 * what processes say, or in what is answered.
 */

const CLI = resolve("dist/runtime/cli/main.js");
const STUDY = "1.2.840.99.47118.1";
const SERIES = "1.2.840.99.47118.2";
const CYRILLIC = Buffer.from([0xbc, 0xd8, 0xe5, 0xd0, 0xd9, 0xdb, 0xde, 0xd2, 0xd0]);
const JAPANESE = Buffer.from("$B;3ED2VO:", "latin1");

/** What names somebody, by where it stands. */
const PLANTED: readonly (readonly [where: string, value: string | Buffer])[] = [
  ["Patient's Name", "Mustermannova"],
  ["the given name", "Ermengarde"],
  ["Patient ID", "MRN-4711815"],
  ["Other Patient IDs", "ALT-660172"],
  ["Accession Number", "ACC-081577"],
  ["Study Instance UID", STUDY],
  ["Series Instance UID", SERIES],
  ["SOP Instance UID", "1.2.840.99.47118.3"],
  ["Patient's Birth Date", "19541231"],
  ["Acquisition Date", "20230613"],
  ["Acquisition Date, as tables write it", "2023-06-13"],
  ["Patient's Address", "Rosengasse"],
  ["Patient's Telephone Numbers", "0171-5550199"],
  ["Referring Physician's Name", "Quacksalber"],
  ["Institution Name", "Hinterwald"],
  ["Station Name", "MRSTATIONQ7"],
  ["Device Serial Number", "SN-83920-K"],
  ["Series Description", "Zaphodine"],
  ["Image Comments", "Beeblebroxa"],
  ["Request Attributes Sequence", "ORDERX-9917"],
  ["a private element", "PRIVSECRETX"],
  ["a private sequence", "NESTEDPRIVQ"],
  ["an overlay's comment", "OVLSECRETZ"],
  ["Data Set Trailing Padding", "PADSECRETV"],
  ["a name in ISO_IR 144", CYRILLIC],
  ["the same in UTF-8", "Михайлова"],
  ["a name in ISO 2022 IR 87", JAPANESE],
  ["the same in UTF-8", "山田花郎"],
  ["the file's name", "Hinterhuber"],
];

/** Of the scan that comes by the gateway. */
const HOME_STUDY = "1.2.840.99.47118.77";

const inBytes = PLANTED.map(([where, value]) => [where, Buffer.from(value as string)] as const);

const PERSON: Elements = [
  [0x0008_0020, "DA", "20230613"],
  [0x0008_0022, "DA", "20230613"],
  [0x0008_0050, "SH", "ACC-081577"],
  [0x0008_0080, "LO", "Klinikum Hinterwald"],
  [0x0008_0090, "PN", "Quacksalber^Dr"],
  [0x0008_1010, "SH", "MRSTATIONQ7"],
  [0x0008_103e, "LO", "T1 axial Zaphodine"],
  [0x0009_0010, "LO", "ACME"],
  [0x0009_1001, "LO", "PRIVSECRETX"],
  [
    0x0009_1002,
    "SQ",
    [
      [
        [0x0009_0010, "LO", "ACME"],
        [0x0009_1001, "LO", "NESTEDPRIVQ"],
      ],
    ],
  ],
  [0x0010_0030, "DA", "19541231"],
  [0x0010_1000, "LO", "ALT-660172"],
  [0x0010_1040, "LO", "Rosengasse 7"],
  [0x0010_2154, "SH", "0171-5550199"],
  [0x0018_1000, "LO", "SN-83920-K"],
  [0x0020_000d, "UI", STUDY],
  [0x0020_000e, "UI", SERIES],
  [0x0020_4000, "LT", "called Beeblebroxa today"],
  [0x0040_0275, "SQ", [[[0x0040_1001, "SH", "ORDERX-9917"]]]],
  [0x6000_4000, "LT", "OVLSECRETZ"],
];

/** A scan of a person; each has an instance and pixels of its own. */
function scanOf(index: number, more: Elements, frame = head(index, index % 2 === 0 ? undefined : null)): Buffer {
  const replaced = new Set(more.map(([tag]) => tag));
  const own: Elements = [
    ...PERSON.filter(([tag]) => !replaced.has(tag)),
    ...more,
    [0x0008_0018, "UI", `1.2.840.99.47118.3.${index}`],
  ];
  expect(new Set(own.map(([tag]) => tag)).size).toBe(own.length);
  return headScan({ frames: [frame], more: [...own, [0x0020_0013, "IS", String(index)]] });
}

const NAMES: readonly Elements[] = [
  [
    [0x0010_0010, "PN", "Mustermannova^Ermengarde"],
    [0x0010_0020, "LO", "MRN-4711815"],
  ],
  [
    [0x0008_0005, "CS", "ISO_IR 144"],
    [0x0010_0010, "PN", Buffer.concat([CYRILLIC, Buffer.from(" ")])],
    [0x0010_0020, "LO", Buffer.concat([CYRILLIC, Buffer.from("7")])],
  ],
  [
    [0x0008_0005, "CS", "\\ISO 2022 IR 87"],
    [0x0010_0010, "PN", Buffer.from(`\x1b${JAPANESE.toString("latin1")}\x1b(B `, "latin1")],
    [0x0010_0020, "LO", Buffer.from(`\x1b${JAPANESE.toString("latin1")}\x1b(B7`, "latin1")],
  ],
];

/** One that a scanner sends: each attribute once, and the file says which instance its data set is. */
function scanByGateway(): Buffer {
  const sopInstance = "1.2.840.99.47118.3.20";
  const own: Elements = [
    ...PERSON.filter(([tag]) => tag !== 0x0020_000d),
    ...(NAMES[0] as Elements),
    [0x0008_0018, "UI", sopInstance],
    [0x0020_000d, "UI", HOME_STUDY],
    [0x0020_0013, "IS", "1"],
    [0x0020_0037, "DS", "1\\0\\0\\0\\1\\0"],
    [0x0028_0101, "US", [16]],
    [0x0028_0102, "US", [15]],
  ];
  const pixels: Elements = [[0x7fe0_0010, "OW", bytesOfSlice(head(20))]];
  const ordered = [...mrElements(ROWS, COLUMNS, own)].sort(([a], [b]) => a - b);
  return writeFile(writeElements([...ordered, ...pixels]), { sopInstance });
}

/** What may name patients, as the folders and with the versions of their objects. */
const NOT_SEARCHED = ["landing", "quarantine", ".store/landing", ".store/quarantine"];

/** Data Set Trailing Padding, behind the pixels. */
const PADDING = writeElements([[0xfffc_fffc, "OB", Buffer.from("PADSECRETV")]]);

let root: string;
let data: string;
const children: ChildProcess[] = [];
const servers: Server[] = [];
/** What processes said. */
const said: Places = new Map();

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "planted-"));
  data = join(root, "data");
  for (const folder of ["Cancer", "Non-Cancer", "Unlabelled"]) mkdirSync(join(data, folder), { recursive: true });
  const burned = head(9);
  writeText(burned, COLUMNS, "DOE JANE 1955", { left: 6, top: 6, dot: 2, value: 4000 });
  for (let index = 0; index < 6; index++) {
    const folder = ["Cancer", "Non-Cancer", "Unlabelled"][index % 3] as string;
    const scan = scanOf(index, NAMES[Math.floor(index / 2)] as Elements);
    writeFileSync(join(data, folder, `Hinterhuber_Anna_${index}.dcm`), Buffer.concat([scan, PADDING]));
  }
  writeFileSync(join(data, "Unlabelled", "Hinterhuber_burned.dcm"), scanOf(9, NAMES[0] as Elements, burned));
});
afterAll(async () => {
  await Promise.all(children.map((child) => stopProcess(child)));
  for (const server of servers) server.close();
  rmSync(root, { recursive: true, force: true });
});

function start(command: string, ...args: string[]): { child: ChildProcess; text: () => string } {
  const child = spawn(process.execPath, [CLI, ...command.split(" "), "--out", join(root, "workspace"), ...args], {
    env: { ...process.env, LOG_LEVEL: "debug" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      text += chunk;
      said.set(`what ${command} said`, Buffer.from(text));
    });
  return { child, text: () => text };
}

async function run(command: string, ...args: string[]): Promise<string> {
  const { child, text } = start(command, ...args);
  const code = await new Promise((done) => child.once("close", done));
  expect({ command, code, text: text() }).toMatchObject({ code: 0 });
  return text();
}

/** A receiver of answers that keeps what it is sent. */
async function startReceiver(): Promise<{ readonly server: Server; readonly port: number; readonly sent: Places }> {
  const sent: Places = new Map();
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const headers = Buffer.from(JSON.stringify([request.url, request.headers]));
    sent.set(`delivery ${sent.size + 1}`, Buffer.concat([headers, ...parts]));
    response.writeHead(200).end("{}");
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port, sent };
}

jest.setTimeout(1_200_000);

test("what is searched for is there to be found, in each form", async () => {
  const scans = filesBelow(data, []);
  const found = findings(scans, inBytes);
  for (const [where, value] of PLANTED) {
    // In another encoding, or as tables would write it.
    if (/UTF-8|tables/.test(where)) continue;
    expect([where, found.some((line) => line.startsWith(`${where} in `))]).toEqual([where, true]);
    for (const form of ["base64", "hex", "utf16le"] as const) {
      const bytes = Buffer.from(value as string);
      const written =
        form === "utf16le" ? Buffer.from(bytes.toString("latin1"), form) : Buffer.from(bytes.toString(form));
      expect(findings(new Map([["form", written]]), [[where, bytes]]).length).toBeGreaterThan(0);
    }
  }
});

test("nothing that names a patient stands behind landing and quarantine, in a log, or in an answer", async () => {
  const out = join(root, "workspace");
  await run("upload", "--data", data);
  await run("ingest");
  const workspace = await openWorkspace(out);
  try {
    await storeModel(workspace);
    await promote(workspace);
    const rows = (await workspace.warehouse.rows("images")).map(({ row }) => row);
    expect(rows.filter(({ status }) => status === "curated")).toHaveLength(6);
    // What has a name in its pixels is kept back.
    expect(rows.filter(({ status }) => status === "quarantined")).toHaveLength(1);
    expect(new Set(rows.map(({ patient }) => patient)).size).toBe(3);
  } finally {
    await workspace.close();
  }
  await run("preprocess");
  await run("score");

  const { child, text } = start("serve", "--port", "0");
  const url = await until(
    async () => /on (http:\S+)/.exec(text())?.[1],
    (found) => found !== undefined || child.exitCode !== null,
  );
  const answers: Places = new Map();
  const ask = async (path: string, init?: RequestInit) => {
    const answer = await fetch(`${url}${path}`, init);
    const bytes = Buffer.from(await answer.arrayBuffer());
    expect({ path, status: answer.status, text: answer.ok ? "" : bytes.toString() }).toMatchObject({ status: 200 });
    answers.set(`${init?.method ?? "GET"} ${path}`, bytes);
    answers.set(`head of ${path}`, Buffer.from(JSON.stringify([...answer.headers])));
    return bytes;
  };
  for (const index of [0, 2, 4]) {
    const body = new Uint8Array(scanOf(index, NAMES[index / 2] as Elements));
    const answer = JSON.parse((await ask("/v1/predictions", { method: "POST", body })).toString());
    for (const part of ["", "/overlay", "/original", "/similar"]) await ask(`/v1/predictions/${answer.id}${part}`);
    for (const format of ["fhir", "sr", "sc", "hl7"]) await ask(`/v1/predictions/${answer.id}/report?format=${format}`);
  }
  const form = new FormData();
  form.append("file", new Blob([new Uint8Array(scanOf(1, NAMES[0] as Elements))]), "scan.dcm");
  await ask("/v1/predictions/batch", { method: "POST", body: form });
  const { items } = JSON.parse((await ask("/v1/predictions")).toString()) as { items: { id: string; study: string }[] };
  for (const { id } of items) {
    const headers = { "content-type": "application/json" };
    await ask(`/v1/predictions/${id}/feedback`, { method: "POST", headers, body: JSON.stringify({ label: "Cancer" }) });
  }
  // What score wrote of the study, and a picture of it.
  const { study } = items[0] as (typeof items)[number];
  for (const part of ["", "/overlay"]) await ask(`/v1/studies/${study}${part}`);
  for (const path of ["/v1/worklist", "/v1/feedback", "/v1/monitoring", "/v1/model", "/metrics", "/openapi.json"])
    await ask(path);
  await stopProcess(child, "SIGTERM");

  // All that hands answers on, measures, seals, and begins to train anew.
  const receiver = await startReceiver();
  const key = join(root, "signing.pem");
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(key, privateKey.export({ type: "pkcs8", format: "pem" }));
  for (const format of ["fhir", "sr", "sc"]) {
    const to = `http://127.0.0.1:${receiver.port}/${format === "fhir" ? "fhir" : "studies"}`;
    await run("deliver", "--to", to, "--format", format, "--signing-key", key, "--unfit");
  }
  expect(receiver.sent.size).toBeGreaterThanOrEqual(3 * items.length);
  receiver.server.close();
  // It measures every picture, and has no answers of test scans to compare them with.
  const monitoring = start("monitor");
  await new Promise((done) => monitoring.child.once("close", done));
  await run("audit seal", "--archive", join(root, "archive"));
  // The run itself may end as it likes: of six scans there is little to learn.
  const retraining = start("retrain", "--epochs", "1", "--backend", "wasm");
  await new Promise((done) => retraining.child.once("close", done));

  const kept = await unpacked(filesBelow(out, NOT_SEARCHED), out);
  for (const part of [
    "curated/images/",
    "processed/",
    "warehouse/images/",
    "warehouse/predictions/",
    "warehouse/audit/",
    "warehouse/feedback/",
    "warehouse/input_statistics/",
    "reports/studies/",
    "reports/delivery/",
    "reports/answers/",
    "reports/retraining/",
  ])
    expect([part, [...kept.keys()].some((place) => place.startsWith(part))]).toEqual([part, true]);
  expect([...kept.keys()].some((place) => place.endsWith("(rows)"))).toBe(true);
  expect([...kept.keys()].some((place) => /^reports\/retraining\/.*snapshot-/.test(place))).toBe(true);
  expect([...kept.keys()].some((place) => /^reports\/studies\/.*\.png$/.test(place))).toBe(true);
  const archive = await unpacked(filesBelow(join(root, "archive"), []), join(root, "archive"));
  expect(archive.size).toBeGreaterThan(0);
  const places = new Map([...kept, ...archive, ...said, ...answers, ...receiver.sent]);
  expect(findings(places, inBytes)).toEqual([]);
});

test("what the gateway fetches home and hands on has names for the hospital alone", async () => {
  const out = join(root, "workspace");
  const receiver = await startReceiver();
  const { child, text } = start(
    ...(["gateway", "--aet", "GATEWAY", "--port", "0", "--results-unfit", "--results-seconds", "1"] as const),
    ...["--results-to", `stow+http://127.0.0.1:${receiver.port}/studies`],
    ...["--results-to", `stow+http://127.0.0.1:${receiver.port}/studies#sc`],
  );
  const port = await until(
    async () => /listens on 127\.0\.0\.1:(\d+)/.exec(text())?.[1],
    (found) => found !== undefined || child.exitCode !== null,
  );
  const scan = join(root, "by-gateway.dcm");
  writeFileSync(scan, scanByGateway());
  const sender = join(__dirname, "../runtime/gateway/send.py");
  expect(runPydicom(sender, "--port", String(port), scan)).toMatch(/^0000 /);
  await until(
    async () => filesBelow(join(out, "landing"), []).size,
    () => [...filesBelow(join(out, "landing"), []).keys()].some((name) => /^Unlabelled\/gateway\/.*\.dcm$/.test(name)),
  );
  await run("ingest");
  await run("score");
  await until(
    async () => receiver.sent.size,
    (sent) => sent >= 2,
  );
  await stopProcess(child, "SIGTERM");
  // The hospital's systems are told whose it is, and by its own names.
  for (const [, body] of receiver.sent)
    for (const own of ["Mustermannova", "MRN-4711815", HOME_STUDY]) expect(body.includes(own)).toBe(true);
  // Beside the mapping, and what waits to be sent, nothing at home names anybody; nor does what landed, or the log.
  const home = ["gateway/mapping", "gateway/spool"];
  const kept = await unpacked(filesBelow(out, [...NOT_SEARCHED, ...home]), out);
  expect([...kept.keys()].some((place) => place.startsWith("gateway/results/sent/"))).toBe(true);
  const landed = filesBelow(join(out, "landing", "Unlabelled", "gateway"), []);
  expect(landed.size).toBeGreaterThan(0);
  expect(
    findings(new Map([...kept, ...landed, ...said]), [...inBytes, ["the study", Buffer.from(HOME_STUDY)]]),
  ).toEqual([]);
});

test("after forget no byte of the workspace speaks of them, under their names or under what stood for them", async () => {
  const out = join(root, "workspace");
  const workspace = await openWorkspace(out);
  const rows = (await workspace.warehouse.rows("images")).map(({ row }) => row);
  await workspace.close();
  const pseudonyms = new Set(
    rows.flatMap(({ id, patient, study, series, instance, sha256 }) => [id, patient, study, series, instance, sha256]),
  );
  const stood = [...pseudonyms].flatMap((value, i) => (value ? [[`pseudonym ${i}`, Buffer.from(value)] as const] : []));
  const before = await unpacked(filesBelow(out, ["gateway"]), out);
  expect(findings(before, inBytes).length).toBeGreaterThan(PLANTED.length);
  expect(findings(before, stood).length).toBeGreaterThan(stood.length);
  // As their headers have it, which is not how tables would write it.
  for (const patient of ["MRN-4711815", `${"Михайлова"}7`, `${"山田花郎"}7`])
    await run("forget", "--patient", patient, "--yes");
  // At home in the hospital stays what it keeps of its own patients; a log of leaves holds hashes of rows, salted.
  const after = await unpacked(filesBelow(out, ["gateway"]), out);
  expect(findings(after, [...inBytes, ...stood])).toEqual([]);
});

test("nothing of it is in what the gateway would send", async () => {
  const identities = await openIdentities("local:a key of this test");
  const sent: Places = new Map();
  for (const [index, person] of NAMES.entries()) {
    const names = await identities.of(`patient ${index}`);
    const options = { retainDates: "modified", cleanDescriptors: true } as const;
    sent.set(`instance ${index}`, deidentify(scanOf(index, person), names, options));
  }
  expect(findings(sent, inBytes)).toEqual([]);
});
