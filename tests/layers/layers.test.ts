import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { importsOf } from "./imports";
import { EXCEPTIONS, layerProblems } from "./rules";

const ROOT = join(__dirname, "../..");

const TREES = ["runtime", "constructs", "stacks", "tools"];
const filesOf = (tree: string) => (readdirSync(join(ROOT, tree), { recursive: true }) as string[]).sort();

const SOURCES: ReadonlyMap<string, string> = new Map(
  TREES.flatMap((tree) =>
    filesOf(tree)
      .filter((file) => file.endsWith(".ts"))
      .map((file) => [`${tree}/${file}`, readFileSync(join(ROOT, tree, file), "utf8")] as const),
  ),
);

/** What is wrong once a file has further lines, beside what is wrong already. */
function problemsWith(file: string, lines: string): readonly string[] {
  const text = SOURCES.get(file);
  if (text === undefined) throw new Error(`There is no ${file}.`);
  const before = new Set(layerProblems(SOURCES));
  const after = layerProblems(new Map([...SOURCES, [file, `${text}${lines}\n`]]));
  return after.filter((problem) => !before.has(problem));
}

/** Number of the first line behind a file. */
const end = (file: string) => (SOURCES.get(file) ?? "").split("\n").length;

describe("the sources", () => {
  test("are all there", () => {
    expect(SOURCES.size).toBeGreaterThan(200);
    // One of another kind would be read by nobody.
    expect(TREES.flatMap(filesOf).filter((file) => /\.(?:[cm]?js|[cm]ts|[jt]sx)$/.test(file))).toEqual([]);
  });

  test("import in one direction, and each other by their doors", () => {
    expect(layerProblems(SOURCES)).toEqual([]);
  });
});

describe("refused, with file, line and rule", () => {
  test.each([
    [
      "a room that imports one above it",
      "runtime/model/score.ts",
      'import { startServer } from "../serve";',
      /imports runtime\/serve: imports point one way, and runtime\/model stands on platform, imaging, .*dataset alone\.$/,
    ],
    [
      "another room's inside",
      "runtime/train/step.ts",
      'import { currentModel } from "../registry/current";',
      /imports runtime\/registry\/current: no room imports another's inside; .* in runtime\/registry\/index\.ts\.$/,
    ],
    [
      "another capability",
      "runtime/train/step.ts",
      'import type { Preprocess } from "../preprocess";',
      /imports runtime\/preprocess: capabilities never import each other; /,
    ],
    [
      "another capability's contract",
      "runtime/train/step.ts",
      'import { serveContract } from "../serve/contract";',
      /imports runtime\/serve\/contract: capabilities never import each other; /,
    ],
    [
      "constructs, by runtime",
      "runtime/serve/app.ts",
      'type Bundle = typeof import("../../constructs/core/runtime-bundle");',
      /imports constructs\/core\/runtime-bundle: .*; runtime never imports constructs\.$/,
    ],
    [
      "stacks, by constructs",
      "constructs/serve/serve.ts",
      'export * from "../../stacks/config";',
      /imports stacks\/config: .*; constructs never imports stacks\.$/,
    ],
    [
      "what runs, by constructs",
      "constructs/serve/serve.ts",
      'const server = require("../../runtime/serve");',
      /imports runtime\/serve: .*constructs imports contracts and platform alone\.$/,
    ],
    [
      "a room that is no capability, by stacks",
      "stacks/config.ts",
      'const labels = () => import("../runtime/intake/index.js");',
      /imports runtime\/intake: .*stacks imports contracts and platform alone\.$/,
    ],
    [
      "a construct that stands above",
      "constructs/storage/secure-bucket.ts",
      'import { Ingest } from "../ingest";',
      /imports constructs\/ingest: imports point one way, and constructs\/storage stands on core, policy, security alone\.$/,
    ],
    [
      "the inside of a folder of the platform that has a door",
      "runtime/ingest/commit.ts",
      'import { GcsStore } from "../platform/stores/gcs-store";',
      /imports runtime\/platform\/stores\/gcs-store: no room imports another's inside; /,
    ],
    [
      "anything, by the platform",
      "runtime/platform/workspace.ts",
      'import { DISCLAIMER } from "../intake";',
      /imports runtime\/intake: runtime\/platform is the lowest room and imports no other\.$/,
    ],
    [
      "what is not there",
      "runtime/cli/main.ts",
      'require.resolve("./gone.js");',
      /imports runtime\/cli\/gone: it is no source file/,
    ],
    [
      "tests",
      "runtime/cli/main.ts",
      'import "../../tests/support/discs";',
      /imports tests\/support\/discs: it is no source file/,
    ],
    [
      "a computed name",
      "runtime/cli/main.ts",
      'const load = (name: string) => import("../" + name);',
      /imports what it computes: a name that is not written out/,
    ],
  ])("%s", (_what, file, line, rule) => {
    const problems = problemsWith(file, line);
    expect(problems).toEqual([expect.stringMatching(rule)]);
    expect(problems[0]).toMatch(new RegExp(`^${file}:${end(file)} imports `));
  });

  test("every one of several, in its own line", () => {
    const file = "runtime/model/score.ts";
    const lines =
      'import { a } from "../serve";\n// import { b } from "../train";\nexport { c } from "../score/scoring";';
    expect(problemsWith(file, lines).map((problem) => problem.split(" ")[0])).toEqual([
      `${file}:${end(file)}`,
      `${file}:${end(file) + 2}`,
    ]);
  });

  test("a room that nobody gave a place", () => {
    const sources = new Map([...SOURCES, ["runtime/gossip/index.ts", 'import { x } from "../model";\n']]);
    expect(layerProblems(sources)).toEqual([
      expect.stringMatching(/^runtime\/gossip\/index\.ts:1 .*runtime\/gossip has no place in the layers/),
    ]);
  });

  test("an exception that nothing uses any more", () => {
    const stale = { from: "runtime/train/", to: "runtime/serve/app", reason: "once" };
    expect(layerProblems(SOURCES, [...EXCEPTIONS, stale])).toEqual([
      expect.stringContaining("nothing uses the exception from runtime/train/ to runtime/serve/app any more"),
    ]);
  });

  test("a room of the table that is gone", () => {
    const left = new Map([...SOURCES].filter(([file]) => !file.startsWith("runtime/phantom/")));
    expect(layerProblems(left)).toContain("tests/layers/rules.ts: there is no runtime/phantom any more; remove it.");
  });
});

test("an exception says why it stands", () => {
  for (const { reason } of EXCEPTIONS) expect(reason).toMatch(/^[A-Z].{20,}\.$/);
});

describe("what is an import", () => {
  const named = (source: string) => importsOf(source).map(({ specifier, line }) => `${line} ${specifier}`);

  test("every way of writing one, with its line", () => {
    const source = [
      'import "./a";',
      "import b from './b';",
      'import type { C } from "./c";',
      "import {",
      "  type D,",
      '} from "./d";',
      'export * from "./e";',
      'export { f, type F } from "./f";',
      'import g = require("./g");',
      'const h = await import("./h.js");',
      'const i = require("./i") as typeof import("./i-types");',
      'type J = import("./j").J<import("./j-inner").X>;',
      'const k = () => { if (true) return require.resolve("./k"); };',
      "const l = await import(`./l`);",
      'const m = module.require("./m");',
      'class N { @decorated() n = import("./n", { with: { type: "json" } }); }',
      'function o(p: typeof import("./o")): asserts p is typeof import("./p") {}',
    ].join("\n");
    expect(named(source)).toEqual([
      "1 ./a",
      "2 ./b",
      "3 ./c",
      "4 ./d",
      "7 ./e",
      "8 ./f",
      "9 ./g",
      "10 ./h.js",
      "11 ./i",
      "11 ./i-types",
      "12 ./j",
      "12 ./j-inner",
      "13 ./k",
      "14 ./l",
      "15 ./m",
      "16 ./n",
      "17 ./o",
      "17 ./p",
    ]);
  });

  test("comments, strings, regular expressions and functions of that name are none", () => {
    const source = [
      '// import "./a";',
      '/* require("./b") */',
      "const c = 'import \"./c\"';",
      "const d = `import('./d')`;",
      'const e = /import("\\.\\/e")/;',
      'log.require("./f"); object.import("./g");',
      "export const h = 1; export { h as i }; export type { J };",
    ].join("\n");
    expect(named(source)).toEqual([]);
  });

  test("lines are counted past characters of several bytes and any indentation", () => {
    expect(named('// Zürich 🧠\n\n\n  const a = "ä";\r\n  import b from "./b";')).toEqual(["5 ./b"]);
  });

  test("of a computed name a package's beginning is known, and no file's", () => {
    const computed = (text: string) => importsOf(text.replaceAll("<x>", "$" + "{x}"))[0]?.specifier;
    expect(computed("require(`@tensorflow/<x>`)")).toBe("@tensorflow/");
    for (const text of ["require(`./<x>`)", "require(x)", "import(`<x>`)", 'import("./" + x)'])
      expect(computed(text)).toBeUndefined();
  });

  test("what is no TypeScript is refused, not passed over", () => {
    expect(() => importsOf("import { from './a'")).toThrow();
  });
});
