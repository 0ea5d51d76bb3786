import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chooseLines } from "../../stacks/lines";
import { type Ask, addHospital } from "../../tools/add-hospital";
import type { CommandLine, Runner } from "../../tools/gcloud";
import { addLine } from "../../tools/hospital-file";
import { captureOutput } from "../support/captured-output";

const printed = captureOutput();
const SHIPPED = resolve(__dirname, "../../stacks/hospitals.ts");
const ACCOUNT = "012345-6789AB-CDEF01";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "add-hospital-"));
  file = join(folder, "hospitals.ts");
  writeFileSync(file, readFileSync(SHIPPED));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Project {
  projectNumber: string;
  lifecycleState: string;
  labels: Record<string, string>;
  payer?: string;
}

/** Google as far as it is asked: projects with labels and a billing account, made and linked by commands. */
class Google {
  readonly projects = new Map<string, Project>();
  readonly changes: string[] = [];
  /** Words of a command that fails the next time. */
  failing: string | undefined;

  add(id: string, more: Partial<Project> = {}) {
    const projectNumber = String(400000000001 + this.projects.size);
    this.projects.set(id, { projectNumber, lifecycleState: "ACTIVE", labels: {}, ...more });
  }

  readonly run: Runner = (command: CommandLine) => {
    const line = command.join(" ");
    if (this.failing !== undefined && line.includes(this.failing)) {
      this.failing = undefined;
      throw new Error(`"${line}" failed: no network`);
    }
    const option = (name: string) =>
      command.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3) ?? "";
    const found = (id: string | undefined) => {
      const project = this.projects.get(id ?? "");
      if (!project) throw new Error(`"${line}" failed: not found`);
      return project;
    };
    const [, noun, verb, id] = command;
    if (noun === "projects" && verb === "list") {
      const project = this.projects.get(option("filter").replace("projectId=", ""));
      return JSON.stringify(project ? [project] : []);
    }
    if (noun === "projects" && verb === "describe") return JSON.stringify(found(id));
    if (noun === "projects" && verb === "create") {
      if (this.projects.has(String(id))) throw new Error("already in use");
      const labels = Object.fromEntries(
        option("labels")
          .split(",")
          .map((pair) => pair.split("=")),
      );
      this.add(String(id), { labels });
      this.changes.push(line);
      return "";
    }
    const [, , , action, project] = command;
    if (line.startsWith("gcloud billing projects") && action === "describe") {
      const { payer } = found(project);
      return JSON.stringify(payer ? { billingEnabled: true, billingAccountName: `billingAccounts/${payer}` } : {});
    }
    if (line.startsWith("gcloud billing projects") && action === "link") {
      found(project).payer = option("billing-account");
      this.changes.push(line);
      return "";
    }
    throw new Error(`Nobody expected "${line}"`);
  };
}

const MERCY = ["mercy", "--tier", "test", "--project", "bts-mercy", "--region", "europe-west4"];
const CREATE = [...MERCY, "--create", "--billing-account", ACCOUNT];
const add = (args: readonly string[], google: Google, ask?: Ask) =>
  addHospital([...args, "--hospitals", file], google.run, ask);
const lines = () => chooseLines({ hospitals: file }).hospitals;
const last = () => lines().at(-1);

describe("npm run add-hospital", () => {
  test("creates the project, links it, reads its number, writes the line and says what is next", async () => {
    const google = new Google();
    expect(await add([...CREATE, "--folder", "123456", "--yes"], google)).toBe(0);
    expect(google.changes).toEqual([
      "gcloud projects create bts-mercy --name=mercy --folder=123456 --labels=hospital=mercy,managed-by=brain-tumor-stack --quiet",
      `gcloud billing projects link bts-mercy --billing-account=${ACCOUNT}`,
    ]);
    expect(last()).toEqual({
      name: "mercy",
      tier: "test",
      project: "bts-mercy",
      projectNumber: "400000000001",
      region: "europe-west4",
      billingAccount: ACCOUNT,
    });
    const before = readFileSync(SHIPPED, "utf8");
    const after = readFileSync(file, "utf8");
    // Nothing else in the file was touched, and it looks as the formatter leaves it.
    expect(after.startsWith(before.slice(0, before.lastIndexOf("];")))).toBe(true);
    expect(after.endsWith("\n];\n")).toBe(true);
    expect(printed()).toMatch(/prepare-project -- mercy --hospitals .*hospitals\.ts --run/);
    expect(readdirSync(folder)).toEqual(["hospitals.ts"]);
  });

  test.each(["projects create", "projects link", "projects describe"])(
    "goes on where it stopped when %s failed, and does nothing a second time",
    async (words) => {
      const google = new Google();
      google.failing = words;
      expect(await add([...CREATE, "--yes"], google)).toBe(1);
      expect(lines()).toHaveLength(2);
      expect(await add([...CREATE, "--yes"], google)).toBe(0);
      expect(google.changes).toHaveLength(2);
      expect(last()).toMatchObject({ name: "mercy", projectNumber: "400000000001" });
      const whole = readFileSync(file, "utf8");
      expect(await add([...CREATE, "--yes"], google)).toBe(0);
      expect(google.changes).toHaveLength(2);
      expect(readFileSync(file, "utf8")).toBe(whole);
      expect(printed()).toContain("has the line of mercy already");
    },
  );

  test("adopts a project as it is paid for, and takes no other's", async () => {
    const google = new Google();
    google.add("bts-mercy", { payer: "AAAAAA-BBBBBB-CCCCCC" });
    expect(await add([...MERCY, "--create", "--billing-account", ACCOUNT, "--yes"], google)).toBe(2);
    expect(printed()).toContain('was not made for "mercy"');
    expect(await add([...MERCY, "--adopt", "--billing-account", ACCOUNT, "--yes"], google)).toBe(2);
    expect(printed()).toContain("is paid by AAAAAA-BBBBBB-CCCCCC");
    expect(await add([...MERCY, "--adopt", "--yes"], google)).toBe(0);
    expect(google.changes).toEqual([]);
    expect(last()).toMatchObject({ project: "bts-mercy", projectNumber: "400000000001" });
    expect(last()).not.toHaveProperty("billingAccount");
  });

  test.each<[string, Partial<Project> | undefined, string]>([
    ["is not there", undefined, "There is no project bts-mercy"],
    ["is being deleted", { lifecycleState: "DELETE_REQUESTED" }, "undelete bts-mercy"],
    ["is paid by nobody", {}, "linked to no billing account"],
  ])("adopts no project that %s", async (_what, project, sentence) => {
    const google = new Google();
    if (project) google.add("bts-mercy", project);
    expect(await add([...MERCY, "--adopt", "--yes"], google)).toBe(2);
    expect(printed()).toContain(sentence);
    expect(lines()).toHaveLength(2);
  });

  test("refuses a wrong line with every problem before anybody is asked or anything is made", async () => {
    const google = new Google();
    const wrong = ["St_Anna", "--tier", "gold", "--project", "bts-platform", "--region", "mars", "--create", "--yes"];
    expect(await add([...wrong, "--billing-account", ACCOUNT], google)).toBe(2);
    for (const words of ['"St_Anna"', '"tier" is "gold"', '"region" is "mars"', "the platform's project"])
      expect(printed()).toContain(words);
    expect(await add(["st-anna", ...CREATE.slice(1), "--yes"], google)).toBe(2);
    expect(printed()).toContain('Hospital "st-anna" is there, and its "tier" is "prod", not "test"');
    expect(google.changes).toEqual([]);
    expect(lines()).toHaveLength(2);
  });

  test("names everything that is missing or contradicts at once, where nobody can be asked", async () => {
    const google = new Google();
    expect(await add(["Mercy", "--project", "bts-mercy", "--folder", "x", "--organization", "1"], google)).toBe(2);
    for (const words of [
      "--tier is missing",
      "--create or --adopt is missing",
      "choose one",
      '--folder is "x"',
      '"Mercy"',
    ])
      expect(printed()).toContain(words);
    expect(await add(CREATE, google)).toBe(2);
    expect(printed()).toContain("--yes is missing");
    expect(google.changes).toEqual([]);
  });

  test("asks for what the command line leaves open, and before it changes anything", async () => {
    const google = new Google();
    const asked: string[] = [];
    const answers = (final: string): Ask => {
      const given: Record<string, string> = { Tier: "test", Project: "bts-mercy", Create: "create", Billing: ACCOUNT };
      return async (question) => {
        asked.push(question);
        const [word = ""] = question.split(/[ ,]/);
        return word === "Run" ? final : (given[word] ?? "");
      };
    };
    expect(await add(["mercy"], google, answers(""))).toBe(0);
    expect(printed()).toContain("Nothing was done.");
    expect(google.changes).toEqual([]);
    expect(await add(["mercy"], google, answers("y"))).toBe(0);
    // The region's proposal was taken.
    expect(last()).toMatchObject({ project: "bts-mercy", region: "europe-west4" });
    expect(asked.some((question) => question.includes("[europe-west4]"))).toBe(true);
    const leave: Ask = async () => {
      throw Object.assign(new Error("closed"), { name: "AbortError" });
    };
    expect(await add(["grace"], google, leave)).toBe(130);
  });

  test("--dry-run prints the commands and the line, calls nobody and writes nothing", async () => {
    const nobody: Runner = () => {
      throw new Error("called");
    };
    const before = readFileSync(file, "utf8");
    const args = [...CREATE, "--organization", "99", "--dry-run", "--hospitals", file];
    expect(await addHospital(args, nobody)).toBe(0);
    expect(printed()).toContain("gcloud projects create bts-mercy --name=mercy --organization=99");
    expect(printed()).toContain('projectNumber: "NUMBER"');
    expect(readFileSync(file, "utf8")).toBe(before);
  });
});

describe("a line more in a file", () => {
  const line = {
    name: "mercy",
    tier: "test",
    project: "bts-mercy",
    projectNumber: "1234567",
    region: "us-east1",
  } as const;
  const FIRST = '{ name: "a", tier: "test", project: "bts-aaa", projectNumber: "1234568", region: "us-east1" }';
  const TEXT = '  { name: "mercy", tier: "test", project: "bts-mercy", projectNumber: "1234567", region: "us-east1" },';
  const added = (text: string) => {
    writeFileSync(file, text);
    addLine(file, line, { write: true });
    return readFileSync(file, "utf8");
  };

  test.each([
    ["an empty list", "export const hospitals = [];\n", `export const hospitals = [\n${TEXT}\n];\n`],
    [
      "no comma after the last",
      `export const hospitals: { name: string }[] = [\n  ${FIRST}\n];`,
      `export const hospitals: { name: string }[] = [\n  ${FIRST},\n${TEXT}\n];`,
    ],
    [
      "comments with brackets, and one after the last line",
      `export const hospitals = [ // ] not the end\n  ${FIRST}, /* ]; */\n  // to come: { name: "b" }\n];\nconst other = [];\n`,
      `export const hospitals = [ // ] not the end\n  ${FIRST}, /* ]; */\n  // to come: { name: "b" }\n${TEXT}\n];\nconst other = [];\n`,
    ],
    [
      "lists and strings in lines",
      `export const hospitals = [{ ...${FIRST}, owner: "x]", analysts: ["group:a@b.c"] }] as const;`,
      `export const hospitals = [{ ...${FIRST}, owner: "x]", analysts: ["group:a@b.c"] },\n${TEXT}\n] as const;`,
    ],
  ])("keeps %s", (_what, before, after) => {
    expect(added(before)).toBe(after);
  });

  test("keeps the indent of JSON", () => {
    file = join(folder, "hospitals.json");
    const text = added(JSON.stringify([{ name: "a" }], null, 4));
    expect(text).toContain('\n    {\n        "name": "a"');
    expect(JSON.parse(text)).toEqual([{ name: "a" }, line]);
  });

  test.each([
    ["a list that is computed", `const all = [${FIRST}];\nexport const hospitals = all.map((one) => one);`],
    ["two lists in one", `export const hospitals = [${FIRST}].concat([${FIRST}]).reverse();`],
    ["a list that is cut", `export const hospitals = [${FIRST}].slice(0, 1);`],
    ["another name", `const hospitals = [${FIRST}];\nexport { hospitals };`],
  ])("is refused with the line to add by hand for %s, and the file stays", (_what, text) => {
    expect(() => added(text)).toThrow(/Add the line by hand: \{ name: "mercy"/);
    expect(readFileSync(file, "utf8")).toBe(text);
    expect(readdirSync(folder)).toEqual(["hospitals.ts"]);
  });
});
