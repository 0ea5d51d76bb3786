import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigurationError } from "../../runtime/platform/config";
import { synth } from "../../stacks/command";
import { hospitals, platform } from "../../stacks/hospitals";
import { chooseLines, withVariables } from "../../stacks/lines";
import { policy } from "../../tools/policy";
import { findTarget } from "../../tools/targets";
import { captureOutput } from "../support/captured-output";
import { TEST } from "./synthesize";

const printed = captureOutput();
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lines-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  delete process.env.HOSPITALS_FILE;
  delete process.env.PLATFORM_FILE;
});

const write = (name: string, text: string) => {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
};
const PLATFORM = { project: "acme-platform", projectNumber: "111222333444", region: "us-central1" };
const program = (more = "") =>
  `import { region } from "./region";
import type { HospitalLine } from "somewhere/that/is/not/installed";
export const hospitals: HospitalLine[] = [{ ...${JSON.stringify(TEST)}, region }];
${more}`;

describe("lines of another repository", () => {
  test("are the shipped ones where nothing is chosen", () => {
    expect(chooseLines({})).toEqual({ hospitals, platform, subject: "stacks/hospitals.ts" });
    expect(chooseLines({}, [TEST]).hospitals).toEqual([TEST]);
  });

  test("come from JSON, or from TypeScript with what it imports beside it", () => {
    write("region.ts", 'export const region: string = "us-east1";');
    const list = write("list.json", `\uFEFF${JSON.stringify([TEST])}`);
    const own = write("platform.json", JSON.stringify(PLATFORM));
    expect(chooseLines({ hospitals: list, platform: own })).toEqual({
      hospitals: [TEST],
      platform: PLATFORM,
      subject: list,
    });
    const file = write("ours.ts", program());
    expect(chooseLines({ hospitals: file })).toEqual({
      hospitals: [{ ...TEST, region: "us-east1" }],
      platform,
      subject: file,
    });
  });

  test("bring their platform along, which an option outweighs", () => {
    write("region.ts", 'export const region = "us-east1";');
    const file = write("ours.ts", program(`export const platform = ${JSON.stringify(PLATFORM)};`));
    expect(chooseLines({ hospitals: file }).platform).toEqual(PLATFORM);
    const other = { ...PLATFORM, project: "acme-other" };
    const own = write("platform.json", JSON.stringify(other));
    expect(chooseLines({ hospitals: file, platform: own }).platform).toEqual(other);
    expect(chooseLines({ platform: file }).platform).toEqual(PLATFORM);
    expect(chooseLines({ platform: file }).hospitals).toEqual(hospitals);
  });

  test("come from variables where the command line says nothing", () => {
    expect(withVariables({}, { HOSPITALS_FILE: "a.ts", PLATFORM_FILE: "" })).toEqual({ hospitals: "a.ts" });
    expect(withVariables({ hospitals: "b.json" }, { HOSPITALS_FILE: "a.ts" })).toEqual({ hospitals: "b.json" });
    process.env.HOSPITALS_FILE = write("list.json", JSON.stringify([TEST]));
    process.env.PLATFORM_FILE = write("platform.json", JSON.stringify(PLATFORM));
    expect(synth(["--out", join(folder, "out")], hospitals)).toBe(0);
    expect(printed()).toContain("platform, bootstrap, sandbox-data, sandbox-app");
    expect(findTarget("platform").project).toBe("acme-platform");
  });

  test("reach every tool that takes hospitals", async () => {
    const own = write("platform.json", JSON.stringify(PLATFORM));
    const list = write("list.json", JSON.stringify([TEST]));
    expect(findTarget("sandbox", { hospitals: list, platform: own }).project).toBe(TEST.project);
    expect(findTarget("platform", { hospitals: list, platform: own }).project).toBe("acme-platform");
    expect(await policy(["--hospitals", list, "--platform", own, "--json"])).toBe(0);
    const wrong = write("wrong.json", JSON.stringify({ ...PLATFORM, region: "mars" }));
    expect(await policy(["--hospitals", list, "--platform", wrong])).toBe(2);
    expect(printed()).toContain('"region" is "mars"');
  });

  test.each<[string, string, RegExp]>([
    ["does not compile", "export const hospitals = [\n  { name: 'a' \n  oops\n];", /ours\.ts:3:\d+: Expected/],
    [
      "imports what is not there",
      'import { a } from "./gone";\nexport const hospitals = [a];',
      /ours\.ts:1:\d+: Could not resolve "\.\/gone"\./,
    ],
    [
      "fails when it is run",
      "interface Line { name: string }\n\nconst line = (): Line => {\n  throw new Error('no name');\n};\nexport const hospitals = [line()];",
      /ours\.ts:4:\d+: the file fails when it is run: no name/,
    ],
    [
      "throws no error",
      "throw 'nothing';\nexport const hospitals = [];",
      /ours\.ts: the file fails when it is run: nothing/,
    ],
    ["needs a package that is not there", 'import { a } from "not-there";\nexport const hospitals = [a];', /not-there/],
    ["waits", "export const hospitals = [await 1];", /Top-level await/],
    ["exports another name", "export const hospital = [];", /exports hospital; it must export "hospitals"/],
    ["exports nothing", "console.error;", /exports nothing; it must export "hospitals"/],
  ])("that a file does not give because it %s are a sentence, exit 2", (_what, text, sentence) => {
    const file = write("ours.ts", text);
    expect(() => chooseLines({ hospitals: file })).toThrow(ConfigurationError);
    expect(() => chooseLines({ hospitals: file })).toThrow(sentence);
    expect(synth(["--hospitals", file, "--out", join(folder, "out")], [])).toBe(2);
  });

  test("that are wrong are named with their file, all at once", () => {
    const file = write("ours.ts", "export const hospitals = [{ name: 'x', tier: 'prod' }, { nam: 'y' }];");
    expect(synth(["--hospitals", file, "--out", join(folder, "out")], [])).toBe(2);
    expect(printed()).toContain(`${file} cannot be used:`);
    expect(printed()).toMatch(/"project" is missing[\s\S]*did you mean "name"/);
  });

  test("of no file, or a file that is none, are a sentence", () => {
    expect(() => chooseLines({ platform: join(folder, "gone.json") })).toThrow(/gone\.json does not exist.*--platform/);
    expect(() => chooseLines({ hospitals: folder })).toThrow(/cannot be read: EISDIR/);
  });
});
