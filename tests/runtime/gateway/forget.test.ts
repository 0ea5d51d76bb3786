import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runForgetAtHome } from "../../../runtime/cli/forget-at-home";
import { forgetAtHome } from "../../../runtime/gateway";
import { fileMetaInformation } from "../../../runtime/gateway/file-meta";
import { Mapping } from "../../../runtime/gateway/mapping";
import { PixelText } from "../../../runtime/gateway/pixel-text";
import { prepare } from "../../../runtime/gateway/prepare";
import { Spool } from "../../../runtime/gateway/spool";
import { SpoolLock } from "../../../runtime/gateway/spool-lock";
import { type Identities, identitiesUnder, LocalPseudonymiser } from "../../../runtime/intake";
import type { Elements } from "../imaging/dicom/dicom-writer";
import { PLANTED, writeInstance } from "./instances";

/** What is planted of the other patient, who stays. */
const OTHER = { id: "OTHER-ID-1", name: "OTHER^NAME" };
const OTHERS: Elements = [
  [0x0010_0010, "PN", OTHER.name],
  [0x0010_0020, "LO", OTHER.id],
  [0x0020_000d, "UI", "1.2.826.0.1.3680043.9.7"],
];

let scratch: string;
let folder: string;
let identities: Identities;

beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), "gateway-forget-"));
  folder = join(scratch, "home");
  mkdirSync(folder);
  identities = await identitiesUnder(new LocalPseudonymiser("test"));
  await Spool.open(join(folder, "spool"), { maxBytes: 1e9, reserveBytes: 1 });
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

function fileOf(number: number, more: Elements = []): Buffer {
  const { uid, dataSet } = writeInstance(scratch, number, more);
  const meta = { sopClass: "1.2.840.10008.5.1.4.1.1.4", sopInstance: uid, callingAet: "RAW" };
  return Buffer.concat([fileMetaInformation({ ...meta, transferSyntax: "1.2.840.10008.1.2.1" }), dataSet]);
}

const put = (where: string, name: string, bytes: Buffer) => writeFileSync(join(folder, "spool", where, name), bytes);

/** Records an instance as the gateway does, and says that it has landed. */
async function record(mapping: Mapping, file: Buffer): Promise<{ study: string; object: string }> {
  const prepared = await prepare(file, identities, new PixelText("refuse"));
  await mapping.add({ ...prepared.record, recorded: new Date().toISOString() });
  await mapping.landed(prepared.record.study, prepared.record.instance, prepared.object);
  return { study: prepared.record.study, object: prepared.object };
}

/** A gateway's folder with two patients in all of its places. */
async function fill(): Promise<{ own: string[]; study: string; other: string; objects: string[] }> {
  const mapping = await Mapping.open(join(folder, "mapping"));
  const first = await record(mapping, fileOf(1));
  const second = await record(mapping, fileOf(2));
  const { study: other } = await record(mapping, fileOf(3, OTHERS));
  put("waiting", "000000000000001-a.dcm", fileOf(4));
  put("waiting", "000000000000002-b.dcm", fileOf(5, OTHERS));
  put("incoming", "000000000000003-c", fileOf(6).subarray(0, -300));
  put("refused", "000000000000004-d.dcm", fileOf(7));
  put("refused", "000000000000004-d.json", Buffer.from("{}"));
  put("refused", "000000000000005-e.dcm", fileOf(8, OTHERS));
  put("refused", "000000000000005-e.json", Buffer.from("{}"));
  put("refused", "000000000000006-f.dcm", Buffer.from("no DICOM"));
  for (const kind of ["queue", "sent", "dead", "seen"]) mkdirSync(join(folder, "results", kind), { recursive: true });
  for (const study of [first.study, other]) {
    writeFileSync(join(folder, "results", "sent", `${study}-${"0".repeat(32)}-${"1".repeat(16)}.json`), "{}");
    writeFileSync(join(folder, "results", "dead", `${study}-${"2".repeat(32)}-${"1".repeat(16)}.reason`), "{}");
    writeFileSync(
      join(folder, "results", "seen", `${study}.json`),
      JSON.stringify({ revision: 3, pictures: ["3".repeat(32)] }),
    );
  }
  return {
    own: [PLANTED.id, PLANTED.name, first.study],
    study: first.study,
    other,
    objects: [first.object, second.object],
  };
}

/** Every file by its path, with its bytes. */
function everything(): Map<string, string> {
  const names = readdirSync(folder, { recursive: true }) as string[];
  return new Map(
    names
      .filter((name) => statSync(join(folder, name)).isFile())
      .map((name) => [name, readFileSync(join(folder, name)).toString("latin1")]),
  );
}
const telling = (needles: readonly string[]) =>
  [...everything()].filter(([name, text]) => needles.some((one) => `${name} ${text}`.includes(one)));

test("a patient goes from spool, refused, mapping and results, and the other one stays as he was", async () => {
  const { own, other } = await fill();
  const before = everything();
  const others = () =>
    [...everything()].filter(([name, text]) => `${name} ${text}`.includes(OTHER.id) || name.includes(other));
  const kept = others();
  const dry = await forgetAtHome(folder, { patient: PLANTED.id }, { dry: true, now: new Date(0) });
  expect(everything()).toEqual(before);
  expect(dry).toEqual({
    ...{ instances: 2, files: 4, results: 3 },
    unknown: [join(folder, "spool/refused/000000000000006-f.dcm")],
  });
  expect(await forgetAtHome(folder, { patient: PLANTED.id }, { dry: false, now: new Date(0) })).toEqual(dry);
  expect(telling(own)).toEqual([]);
  expect(others()).toEqual(kept);
  // When and how much, and nothing of whom.
  expect(JSON.parse(everything().get("forgotten/0.json") ?? "")).toEqual({
    ...{ at: "1970-01-01T00:00:00.000Z", instances: 2, files: 4, results: 3 },
  });
  await expect(runForgetAtHome(folder, { patient: PLANTED.id }, { yes: true, json: false })).rejects.toThrow(
    /Nothing of the patient PLANTED-ID-7731 is at home.* 1 files of the spool do not say whose they are/,
  );
});

test("one instance goes by its name below landing, and the rest of its study stays in the mapping", async () => {
  const { study, objects } = await fill();
  const told = await runForgetAtHome(folder, { source: objects[0] as string }, { yes: true, json: false });
  expect(told).toMatch(/^Forgotten at home:\n {2}instances of the mapping: 1\n/);
  const left = (await (await Mapping.open(join(folder, "mapping"))).atHome(study)).records;
  expect([...left.keys()]).toEqual([objects[1]?.split("/").at(-1)?.replace(".dcm", "")]);
  expect(existsSync(join(folder, "results", "sent", `${study}-${"0".repeat(32)}-${"1".repeat(16)}.json`))).toBe(false);
  const seen = () => JSON.parse(readFileSync(join(folder, "results", "seen", `${study}.json`), "utf8"));
  expect(seen()).toEqual({ revision: 0, pictures: ["3", "0", "2"].map((digit) => digit.repeat(32)) });
  // With the study's last one nothing of it is left.
  await runForgetAtHome(folder, { source: objects[1] as string }, { yes: true, json: false });
  expect(everything().has(`results/seen/${study}.json`)).toBe(false);
});

test.each(["ANONYMOUS", " anonymous ", "0000", "UNKNOWN", "ANONYMOUS\\1"])(
  "of %s, whom strangers share, nothing is forgotten",
  async (patient) => {
    const mapping = await Mapping.open(join(folder, "mapping"));
    for (const [i, id] of ["ANONYMOUS", "0000", "UNKNOWN"].entries()) {
      await record(
        mapping,
        fileOf(i, [
          [0x0010_0020, "LO", id],
          [0x0020_000d, "UI", `1.2.826.0.1.3680043.9.7.${i}`],
        ]),
      );
    }
    const before = everything();
    for (const dry of [true, false])
      await expect(forgetAtHome(folder, { patient }, { dry, now: new Date(0) })).rejects.toThrow(
        /stands for nobody, and strangers share it: name what is meant by --source/,
      );
    expect(everything()).toEqual(before);
  },
);

test("where a gateway works nothing is touched; nor in a folder that is none of one", async () => {
  await fill();
  const lock = await SpoolLock.take(folder);
  await expect(forgetAtHome(folder, { patient: PLANTED.id }, { dry: false, now: new Date() })).rejects.toThrow(
    /works in .* already/,
  );
  await lock.release();
  await expect(forgetAtHome(scratch, { patient: PLANTED.id }, { dry: false, now: new Date() })).rejects.toThrow(
    /is none of a gateway/,
  );
});

test("killed anywhere before its end, the same command goes on", async () => {
  const { own } = await fill();
  // The mapping is what the rest is found by: as long as it is there, so is what it leads to.
  const mapping = everything();
  await forgetAtHome(folder, { patient: PLANTED.id }, { dry: false, now: new Date(0) });
  for (const [name, text] of mapping)
    if (name.startsWith("mapping/")) writeFileSync(join(folder, name), Buffer.from(text, "latin1"));
  await forgetAtHome(folder, { patient: PLANTED.id }, { dry: false, now: new Date(1) });
  expect(telling(own)).toEqual([]);
});
