import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pino } from "pino";
import { type Gateway, type GatewayOptions, startGateway } from "../../../runtime/gateway";
import { fileMetaInformation } from "../../../runtime/gateway/file-meta";
import { type ObjectInfo, openStore } from "../../../runtime/platform/stores";
import { writeText } from "../../support/letters";
import { stopProcess } from "../../support/processes";
import { pydicomPython, pydicomTestFiles, runPydicom } from "../../support/pydicom";
import { bytesOfSlice, drawSlice, type Elements } from "../imaging/dicom/dicom-writer";
import { PLANTED, writeInstance } from "./instances";

let folder: string;
const gateways: Gateway[] = [];
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gateway-"));
});

afterEach(async () => {
  for (const child of children.splice(0)) await stopProcess(child);
  for (const gateway of gateways.splice(0)) await gateway.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: Partial<GatewayOptions> = {}): Promise<Gateway> {
  const gateway = await startGateway({
    aet: "GATEWAY",
    host: "127.0.0.1",
    port: 0,
    tls: undefined,
    callers: [],
    addresses: [],
    folder: join(folder, "home"),
    store: await openStore(join(folder, "landing")),
    key: "local:test",
    log: pino({ level: "silent" }),
    ...options,
    limits: { reserveBytes: 1, ...options.limits },
  });
  gateways.push(gateway);
  return gateway;
}

/** Runs the sender to its end. @returns what it printed, a line each */
async function send(port: number, files: readonly string[], ...options: readonly string[]): Promise<string[]> {
  const child = spawn(pydicomPython(), [SENDER, "--port", String(port), ...options, ...files], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) lines.push(line);
  return lines;
}
const SENDER = join(__dirname, "send.py");

const home = (...names: string[]) => join(folder, "home", ...names);
const spooled = (where: string) => readdirSync(home("spool", where)).sort();

/** Waits for what the gateway does by itself, however long that takes on this machine. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function landed(): Promise<ObjectInfo[]> {
  const objects: ObjectInfo[] = [];
  for await (const object of (await openStore(join(folder, "landing"))).listAll()) objects.push(object);
  return objects;
}

/** The lines of the mapping. */
function mapping(): Record<string, unknown>[] {
  return readdirSync(home("mapping")).flatMap((name) =>
    readFileSync(home("mapping", name), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>),
  );
}

/** A landing that cannot be reached. */
const AWAY: GatewayOptions["store"] = {
  uri: "gs://away",
  bucket: "away",
  create: () => Promise.reject(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" })),
  stat: () => Promise.reject(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" })),
};

const SYNTAXES = [
  "1.2.840.10008.1.2",
  "1.2.840.10008.1.2.1",
  "1.2.840.10008.1.2.1.98",
  "1.2.840.10008.1.2.1.99",
  "1.2.840.10008.1.2.5",
  ...["50", "51", "57", "70", "80", "81", "90", "91", "201", "202", "203"].map((end) => `1.2.840.10008.1.2.4.${end}`),
];

test("a data set lies in the spool as it was sent, byte for byte, in each of the 17 transfer syntaxes", async () => {
  const { port } = await start({ store: AWAY });
  const sent = SYNTAXES.map((syntax, i) => writeInstance(folder, i + 1, [], syntax));
  // pydicom's own: what is written big endian here would be our own mistake on both sides.
  const bigEndian = join(pydicomTestFiles(), "MR_small_bigendian.dcm");
  const lines = await send(port, [...sent.map(({ file }) => file), bigEndian]);
  expect(lines).toEqual([...sent.map(({ file }) => `0000 ${file}`), `0000 ${bigEndian}`, "done"]);
  const files = spooled("waiting").map((name) => readFileSync(home("spool", "waiting", name)));
  expect(files).toHaveLength(17);
  for (const { dataSet } of sent)
    expect(files.filter((file) => file.subarray(-dataSet.length).equals(dataSet))).toHaveLength(1);
  // What stands in front is what pydicom reads of it, and the rest its own file's.
  const asked = `import sys, pydicom
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        meta = pydicom.filereader.read_preamble(file, False) and pydicom.filereader._read_file_meta_info(file)
        print(meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID, meta.SourceApplicationEntityTitle, file.tell())`;
  const metas = runPydicom("-c", asked, ...spooled("waiting").map((name) => home("spool", "waiting", name)))
    .trim()
    .split("\n")
    .map((line) => line.split(" "));
  expect(metas.map(([syntax]) => syntax).sort()).toEqual([...SYNTAXES, "1.2.840.10008.1.2.2"].sort());
  for (const [, sopClass, caller] of metas)
    expect([sopClass, caller]).toEqual(["1.2.840.10008.5.1.4.1.1.4", "PYNETDICOM"]);
  for (const name of spooled("waiting")) expect(statSync(home("spool", "waiting", name)).mode & 0o777).toBe(0o600);
});

test("what was sent lands without a name, and the names stay at home", async () => {
  const { port } = await start();
  const sent = [1, 2, 3].map((number) => writeInstance(folder, number));
  expect(
    (
      await send(
        port,
        sent.map(({ file }) => file),
      )
    ).at(-1),
  ).toBe("done");
  await until(() => spooled("waiting").length === 0);

  const objects = await landed();
  expect(objects).toHaveLength(3);
  for (const { name } of objects)
    expect(name).toMatch(/^Unlabelled\/gateway\/2\.25\.\d+\/2\.25\.\d+\/2\.25\.\d+\.dcm$/);
  const store = await openStore(join(folder, "landing"));
  for (const { name, metadata } of objects) {
    const bytes = await store.read(name);
    for (const planted of [...Object.values(PLANTED), "1.2.826.0.1.3680043.9."])
      expect([name, bytes.includes(planted), name.includes(planted)]).toEqual([name, false, false]);
    expect(metadata).toEqual({});
  }
  const asked = `import sys, pydicom
for name in sys.argv[1:]:
    d = pydicom.dcmread(name)
    print(d.StudyInstanceUID, d.SeriesInstanceUID, d.SOPInstanceUID, d.PatientID, d.PatientIdentityRemoved, len(d.PixelData))`;
  const read = runPydicom("-c", asked, ...objects.map(({ name }) => join(folder, "landing", name)))
    .trim()
    .split("\n")
    .map((line) => line.split(" "));
  const records = mapping().filter((line) => "instance" in line);
  for (const [study, series, instance, patient, removed] of read) {
    expect(objects.map(({ name }) => name)).toContain(`Unlabelled/gateway/${study}/${series}/${instance}.dcm`);
    expect(removed).toBe("YES");
    const record = records.find((line) => line.instance === instance);
    expect(record).toMatchObject({ study, series, patient, identifiers: { patientId: PLANTED.id } });
  }
  expect(records.map(({ identifiers }) => (identifiers as { instanceUid: string }).instanceUid).sort()).toEqual(
    sent.map(({ uid }) => uid).sort(),
  );
  const [{ identifiers } = {}] = records;
  const { instanceUid, ...others } = identifiers as Record<string, unknown>;
  expect(sent.map(({ uid }) => uid)).toContain(instanceUid);
  expect(others).toEqual({
    patientId: PLANTED.id,
    patientName: PLANTED.name,
    birthDate: PLANTED.birth,
    sex: null,
    accession: PLANTED.accession,
    studyUid: "1.2.826.0.1.3680043.9.1",
    studyDate: "20240229",
    studyTime: null,
    studyId: null,
    seriesUid: "1.2.826.0.1.3680043.9.2",
  });
  for (const name of readdirSync(home("mapping"))) expect(statSync(home("mapping", name)).mode & 0o777).toBe(0o600);
  for (const name of ["spool", "mapping"]) expect(existsSync(home(name))).toBe(true);
});

test("an instance that is sent twice lands once; another file of it is kept at home, and both are told success", async () => {
  const { port } = await start();
  const { file } = writeInstance(folder, 1);
  expect(await send(port, [file])).toEqual([`0000 ${file}`, "done"]);
  expect(await send(port, [file], "--calling", "ANOTHER")).toEqual([`0000 ${file}`, "done"]);
  await until(() => spooled("waiting").length === 0);
  expect([await landed(), spooled("refused")]).toEqual([[expect.anything()], []]);
  const [first] = await landed();

  const other = writeInstance(folder, 1, [[0x0020_0013, "IS", "99"]]);
  expect(await send(port, [other.file])).toEqual([`0000 ${other.file}`, "done"]);
  await until(() => spooled("refused").length === 2);
  await until(() => spooled("waiting").length === 0);
  expect(await landed()).toEqual([first]);
  const [kept = "", reason = ""] = spooled("refused");
  expect(readFileSync(home("spool", "refused", kept)).subarray(-other.dataSet.length)).toEqual(other.dataSet);
  const told = readFileSync(home("spool", "refused", reason), "utf8");
  expect(JSON.parse(told)).toMatchObject({ code: "another-file" });
  for (const planted of Object.values(PLANTED)) expect(told).not.toContain(planted);
  expect(mapping().filter((line) => "instance" in line)).toHaveLength(1);
});

test.each<[string, string, Elements]>([
  ["of no study", "incomplete", [[0x0020_000d, "UI", ""]]],
  ["whose study's UID is two", "malformed-uid", [[0x0020_000d, "UI", "1.2\\0.3"]]],
  ["with a zero byte in its series' UID", "malformed-uid", [[0x0020_000e, "UI", "1.2\0.3"]]],
  ["with text in its pixels, as it says", "burned-in-text", [[0x0028_0301, "CS", "YES"]]],
])("an instance %s stays at home with its reason, and what comes behind it lands", async (_, code, elements) => {
  const { port } = await start();
  const whole = writeInstance(folder, 1);
  const held = writeInstance(folder, 2, elements);
  expect((await send(port, [held.file, whole.file])).at(-1)).toBe("done");
  await until(() => spooled("waiting").length === 0);
  expect(await landed()).toHaveLength(1);
  const [kept = "", reason = ""] = spooled("refused");
  expect(readFileSync(home("spool", "refused", kept)).subarray(-held.dataSet.length)).toEqual(held.dataSet);
  expect(JSON.parse(readFileSync(home("spool", "refused", reason), "utf8"))).toMatchObject({ code });
  // Put back by hand, it is looked at again.
  renameSync(home("spool", "refused", kept), home("spool", "waiting", kept));
  await gateways.pop()?.close();
  await start();
  await until(() => spooled("waiting").length === 0);
  expect(spooled("refused")).toEqual([kept, reason]);
});

describe("text in pixels", () => {
  const SIDE = 256;
  /** A slice, plain or with a name in its pixels. */
  const slice = (number: number, text: string, more: Elements = []) => {
    const pixels = drawSlice(SIDE, SIDE);
    writeText(pixels, SIDE, text, { left: 8, top: 8, dot: 2, value: 4095 });
    const ofSize: Elements = [
      [0x0028_0010, "US", [SIDE]],
      [0x0028_0011, "US", [SIDE]],
      [0x7fe0_0010, "OW", bytesOfSlice(pixels)],
    ];
    return writeInstance(folder, number, [...ofSize, ...more]).file;
  };
  const codes = () =>
    spooled("refused")
      .filter((name) => name.endsWith(".json"))
      .map((name) => (JSON.parse(readFileSync(home("spool", "refused", name), "utf8")) as { code: string }).code);

  test("is looked for at home where that is asked for: a name never leaves, nor what cannot be looked at", async () => {
    const { port } = await start({ pixelText: "look" });
    const denied = slice(2, "DOE JANE 1950", [[0x0028_0301, "CS", "NO"]]);
    const unreadable = writeInstance(folder, 3, [], "1.2.840.10008.1.2.4.90").file;
    expect((await send(port, [slice(1, ""), denied, unreadable])).at(-1)).toBe("done");
    await until(() => spooled("waiting").length === 0);
    expect(await landed()).toHaveLength(1);
    expect(codes()).toHaveLength(2);
    expect(codes()).toContain("burned-in-text");
  });

  test("leaves where ingest is to paint it over, also of what says so", async () => {
    const { port } = await start({ pixelText: "send" });
    const said = slice(1, "DOE JANE 1950", [[0x0028_0301, "CS", "YES"]]);
    expect((await send(port, [said])).at(-1)).toBe("done");
    await until(() => spooled("waiting").length === 0);
    expect(await landed()).toHaveLength(1);
    expect(codes()).toEqual([]);
  });
});

describe("a death, or a failure, between any two steps", () => {
  /** A landing that works, and one step of which goes wrong the first time. */
  async function failing(at: "before the upload" | "after the upload"): Promise<GatewayOptions["store"]> {
    const store = await openStore(join(folder, "landing"));
    let failed = false;
    return {
      uri: store.uri,
      bucket: store.bucket,
      stat: (name) => store.stat(name),
      async create(name, content, options) {
        if (failed) return store.create(name, content, options);
        failed = true;
        if (at === "after the upload") await store.create(name, content, options);
        throw Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
      },
    };
  }

  test.each(["before the upload", "after the upload"] as const)("%s lands it once", async (at) => {
    const { port } = await start({ store: await failing(at) });
    const { file } = writeInstance(folder, 1);
    expect((await send(port, [file])).at(-1)).toBe("done");
    await until(() => spooled("waiting").length === 0);
    expect(await landed()).toHaveLength(1);
    const store = await openStore(join(folder, "landing"));
    expect((await store.stat((await landed())[0]?.name ?? ""))?.generation).toBe(1);
    expect(mapping().map((line) => "landed" in line)).toEqual([false, true]);
  });

  test("what an earlier process had done is not done again, whatever it had got to", async () => {
    const first = await start();
    const { file, dataSet } = writeInstance(folder, 1);
    expect((await send(first.port, [file])).at(-1)).toBe("done");
    await until(() => spooled("waiting").length === 0);
    await gateways.pop()?.close();
    const [log = ""] = readdirSync(home("mapping"));
    const whole = readFileSync(home("mapping", log), "utf8");
    const [recorded = ""] = whole.split("\n");
    const spooledFile = fileMetaInformation({
      sopClass: "1.2.840.10008.5.1.4.1.1.4",
      sopInstance: "1.2.826.0.1.3680043.9.1.1",
      transferSyntax: "1.2.840.10008.1.2.1",
      callingAet: "RAW",
    });
    // Recorded and half a line more; landed and not said so; landed and said so; and what was being received.
    for (const left of [`${recorded}\n{"landed":"2.25`, `${recorded}\n`, whole]) {
      writeFileSync(home("mapping", log), left);
      writeFileSync(home("spool", "waiting", "000000000000001-left.dcm"), Buffer.concat([spooledFile, dataSet]));
      writeFileSync(home("spool", "incoming", "000000000000002-cut"), "half");
      await start();
      await until(() => spooled("waiting").length === 0);
      expect([spooled("incoming"), spooled("refused")]).toEqual([[], []]);
      await gateways.pop()?.close();
      expect(mapping().map((line) => "landed" in line)).toEqual([false, true]);
      expect(await landed()).toEqual([expect.objectContaining({ generation: 1 })]);
    }
  });

  test("a second gateway is kept out of the folder, and let in once the first is gone", async () => {
    await start();
    await expect(start()).rejects.toThrow(`process ${process.pid} works in`);
    await gateways.pop()?.close();
    writeFileSync(home("lock"), "999999999 1\n");
    await start();
  });
});

test("what waited while landing was away lands once it is back", async () => {
  let away = true;
  const store = await openStore(join(folder, "landing"));
  const { port } = await start({
    store: {
      ...AWAY,
      create: (name, content, options) => (away ? AWAY : store).create(name, content, options),
    },
  });
  const sent = [1, 2, 3, 4, 5, 6].map((number) => writeInstance(folder, number).file);
  expect((await send(port, sent)).at(-1)).toBe("done");
  await until(() => mapping().length > 0);
  expect([spooled("waiting").length, await landed()]).toEqual([6, []]);
  away = false;
  await until(() => spooled("waiting").length === 0);
  expect(await landed()).toHaveLength(6);
});
