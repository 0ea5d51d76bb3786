import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inflateRawSync } from "node:zlib";
import { type DeidentifyOptions, deidentify, type ReplacementNames } from "../../../../runtime/imaging";
import { PROFILE } from "../../../../runtime/imaging/deidentify/tables";
import { openIdentities } from "../../../../runtime/intake";
import { runPydicom } from "../../../support/pydicom";

const SCRIPT = join(__dirname, "instances.py");
const SYNTAXES = ["explicit", "implicit", "big-endian", "deflated", "encapsulated"] as const;
const CONTAINER = "00081115";

/** The table as it stands in the standard. */
const ROWS = PROFILE.trim()
  .split("\n")
  .map((line) => {
    const [tag = "", vr = "", basic = "", options = ""] = line.split(" ");
    return { tag: FAMILIES(tag), vr: vr.replace("OB/OW", "OW"), basic, options };
  });

/** One tag of those that the table gives as a family. */
function FAMILIES(tag: string): string {
  return { "50xxxxxx": "50003000", "60xx4000": "60004000", "60xx3000": "60003000", ggggeeee: "00111001" }[tag] ?? tag;
}

/** PS3.3, MR Image IOD: those of the attributes with several actions that are of type 2 or 2C; the others are of type 3. */
const TYPE_2_IN_MR = ["00080023", "00080033", "00100020", "00102203", "00180010"];

interface Written {
  readonly vr: string;
  readonly value: string | readonly Readonly<Record<string, Written>>[];
}
interface Read {
  readonly vr: string;
  readonly value?: string;
  readonly items?: readonly Readonly<Record<string, Read>>[];
}

/** A value that is to be found nowhere afterwards: all have something that can be searched for. */
function planted(tag: string, vr: string): Written {
  const mark = `ZQ${tag}ZQ`.toUpperCase();
  const [group, element] = [tag.slice(0, 4), tag.slice(4)].map((part) => Number.parseInt(part, 16));
  const values: Readonly<Record<string, string>> = {
    AS: "047Y",
    DA: "19450817",
    DS: "4711.0815",
    DT: "19450817124711.0815",
    IS: "47110815",
    TM: "124711.0815",
    UI: `1.2.3.4711.${group}.${element}`,
    UR: `http://zq${tag}zq.example/`,
    US: "4711",
  };
  if (tag === "00080201") return { vr, value: "-0345" };
  if (vr !== "SQ") return { vr, value: values[vr] ?? mark };
  const inside: [string, string][] = [
    ["00080050", "SH"],
    ["00080080", "LO"],
    ["00081155", "UI"],
    ["00100010", "PN"],
    ["00181030", "LO"],
    ["0040a160", "UT"],
  ];
  return { vr, value: [Object.fromEntries(inside.map(([at, of]) => [at, planted(`${at.slice(0, 7)}a`, of)]))] };
}

/** Of a description a part may stay. */
const described = ({ tag, vr }: { tag: string; vr: string }): Written => ({ vr, value: `T1 ZQ${tag.toUpperCase()}ZQ` });

const PLANTED = /ZQ[0-9A-F]{8}ZQ|19450817|124711\.0815|4711\.0815|47110815|1\.2\.3\.4711\.|047Y/gi;

const BEFORE: Readonly<Record<string, Written>> = Object.fromEntries(
  ROWS.map((row) => [row.tag, /[Tp]/.test(row.options) && row.vr !== "SQ" ? described(row) : planted(row.tag, row.vr)]),
);

let folder: string;
let names: ReplacementNames;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "profile-"));
  names = await (await openIdentities("local:a key")).of("ZQ00100020ZQ");
  writeFileSync(join(folder, "attributes.json"), JSON.stringify(BEFORE));
  mkdirSync(join(folder, "before"));
  mkdirSync(join(folder, "after"));
  runPydicom(SCRIPT, "write", join(folder, "attributes.json"), join(folder, "before"));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Outcome {
  readonly bytes: Buffer;
  readonly meta: Readonly<Record<string, Read>>;
  readonly outermost: Readonly<Record<string, Read>>;
  /** The item that holds all of them again. */
  readonly nested: Readonly<Record<string, Read>>;
}

function outcomeOf(syntax: string, options?: DeidentifyOptions): Outcome {
  const bytes = deidentify(readFileSync(join(folder, "before", `${syntax}.dcm`)), names, options);
  const path = join(folder, "after", `${syntax}.dcm`);
  writeFileSync(path, bytes);
  const read = JSON.parse(runPydicom(SCRIPT, "read", path))[path];
  return { bytes, meta: read.meta, outermost: read.dataSet, nested: read.dataSet[CONTAINER].items[0] };
}

/** What an action of the table leaves, as a sentence if it does not. */
function problem(action: string, tag: string, after: Read | undefined, outermost: boolean): string | undefined {
  const before = BEFORE[tag] as Written;
  const unlike = (what: string) => `${tag} ${before.vr}, ${action}: ${what}, not ${JSON.stringify(after)}`;
  if (action === "X") return after === undefined ? undefined : unlike("absent");
  if (after === undefined) return unlike("there");
  if (action === "Z" || (action === "D" && tag === "00100020")) {
    const patient = tag === "00100020" && outermost ? names.patient : undefined;
    const expected = tag === "00080050" ? names.accession(before.value as string) : (patient ?? "");
    if (action === "Z") return (after.value ?? after.items?.join("")) === expected ? undefined : unlike(expected);
  }
  if (before.vr === "SQ") return (after.items?.length ?? 0) > 0 ? undefined : unlike("an item");
  if (action === "U") return after.value === names.uid(before.value as string) ? undefined : unlike("another UID");
  return after.value && after.value !== before.value ? undefined : unlike("a dummy value");
}

/** The action that the types of an MR image leave of several; in an item, whose type is not known, the last. */
function basicAction(basic: string, tag: string, outermost: boolean): string {
  const actions = basic.replace("*", "").split("/");
  if (!outermost) return actions.at(-1) as string;
  return (TYPE_2_IN_MR.includes(tag) ? actions.find((action) => action !== "X") : actions[0]) as string;
}

test("the table is whole", () => {
  expect(ROWS).toHaveLength(621);
  expect(new Set(ROWS.map(({ tag }) => tag)).size).toBe(621);
});

describe.each(SYNTAXES)("of a file that is %s", (syntax) => {
  test("each attribute has the action of the table, outermost and in a sequence; nothing planted is left", () => {
    const { bytes, meta, outermost, nested } = outcomeOf(syntax);
    const problems = ROWS.flatMap(({ tag, basic }) => {
      // Elements of commands and of the file's head have no place in a data set; within a sequence they can be.
      const misplaced = /^000[02]/.test(tag);
      return [
        misplaced ? undefined : problem(basicAction(basic, tag, true), tag, outermost[tag], true),
        problem(basicAction(basic, tag, false), tag, nested[tag], false),
      ];
    });
    expect(problems.filter(Boolean)).toEqual([]);
    expect(meta["00020003"]?.value).toBe(outermost["00080018"]?.value);
    expect(meta["00020016"]).toBeUndefined();
    expect(bytes.toString("latin1").match(PLANTED)).toBeNull();
    if (syntax === "deflated") {
      const start = 132 + 12 + bytes.readUInt32LE(132 + 8);
      expect(inflateRawSync(bytes.subarray(start)).toString("latin1").match(PLANTED)).toBeNull();
    }
    expect(outermost["00120062"]?.value).toBe("YES");
    expect(outermost["00280303"]?.value).toBe("REMOVED");
    expect(outermost["00120064"]?.items?.map((item) => item["00080100"]?.value)).toEqual(["113100"]);
  });
});

test("the pictures are the same", () => {
  for (const syntax of SYNTAXES) {
    const name = `${syntax}.dcm`;
    writeFileSync(join(folder, "after", name), deidentify(readFileSync(join(folder, "before", name)), names));
  }
  const compared = runPydicom(SCRIPT, "compare", join(folder, "before"), join(folder, "after"));
  expect(JSON.parse(compared)).toEqual({ same: SYNTAXES.length, differ: [], neither: 0 });
});

/** Each option alone: letters of the table under which values stay, and under which they are cleaned; its code. */
const OPTIONS: readonly (readonly [options: DeidentifyOptions, kept: string, cleaned: string, code: string])[] = [
  [{ cleanGraphics: true }, "", "G", "113103"],
  [{ cleanStructuredContent: true }, "", "S", "113104"],
  [{ cleanDescriptors: true }, "", "T", "113105"],
  [{ retainDates: "full" }, "F", "", "113106"],
  [{ retainDates: "modified" }, "", "M", "113107"],
  [{ retainPatientCharacteristics: true }, "P", "p", "113108"],
  [{ retainDeviceIdentity: true }, "D", "d", "113109"],
  [{ retainUids: true }, "U", "", "113110"],
  [{ retainInstitution: true }, "I", "", "113112"],
];

const shifted = (date: string) => {
  const time = Date.UTC(+date.slice(0, 4), +date.slice(4, 6) - 1, +date.slice(6, 8)) - names.dayShift * 86_400_000;
  return new Date(time).toISOString().slice(0, 10).replaceAll("-", "") + date.slice(8);
};

/** What stays of a value under an option; undefined where the basic profile's action is taken all the same. */
function valueUnder(row: (typeof ROWS)[number], kept: string, cleaned: string): string | undefined {
  const letters = (of: string) => [...of].some((letter) => row.options.includes(letter));
  const before = (BEFORE[row.tag] as Written).value as string;
  // Binary timestamps, and graphics that cannot be read: they go.
  if (row.vr === "OB" || row.vr === "OW" || row.tag.startsWith("60")) return undefined;
  if (letters(cleaned)) {
    if (row.vr === "AE") return undefined;
    if (["DA", "DT"].includes(row.vr)) return shifted(before);
    return row.vr === "TM" || row.tag === "00080201" ? before : "T1";
  }
  return letters(kept) ? before : undefined;
}

test.each(OPTIONS)("with %j each attribute has the option's action", (options, kept, cleaned, code) => {
  const { outermost } = outcomeOf("explicit", options);
  let changed = 0;
  const problems = ROWS.filter(({ tag }) => !/^000[02]/.test(tag)).map((row) => {
    const { tag, vr, basic } = row;
    const expected = valueUnder(row, kept, cleaned);
    if (expected === undefined) return problem(basicAction(basic, tag, true), tag, outermost[tag], true);
    changed++;
    if (vr === "SQ") return problem("U", tag, outermost[tag], true);
    const after = outermost[tag]?.value;
    return after === expected ? undefined : `${tag} ${vr}: ${expected}, not ${after}`;
  });
  expect(problems.filter(Boolean)).toEqual([]);
  expect(changed).toBeGreaterThan(0);
  expect(outermost["00120064"]?.items?.map((item) => item["00080100"]?.value)).toEqual(["113100", code]);
  const dates = options.retainDates;
  expect(outermost["00280303"]?.value).toBe(
    dates === "full" ? "UNMODIFIED" : dates === "modified" ? "MODIFIED" : "REMOVED",
  );
});
