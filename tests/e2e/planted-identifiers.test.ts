import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { deidentify } from "../../runtime/imaging";
import { openIdentities } from "../../runtime/intake";
import { openWorkspace } from "../../runtime/platform/workspace";
import { type Elements, writeElements } from "../runtime/imaging/dicom/dicom-writer";
import { COLUMNS, head, headScan } from "../support/head-scan";
import { writeText } from "../support/letters";
import { stopProcess } from "../support/processes";
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
  const own: Elements = [...PERSON, ...more, [0x0008_0018, "UI", `1.2.840.99.47118.3.${index}`]];
  const replaced = new Set(own.map(([tag]) => tag));
  expect(replaced.size).toBe(own.length);
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

/** What may name patients, as the folders and with the versions of their objects. */
const NOT_SEARCHED = ["landing", "quarantine", ".store/landing", ".store/quarantine"];

/** Data Set Trailing Padding, behind the pixels. */
const PADDING = writeElements([[0xfffc_fffc, "OB", Buffer.from("PADSECRETV")]]);

let root: string;
let data: string;
const children: ChildProcess[] = [];
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
  rmSync(root, { recursive: true, force: true });
});

function start(command: string, ...args: string[]): { child: ChildProcess; text: () => string } {
  const child = spawn(process.execPath, [CLI, command, "--out", join(root, "workspace"), ...args], {
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

jest.setTimeout(600_000);

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
  for (const path of ["/v1/predictions", "/v1/model", "/metrics", "/openapi.json"]) await ask(path);
  await stopProcess(child, "SIGTERM");

  const kept = await unpacked(filesBelow(out, NOT_SEARCHED), out);
  for (const part of [
    "curated/images/",
    "processed/",
    "warehouse/images/",
    "warehouse/predictions/",
    "warehouse/audit/",
  ])
    expect([part, [...kept.keys()].some((place) => place.startsWith(part))]).toEqual([part, true]);
  expect([...kept.keys()].some((place) => place.endsWith("(rows)"))).toBe(true);
  expect(findings(new Map([...kept, ...said, ...answers]), inBytes)).toEqual([]);
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
