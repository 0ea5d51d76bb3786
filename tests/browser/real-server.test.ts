import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import sharp from "sharp";
import { evaluateFolder } from "../../runtime/evaluate";
import { writePng } from "../../runtime/imaging";
import { dayOf } from "../../runtime/monitor";
import { openWorkspace } from "../../runtime/platform/workspace";
import { studyObject, studyOverlay } from "../../runtime/study";
import { startBrowser } from "../../tools/browser";
import { screenshots } from "../../tools/screenshots";
import { BRIGHT_SPOT } from "../support/bright-spot";
import { headPng } from "../support/head";
import { storeMonitored } from "../support/monitored";
import { stopProcess } from "../support/processes";
import { promote, storeModel } from "../support/served-model";
import { ILL, placeOn, SIZES, SPOT, twelve, twoSeries } from "./scans";
import { Visitor } from "./visitor";

let folder: string;
let server: ChildProcess;
let url: string;
let browser: Browser;
let verdict: string;

/** The program as people start it: a process of its own, on a free port. */
async function serve(directory: string): Promise<{ server: ChildProcess; url: string }> {
  const main = join(__dirname, "../../dist/runtime/cli/main.js");
  const started = spawn(process.execPath, [main, "serve", "--out", directory, "--port", "0"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  for await (const line of createInterface({ input: started.stdout })) {
    const found = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
    if (found) return { server: started, url: found };
  }
  throw new Error("serve ended before it said where it is.");
}

/** Heads with and without a spot, in folders that say so. */
async function drawTestImages(data: string): Promise<void> {
  for (const [label, spot] of [
    ["Cancer", SPOT],
    ["Non-Cancer", undefined],
  ] as const) {
    await mkdir(join(data, label), { recursive: true });
    for (let i = 0; i < 8; i++)
      await writeFile(join(data, label, `${i}.png`), await headPng(200 + 3 * i, 220, spot, i));
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "real-server-"));
  const directory = join(folder, "workspace");
  const workspace = await openWorkspace(directory);
  await storeModel(workspace);
  // An evaluation as the program writes it, and the curve of a training.
  const { models, reports } = workspace.buckets;
  const data = join(folder, "test-images");
  await drawTestImages(data);
  const { evaluation } = await evaluateFolder({
    model: join(fileURLToPath(models.uri), BRIGHT_SPOT.id),
    data,
    out: join(fileURLToPath(reports.uri), "evaluation", BRIGHT_SPOT.id),
    seed: 1,
  });
  verdict = evaluation.verdict.sentence;
  const epochs = [0.7, 0.5, 0.4].map((loss, i) => ({
    epoch: i + 1,
    loss,
    imagesPerSecond: 40,
    validation: { loss: loss + 0.05, auc: 0.6 + 0.1 * i },
  }));
  await models.write(`${BRIGHT_SPOT.id}/training.json`, Buffer.from(JSON.stringify({ chosen: 3, epochs })));
  await promote(workspace, BRIGHT_SPOT.id, { verdict: evaluation.verdict });
  await workspace.close();
  ({ server, url } = await serve(directory));
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  if (server) await stopProcess(server, "SIGTERM");
  await rm(folder, { recursive: true, force: true });
});

const LOOKS = Object.entries(SIZES).flatMap(([size, viewport]) =>
  (["light", "dark"] as const).map((colorScheme) => ({ size, viewport, colorScheme })),
);

test.each(LOOKS.map((look, i) => ({ ...look, width: 240 + 2 * i })))(
  "the whole story with the keyboard alone, $size and $colorScheme: a folder, sorted, opened, scrolled, windowed, overlay, feedback, history, model",
  async ({ viewport, colorScheme, width }) => {
    // Pictures of another width are other pictures: every visitor has scans of their own.
    const scans = join(folder, `twelve-${width}`);
    await mkdir(scans);
    for (const { name, content } of await twelve(width)) await writeFile(join(scans, name), content);
    const visitor = await Visitor.open(browser, url, { viewport, colorScheme });
    const { page } = visitor;
    const shown = () => page.locator("canvas[data-ready=yes]").waitFor();
    const focused = (what: "id" | "textContent") => page.evaluate<string>(`document.activeElement.${what}`);
    /** Nothing for axe, and nothing wider than the window. */
    const look = async (where: string) =>
      expect({ where, found: await visitor.axe(), overflow: await visitor.overflow() }).toEqual({
        where,
        found: [],
        overflow: 0,
      });
    await look("before anything");

    // The first thing that Tab reaches leads over the head.
    await visitor.press("Tab");
    expect(await focused("textContent")).toBe("Skip to the content");
    await visitor.press("Enter");
    expect(await focused("id")).toBe("main");

    // A folder, by the system's dialog.
    await visitor.press("Tab", "Tab");
    expect(await focused("textContent")).toBe("Choose a folder");
    const dialog = page.waitForEvent("filechooser");
    await visitor.press("Enter");
    await (await dialog).setFiles(scans);
    await page.locator(".side .between .hint", { hasText: "12 of 12 files" }).waitFor();
    await page
      .locator("[data-announcer]", { hasText: /12 of 12 files are answered, 0 refused/ })
      .waitFor({ state: "attached" });
    expect(await visitor.text("[data-announcer]")).toMatch(/^Of a model that is not fit for use: /);

    // Sorted by probability, the most suspicious first, and the other way round.
    await visitor.tabTo("th:nth-child(3) button.sort");
    await visitor.press("Enter");
    expect(await page.locator("th[aria-sort=descending]").textContent()).toMatch(/^Probability/);
    const probabilities = () =>
      page
        .locator("table.answers td.numeric")
        .evaluateAll((cells) => cells.map((cell) => Number.parseFloat(`${cell.textContent}`)));
    const sorted = await probabilities();
    expect(sorted).toHaveLength(12);
    expect(sorted).toEqual([...sorted].sort((a, b) => b - a));
    await visitor.press("Enter");
    expect(await probabilities()).toEqual([...sorted].sort((a, b) => a - b));

    // The stack is opened: its answer has the focus, is in view, and says what it is.
    await visitor.tabTo("table.answers a[href]");
    while (!/stack\.tif/.test(await focused("textContent"))) await visitor.press("Tab");
    await visitor.press("Enter");
    await shown();
    await page.locator("#answer-title:focus").waitFor();
    expect(await visitor.text("#answer-title")).toBe(`twelve-${width}/stack.tif`);
    expect(await visitor.text(".decision")).toBe("Cancer");
    expect(await visitor.uncovered(".decision")).toBe(true);

    // To the one before it in the table, and back: the table itself is many presses of Tab away.
    await visitor.press("Tab");
    expect(await focused("textContent")).toBe("Previous");
    await visitor.press("Enter");
    await page.locator("#answer-title", { hasText: /slice-\d+\.png/ }).waitFor();
    await visitor.tabTo(".steps a:last-child");
    await visitor.press("Enter");
    await page.locator("#answer-title", { hasText: "stack.tif" }).waitFor();
    await shown();
    await page.locator("#answer-title:focus").waitFor();

    // Pages: the slider is at the fourth, the most suspicious, and goes to the fifth, which has no map.
    await visitor.tabTo(".stage");
    await visitor.press("PageDown");
    await page.locator(".strip-range", { hasText: /^Page 5,/ }).waitFor();
    expect(await page.locator("input[name=page]").getAttribute("aria-valuetext")).toMatch(
      /^Page 5 of 5, probability of Cancer \d/,
    );
    await shown();
    await visitor.tabTo("input[name=page]");
    await visitor.press("ArrowLeft");
    await page.locator(".strip-range", { hasText: /^Page 4 \(most suspicious\)/ }).waitFor();

    // The overlay, away and back, and as opaque as it is wanted; the mark leaves free what it points at.
    await page.locator("canvas[data-map=yes]").waitFor();
    await shown();
    const [peakX = 0, peakY = 0] = (/x (\d+), y (\d+)/.exec(await visitor.text(".viewer-tools")) ?? [])
      .slice(1)
      .map(Number);
    const canvas = (await page.locator(".stage").boundingBox()) ?? { width: 1, height: 1 };
    const peak = placeOn(canvas, { width, height: 200 }, peakX, peakY);
    await visitor.tabTo(".viewer-tools input[type=checkbox]");
    await visitor.press("Space");
    expect((await visitor.seenAt(...peak)).colour).toBe(0);
    await visitor.press("Space");
    const before = await visitor.seenAt(...peak);
    expect(before.colour).toBeGreaterThan(10);
    await visitor.press("Tab", "Home");
    await page.locator(".range", { hasText: "Opacity 0 %" }).waitFor();
    expect((await visitor.seenAt(...peak)).colour).toBeLessThan(before.colour);

    // Window: of a higher level the same pixel is darker.
    const brain = (await visitor.seenAt(0.5, 0.7)).grey;
    expect(brain).toBeGreaterThan(0);
    await visitor.tabTo("fieldset:nth-of-type(2) input[type=range]");
    for (let i = 0; i < 40; i++) await visitor.press("PageUp");
    expect((await visitor.seenAt(0.5, 0.7)).grey).toBeLessThan(brain);
    await look("an answer");

    // Feedback: nothing chosen is a sentence; then it disagrees.
    await visitor.tabTo(".feedback button[type=submit]");
    await visitor.press("Enter");
    expect(await visitor.text(".feedback .failure")).toMatch(/Choose whether you agree/);
    await visitor.tabTo(".feedback input[type=radio]", { back: true });
    await visitor.press("ArrowRight");
    if (!(await page.getByRole("radio", { name: "Disagree: Non-Cancer" }).isChecked())) await visitor.press("Space");
    await visitor.press("Tab");
    await page.keyboard.type(`An artefact of ${width}, I think.`);
    await visitor.tabTo(".feedback button[type=submit]");
    await visitor.press("Enter");
    await page.locator(".done", { hasText: "you disagree (Non-Cancer)" }).waitFor();
    await page.locator(".feedback-list", { hasText: `An artefact of ${width}, I think.` }).waitFor();
    await look("feedback");

    // Found again in the history: by its decision, by its name, and in the queue of disagreements.
    await visitor.tabTo("header nav a[href='#/history']", { back: true });
    await visitor.press("Enter");
    await page.locator(".page table tbody tr").nth(11).waitFor();
    expect(await focused("textContent")).toBe("History");
    await look("history");
    await visitor.tabTo("input[type=search]");
    await page.keyboard.type(`twelve-${width}`);
    await page.locator("p[role=status]", { hasText: /^12 answers/ }).waitFor();
    await visitor.tabTo("search label:first-child select", { back: true });
    await page.keyboard.type("C");
    await page.locator("p[role=status]", { hasText: new RegExp(`^${ILL} answers`) }).waitFor();
    await visitor.tabTo("input[type=search]");
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.type("STACK");
    await page.locator("p[role=status]", { hasText: /^1 answer,/ }).waitFor();
    await visitor.tabTo(".tabs a[href='#/history/disagreements']", { back: true });
    await visitor.press("Enter");
    await page.locator("p[role=status]", { hasText: /disagreements?, the newest first/ }).waitFor();
    expect(await visitor.text(".page tbody tr")).toMatch(
      new RegExp(`stack\\.tif.*An artefact of ${width}, I think\\.`),
    );
    await look("disagreements");
    await visitor.tabTo(".tabs a[href='#/history/worklist']", { back: true });
    await visitor.press("Enter");
    await page.locator("p[role=status]", { hasText: /to look at among|Nothing needs a look/ }).waitFor();
    await look("worklist");
    await visitor.tabTo(".tabs a[href='#/history/disagreements']", { back: true });
    await visitor.press("Enter");
    await page.locator("p[role=status]", { hasText: /disagreements?, the newest first/ }).waitFor();
    await visitor.tabTo(".page tbody a");
    await visitor.press("Enter");
    await shown();
    await page.locator(".feedback-list", { hasText: /^Disagrees: Non-Cancer/ }).waitFor();

    // The model page: the verdict before any number, and plots of the evaluation with their numbers.
    await visitor.tabTo("header nav a[href='#/models']", { back: true });
    await visitor.press("Enter");
    await page.locator(".page table").waitFor();
    await look("models");
    await visitor.tabTo(`.page tbody a[href='#/models/${BRIGHT_SPOT.id}']`);
    await visitor.press("Enter");
    await page.locator(".chart canvas").nth(4).waitFor();
    expect(await visitor.text(".banner-text")).toBe(verdict);
    expect(await page.locator(".chart h3").allTextContents()).toEqual([
      "ROC curve",
      "Calibration",
      "Probabilities of the test images",
      "Loss",
      "AUC on validation",
    ]);
    expect(await visitor.text(".chart figcaption")).toMatch(/^Area under the curve 1\.000/);
    await visitor.tabTo(".chart summary");
    await visitor.press("Enter");
    const curve = await page.locator(".chart details[open] tbody tr").allTextContents();
    expect([curve[0], curve.at(-1)]).toEqual(["00", "11"]);
    await look("a model");
    expect(visitor.problems).toEqual([]);
    await visitor.close();
  },
);

test("monitoring by keyboard: what to run before it has run; then what rings and what to do, and the named scan's page", async () => {
  const visitor = await Visitor.open(browser, url, { viewport: SIZES.phone, colorScheme: "dark" });
  const { page } = visitor;
  const goThere = async () => {
    await visitor.tabTo("header nav a[href='#/monitoring']", { back: true });
    await visitor.press("Enter");
    await page.locator(".standing").waitFor();
  };
  await goThere();
  expect(await visitor.text(".standing")).toMatch(/^Nothing is told of .*npm run monitor -- --out/);
  expect([await page.locator(".chart").count(), await visitor.axe(), await visitor.overflow()]).toEqual([0, [], 0]);

  // Somebody sends a scan; at night monitoring tells of the days, and names it.
  await visitor.go("#/scans");
  await visitor.drop([{ name: "named.png", content: await headPng(300, 220, SPOT) }]);
  await page.getByRole("link", { name: "named.png" }).click();
  await page.locator("canvas[data-ready=yes]").waitFor();
  const id = new URL(page.url()).hash.split("/").at(-1) as string;
  const workspace = await openWorkspace(join(folder, "workspace"));
  await storeMonitored(workspace.warehouse, BRIGHT_SPOT.id, { last: dayOf(new Date()), id });
  await workspace.close();
  await goThere();
  await page.locator(".chart canvas").nth(4).waitFor();
  expect(await visitor.text(".standing")).toMatch(
    /^1 alarm in the 30 days to .* noise higher.*Look at the scans it names/,
  );
  expect(await visitor.uncovered(".standing strong")).toBe(true);
  expect(await page.locator(".chart h3").allTextContents()).toEqual([
    "Estimated without labels",
    "By feedback",
    "Evidence for a change",
    "Answers",
    "Waiting",
  ]);
  expect(await visitor.text("section:has(#accuracy-title) table")).toContain("0.900 (0.700 to 0.970), 20 scans");
  expect(await visitor.text("section:has(#evidence-title) > .table-frame")).toContain("Requests failedbusy1");
  expect([await visitor.axe(), await visitor.overflow()]).toEqual([[], 0]);
  await visitor.tabTo("select:not([aria-label])");
  await page.keyboard.type("9");
  await page.locator(".page select", { hasText: "90" }).waitFor();
  await visitor.tabTo(".named-scans a");
  await visitor.press("Enter");
  await page.locator(".decision", { hasText: "Cancer" }).waitFor();
  expect(visitor.problems).toEqual([]);
  await visitor.close();
});

/** A study that has not landed is asked for all the same, and browsers write down that it is not there. */
const isNoStudy = (problem: string) => /status of 404/.test(problem);

test("a folder of DICOM slices is shown as series in their order, each slice with its probability", async () => {
  const scans = join(folder, "study");
  await mkdir(scans);
  for (const { name, content } of await twoSeries()) await writeFile(join(scans, name), content);
  const visitor = await Visitor.open(browser, url);
  const { page } = visitor;
  await visitor.dropPaths([scans]);
  await page.locator(".side .between .hint", { hasText: "7 of 7 files" }).waitFor();
  expect(await page.locator(".reason").allTextContents()).toEqual([]);
  // By where they lie; where that is one place for all, by their numbers.
  expect(await page.locator("table.answers tbody th").allTextContents()).toEqual(
    ["e-DOE.dcm", "c-DOE.dcm", "a-DOE.dcm", "d-DOE.dcm", "b-DOE.dcm", "z-DOE", "y-DOE"].map((name) => `study/${name}`),
  );
  await page.getByRole("link", { name: "a-DOE.dcm" }).click();
  await page.locator(".strip-range", { hasText: /^Slice 3, / }).waitFor();
  expect(await visitor.text("#series-title")).toBe("Series of 5 slices");
  expect(await page.locator(".series .strip-bar").count()).toBe(5);
  expect(await visitor.text(".series .hint")).toMatch(/^The most suspicious is slice 4, \d/);
  expect(await visitor.axe()).toEqual([]);

  // Through the series by the slider, which keeps the focus.
  await visitor.tabTo("input[name=slice]");
  await visitor.press("ArrowRight");
  await page.locator(".strip-range", { hasText: /^Slice 4 \(most suspicious\), / }).waitFor();
  await page.locator("#answer-title", { hasText: "study/d-DOE.dcm" }).waitFor();
  expect(await visitor.text(".decision")).toBe("Cancer");
  await page.locator("canvas[data-ready=yes]").waitFor();
  await visitor.press("ArrowRight");
  await page.locator("#answer-title", { hasText: "study/b-DOE.dcm" }).waitFor();
  expect(await page.evaluate("document.activeElement.name")).toBe("slice");
  expect(await visitor.text(".decision")).toBe("Non-Cancer");

  // By its bar, too.
  await page.locator(".series .strip-bar").first().click();
  await page.locator("#answer-title", { hasText: "study/e-DOE.dcm" }).waitFor();
  await page.getByRole("link", { name: "y-DOE" }).click();
  await page.locator("#series-title", { hasText: "Series of 2 slices" }).waitFor();
  expect(visitor.problems.filter(isNoStudy)).toHaveLength(1);
  expect(visitor.problems.filter((problem) => !isNoStudy(problem))).toEqual([]);
  await visitor.close();
});

test("a study has its series, its own answer or why it has none, and a page of its own that the history leads to", async () => {
  const scans = join(folder, "of-a-study");
  await mkdir(scans);
  for (const { name, content } of await twoSeries()) await writeFile(join(scans, name), content);
  const visitor = await Visitor.open(browser, url);
  const { page } = visitor;
  await visitor.dropPaths([scans]);
  await page.locator(".side .between .hint", { hasText: "7 of 7 files" }).waitFor();
  await page.getByRole("link", { name: "a-DOE.dcm" }).click();
  await page.locator("#study-title", { hasText: "Study of 2 series, 7 slices" }).waitFor();
  expect(await page.locator(".study-series li").allTextContents()).toEqual([
    expect.stringMatching(/^Series 1, 5 slices up to \d/),
    expect.stringMatching(/^Series 2, 2 slices up to \d/),
  ]);
  // Nothing of it has landed.
  await page.locator(".study .hint", { hasText: "The study as a whole has no answer yet." }).waitFor();
  // By keys to the other series, at the slice of it that speaks most for Cancer.
  await visitor.tabTo(".study-series li:nth-child(2) a");
  await visitor.press("Enter");
  await page.locator("#series-title", { hasText: "Series of 2 slices" }).waitFor();
  expect(await page.locator(".study-series a[aria-current]").textContent()).toBe("Series 2, 2 slices");

  // The history leads to the study, whose answer there is none of either.
  await page.getByRole("link", { name: "History" }).click();
  const toStudy = page.locator(".page td a", { hasText: /^Study \d{6}$/ }).first();
  await toStudy.click();
  await page.locator(".page p[role=status]", { hasText: "no answer yet" }).waitFor();
  const study = (await page.evaluate<string>("location.hash")).replace("#/history/study/", "");
  expect(study).toMatch(/^2\.25\.\d+$/);

  // Then score has written one: too few studies for a rule, which is a sentence and no number.
  const reason =
    "The validation split has 4 studies or patients with Cancer and 3 without, and 10 of each are the least from which a rule is chosen.";
  const png = await writePng({ width: 8, height: 8, channels: 3, samples: Buffer.alloc(192, 90) });
  const overlay = createHash("sha256").update(png).digest("hex");
  const workspace = await openWorkspace(join(folder, "workspace"));
  const { reports } = workspace.buckets;
  const sliceOf = (number: number, probability: number) => ({
    ...{ instance: `2.25.${number}`, series: `2.25.${number > 2 ? 9 : 8}`, page: 1, sequence: "T1", view: "axial" },
    ...{ sha256: "a".repeat(64), probability, decision: probability > 0.5 ? "Cancer" : "Non-Cancer" },
  });
  const told = {
    ...{ study, revision: 1, answered_at: "2026-11-27T10:00:00.000Z", model: BRIGHT_SPOT.id, model_sha256: "b" },
    ...{ recipe: "r", synthetic: true, disclaimer: "Not for diagnostic use.", threshold: 0.5, uncertain: null },
    verdict: { fit: false, sentence: "Not fit for use: the test says so.", reasons: ["phantoms"] },
    whole: { reason },
    ...{ pictures: "p", slices: [sliceOf(1, 0.9), sliceOf(3, 0.2)], peak: { x: 1, y: 1 }, overlay },
  };
  await reports.create(studyOverlay(study, overlay), png);
  await reports.create(studyObject(study, 1), JSON.stringify(told));
  await page.reload();
  await page.locator(".whole .note", { hasText: reason }).waitFor();
  expect(await visitor.text(".whole .note")).toMatch(/^The study as a whole is not answered\./);
  expect(await visitor.text(".whole .hint")).toBe("Of 2 slices that landed, the most suspicious: Cancer, 90.0 %.");
  expect(await page.locator(".page tbody tr").allTextContents()).toEqual([
    "11T1axialCancer90.0 %",
    "22T1axialNon-Cancer20.0 %",
  ]);
  const size =
    "(async (image) => (await image.decode(), image.naturalWidth))(document.querySelector('.study-overlay img'))";
  expect(await page.evaluate(size)).toBe(8);
  const { whole: _, ...same } = told;
  const answered = { probability: 0.83, decision: "Cancer", threshold: 0.4, rule: "A study is answered by a rule." };
  await reports.create(
    studyObject(study, 2),
    JSON.stringify({ ...same, revision: 2, whole: { ...answered, verdict: told.verdict } }),
  );
  for (const viewport of Object.values(SIZES))
    for (const colorScheme of ["light", "dark"] as const) {
      const other = await Visitor.open(browser, url, { viewport, colorScheme });
      await other.go(`#/history/study/${study}`);
      await other.page.locator(".whole .decision", { hasText: "Cancer" }).waitFor();
      expect(await other.text(".whole .number")).toBe("83.0 %");
      expect([await other.axe(), await other.overflow(), other.problems]).toEqual([[], 0, []]);
      await other.close();
    }
  await workspace.close();
  expect([await visitor.axe(), visitor.problems.filter((problem) => !isNoStudy(problem))]).toEqual([[], []]);
  await visitor.close();
});

test("samples are answered, what the model saw is a picture, and the visitor is named", async () => {
  const visitor = await Visitor.open(browser, url);
  const { page } = visitor;
  expect(await visitor.text(".who")).toBe("local, admin");
  await page.getByRole("button", { name: "Try 6 sample scans" }).click();
  await page.locator(".side .between .hint", { hasText: "6 of 6 files" }).waitFor();
  expect(await page.locator(".reason").allTextContents()).toEqual([]);
  await page.getByRole("link", { name: "phantom-9-slices.tif" }).click();
  await page.locator("canvas[data-ready=yes]").waitFor();
  expect(await page.locator(".strip-bar").count()).toBe(9);
  const seen = await page.locator(".seen img").evaluate(async (element) => {
    // The tests are compiled without the browser's types.
    const image = element as unknown as { decode(): Promise<void>; naturalWidth: number };
    await image.decode();
    return image.naturalWidth;
  });
  expect(seen).toBe(128);
  expect(visitor.problems).toEqual([]);
  await visitor.close();
});

test("the command takes the pictures that the docs show", async () => {
  const to = join(folder, "pictures");
  expect(await screenshots(["--out", join(folder, "workspace"), "--to", to])).toBe(0);
  const docs = join(__dirname, "../../docs");
  const names = (await readdir(to)).sort();
  expect(names).toEqual((await readdir(join(docs, "images"))).sort());
  const page = await readFile(join(docs, "dashboard.md"), "utf8");
  for (const name of names) {
    const { width, height } = await sharp(join(to, name)).metadata();
    expect([name, { width, height }]).toEqual([name, name.includes("phone") ? SIZES.phone : SIZES.wide]);
    expect(page).toContain(`](images/${name})`);
  }
});
