import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { hospitals, platform } from "../../stacks/hospitals";
import { loadProgram, shippedLines } from "../../stacks/lines";

const ROOT = resolve(__dirname, "../..");
const SOURCES = ["stacks", "constructs", "runtime", "tools", "bench", "tests/echo"];
const FILES = ["package.json", "package-lock.json", "tsconfig.json", "change-plan.json"];

const checkout = mkdtempSync(join(tmpdir(), "hospitals-file-"));
const file = join(checkout, "stacks", "hospitals.ts");
const shipped = readFileSync(join(ROOT, "stacks", "hospitals.ts"), "utf8");

beforeAll(() => {
  for (const name of [...SOURCES, ...FILES]) cpSync(join(ROOT, name), join(checkout, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(checkout, "node_modules"));
});
afterAll(() => rmSync(checkout, { recursive: true, force: true }));

function npmRun(...args: string[]) {
  const { status, stdout, stderr } = spawnSync("npm", ["run", "--silent", ...args], {
    cwd: checkout,
    encoding: "utf8",
    env: { ...process.env, CI_ENV_ID: undefined, CI_EXPIRES_AT: undefined },
  });
  return { status, printed: `${stdout}${stderr}` };
}

test("is read as it stands", () => {
  expect(shippedLines().hospitals).toEqual(hospitals);
  expect(shippedLines().platform).toEqual(platform);
});

test("every mistake in it is a sentence of the command, and none is the compiler's", () => {
  const wrong = shipped
    .replace('tier: "prod"', 'teir: "prod"')
    .replace('removal: "destroy"', "removal: false")
    .replace("ci: {", "cii: {");
  writeFileSync(file, `${wrong}\nconst unused: number = "text";\n`);
  for (const command of [
    ["synth", "--", "--out", join(checkout, "out")],
    ["prepare-project", "--", "st-anna"],
  ]) {
    const { status, printed } = npmRun(...command);
    expect(printed).not.toMatch(/TS\d+/);
    expect(status).toBe(2);
    expect(printed).toContain('did you mean "ci"?');
    if (command[0] !== "synth") continue;
    expect(printed).toContain('Hospital "st-anna" (line 1): "teir" is not a known key; did you mean "tier"?');
    expect(printed).toContain('Hospital "sandbox" (line 2): "removal" is false; allowed: retain');
  }
}, 60_000);

test("what is wrong elsewhere is still the compiler's to say", () => {
  writeFileSync(file, shipped);
  const other = join(checkout, "stacks", "values.ts");
  const before = readFileSync(other, "utf8");
  writeFileSync(other, `${before}\nexport const wrong: number = "text";\n`);
  expect(npmRun("synth", "--", "--out", join(checkout, "out"))).toMatchObject({
    status: expect.any(Number),
    printed: expect.stringMatching(/values\.ts.*TS2322/),
  });
  writeFileSync(other, before);
}, 60_000);

test.each([
  ["a sentence that ends too early", "export const hospitals = [", "lines.ts:1:"],
  ["a name that does not exist", "export const hospitals = [anna];", "anna is not defined"],
  ["something thrown that is no error", 'throw "nothing";', "nothing"],
  ["a file that it imports and is not there", 'import { a } from "./other"; export const hospitals = [a];', "./other"],
])("with %s it is refused, with its place", (_what, text, why) => {
  const other = join(checkout, "lines.ts");
  writeFileSync(other, text);
  expect(() => loadProgram(other, "lines.ts")).toThrow(/lines\.ts cannot be used:/);
  expect(() => loadProgram(other, "lines.ts")).toThrow(why);
});

test("may import what stands beside it, and packages", () => {
  writeFileSync(join(checkout, "sites.ts"), "export enum Site { Anna = 'st-anna' }");
  writeFileSync(
    join(checkout, "lines.ts"),
    'import { basename } from "node:path"; import { z } from "zod"; import { Site } from "./sites";\n' +
      "export const hospitals = [{ name: Site.Anna as string, file: basename(__filename), zod: typeof z.string }];",
  );
  expect(loadProgram(join(checkout, "lines.ts"), "lines.ts").hospitals).toEqual([
    { name: "st-anna", file: "lines.ts", zod: "function" },
  ]);
});
