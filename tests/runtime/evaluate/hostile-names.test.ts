import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import { evaluateFolder } from "../../../runtime/evaluate";
import { codeSpan, escapeMarkdown } from "../../../runtime/evaluate/markdown";
import { renderModelCard } from "../../../runtime/evaluate/model-card";
import { explainFolder } from "../../../runtime/explain";
import { loadClassifier } from "../../../runtime/model";
import { headPng, saveBrightSpot } from "../../support/bright-spot";

/*
 * What people write reaches documents that other people open: names of files, collections and subtypes.
 */

const EVIL =
  "A|B <script>alert(1)</script> `x` [click](https://evil.example) ![p](http://evil.example/p.png)\n# Fit *for* diagnosis";
const EVIL_TOO = '<img src=x onerror="alert(1)"> https://evil.example www.evil.example ~~no~~ &lt;b&gt;';
/** Outside the label folders, so that the row begins with the name itself. */
const FORMULA = "=HYPERLINK(1).png";
const DASH = "-2+3/scan.png";

let folder: string;
let data: string;
let model: string;

const put = async (path: string, content: Buffer | string) => {
  await mkdir(dirname(join(data, path)), { recursive: true });
  await writeFile(join(data, path), content);
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hostile-"));
  [data, model] = [join(folder, "data"), join(folder, "model")];
  await saveBrightSpot(model);
  const rows = [["path", "source", "subtype"]];
  for (let i = 0; i < 6; i++) {
    const [ill, well] = [`Cancer/ill-${i}.png`, `Non-Cancer/well-${i}.png`];
    await put(ill, await headPng(200 + 4 * i, 200, { x: 70 + i * 9, y: 80, radius: 16 }, i));
    await put(well, await headPng(230 + 4 * i, 200, undefined, 10 + i));
    const [source, subtype] = i % 2 === 0 ? [EVIL, EVIL_TOO] : [EVIL_TOO, EVIL];
    rows.push([ill, source, subtype], [well, source, subtype]);
  }
  await put(FORMULA, await headPng(200, 200));
  await put(DASH, await headPng(200, 200));
  await put("manifest.csv", stringify(rows));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const rowsOf = async (path: string) => parse(await readFile(path), { columns: true }) as Record<string, string>[];

/** A line that begins or holds markup which is not escaped. */
function expectHarmless(card: string): void {
  expect(card).not.toMatch(/<(?:script|img)/i);
  expect(card).not.toMatch(/(?<!\\)\]\(/);
  expect(card).not.toMatch(/https?:\/\//);
  expect(card).not.toMatch(/(?<!\\)`x(?<!\\)`/);
  expect(card).not.toMatch(/^# Fit/m);
  expect(card).not.toMatch(/\*for\*|~~no~~|www\.evil/);
}

describe("evaluate", () => {
  let out: string;

  beforeAll(async () => {
    out = join(folder, "evaluation");
    await evaluateFolder({ model, data, out, seed: 0 });
  });

  test("writes names into the model card as text", async () => {
    const card = await readFile(join(out, "model-card.md"), "utf8");
    expect(card).toContain("evil.example");
    expectHarmless(card);
    // Every row of a table has as many cells as its head, counting bars that are none.
    for (const table of card.match(/(?:^\|.*\n)+/gm) ?? []) {
      const cells = table
        .trim()
        .split("\n")
        .map((row) => row.match(/(?<!\\)\|/g)?.length);
      expect(new Set(cells).size).toBe(1);
    }
  });

  test("writes no formula into predictions.csv, and paths that lead to their files", async () => {
    const rows = await rowsOf(join(out, "predictions.csv"));
    const paths = rows.map(({ path }) => String(path));
    expect(paths).toEqual(expect.arrayContaining([`./${FORMULA}`, `./${DASH}`, "Cancer/ill-0.png"]));
    for (const path of paths) await expect(readFile(join(data, path))).resolves.toBeInstanceOf(Buffer);
    for (const cell of rows.flatMap((row) => Object.values(row))) expect(cell).not.toMatch(/^[=+\-@\t\r]/);
  });
});

test("explain writes no formula into rejected.csv", async () => {
  const out = join(folder, "explanation");
  await explainFolder({ model, data, out });
  const rows = await rowsOf(join(out, "rejected.csv"));
  expect(rows.map(({ path }) => path)).toEqual([`./${DASH}`, `./${FORMULA}`]);
});

test("the id and the configuration of a model from elsewhere are text too", async () => {
  const classifier = await loadClassifier(model);
  try {
    const evaluation = JSON.parse(await readFile(join(folder, "evaluation", "evaluation.json"), "utf8"));
    const teacher = { id: EVIL, backbone: EVIL_TOO, sha256: "`a` | b", licence: EVIL, source: EVIL_TOO };
    const named = { id: EVIL, recipe: EVIL_TOO, configuration: { note: "a `b` ``c`` | d" }, teacher };
    const foreign = { ...classifier.metadata, ...named };
    const card = renderModelCard(foreign as typeof classifier.metadata, evaluation, "a folder");
    expectHarmless(card);
    expect(card.split("\n")[0]).toMatch(/^# Model A\\\|B /);
    expect(card).toMatch(/^- A pupil of A\\\|B .* The teacher answers nobody\.$/m);
    expect(card).toContain('``` {"note":"a `b` ``c`` | d"} ```');
  } finally {
    classifier.dispose();
  }
});

test("plain names are not changed", () => {
  for (const name of ["cnn-0123456789ab", "Hospital St. Anna (2024), T1+Gd: 3.0 T", "Zürich 🧠"])
    expect(escapeMarkdown(name)).toBe(name);
  expect(codeSpan("npm run explain")).toBe("`npm run explain`");
});
