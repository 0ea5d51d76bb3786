import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import sharp from "sharp";
import { evaluateFolder } from "../../runtime/evaluate";
import { explainFolder } from "../../runtime/explain";
import { drawPhantomFolder } from "../../runtime/phantom";
import { startBrowser } from "../../tools/browser";
import { saveBrightSpot } from "../support/bright-spot";
import { headPng } from "../support/head";
import { axeFindings, overflowOf } from "./visitor";

/* The report of an evaluation and the gallery of explanations, as a person opens them: from the disk. */

const SPOT = { x: 110, y: 80, radius: 14 };
const EVIL = "<script>document.title='evil'<img src=x onerror=alert(1)>\"'&.png";
const LONG = `${"a-very-long-folder-name-".repeat(9)}/${"of-a-scan-".repeat(20)}.png`;
const SIZES = { wide: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
const SHOWN = (["wide", "phone"] as const).flatMap((size) =>
  (["light", "dark"] as const).map((colorScheme) => [size, colorScheme] as const),
);

let folder: string;
let browser: Browser;
let pages: Readonly<Record<"report" | "gallery", string>>;
let page: Page;
let problems: string[];

async function put(path: string, content: Buffer | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

/** Phantoms of two heads, and scans with names that people would not choose. */
async function drawScans(): Promise<string> {
  const data = await drawPhantomFolder(folder, 0, { patients: 2 });
  const mask = await sharp(Buffer.alloc(200 * 160), { raw: { width: 200, height: 160, channels: 1 } })
    .composite([
      { input: Buffer.from('<svg width="200" height="160"><circle cx="110" cy="80" r="14" fill="#fff"/></svg>') },
    ])
    .png()
    .toBuffer();
  for (const name of [EVIL, LONG]) {
    await put(join(data, "Cancer", name), await headPng(200, 160, SPOT, name.length));
    await put(join(data, "Non-Cancer", name), await headPng(200, 160, SPOT, name.length + 1));
    await put(join(data, "masks", `${name.slice(name.lastIndexOf("/") + 1, -4)}.png`), mask);
  }
  await put(join(data, "Cancer/missed.png"), await headPng(200, 160, undefined, 9));
  await put(join(data, "masks/missed.png"), mask);
  return data;
}

const CURVE = {
  chosen: 3,
  epochs: [1, 2, 3, 4].map((epoch) => ({
    epoch,
    loss: 1 / epoch,
    imagesPerSecond: 9,
    validation: { loss: 1.2 / epoch, auc: 0.6 + epoch / 20 },
  })),
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "reports-"));
  const model = join(folder, "model");
  await saveBrightSpot(model);
  await put(join(model, "training.json"), JSON.stringify(CURVE));
  const data = await drawScans();
  const [evaluation, explanation] = [join(folder, "evaluation"), join(folder, "explanation")];
  await evaluateFolder({ model, data, out: evaluation, seed: 0 });
  await explainFolder({ model, data, out: explanation });
  pages = { report: join(evaluation, "report.html"), gallery: join(explanation, "gallery.html") };
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});
afterEach(() => page?.close());

async function open(path: string, options: BrowserContextOptions = {}): Promise<void> {
  page = await browser.newPage({ viewport: SIZES.wide, ...options });
  problems = [];
  page.on("console", (message) => problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("dialog", (dialog) => problems.push(`dialog: ${dialog.message()}`));
  page.on("request", (request) => {
    if (!request.url().startsWith("file:") && !request.url().startsWith("data:")) problems.push(request.url());
  });
  await page.goto(pathToFileURL(path).href);
}

/** Pictures that do not come, once all have been asked for. */
const broken = () =>
  page.evaluate<string[]>(`(async () => {
    const images = [...document.images];
    for (const image of images) image.loading = "eager";
    await Promise.all(images.map((image) => image.decode().catch(() => {})));
    return images.filter((image) => image.naturalWidth === 0).map((image) => image.src);
  })()`);

const ground = () => page.evaluate<string>("getComputedStyle(document.body).backgroundColor");

describe.each(["report", "gallery"] as const)("%s", (name) => {
  test.each(SHOWN)(
    "on a %s screen, %s: axe finds nothing, nothing is wider than the screen or missing",
    async (size, colorScheme) => {
      await open(pages[name], { viewport: SIZES[size], colorScheme });
      expect(await ground()).toBe(colorScheme === "light" ? "rgb(242, 245, 247)" : "rgb(17, 24, 29)");
      for (const details of await page.locator("details").all()) await details.locator("summary").click();
      expect(await overflowOf(page)).toBe(0);
      expect(await broken()).toEqual([]);
      expect(await axeFindings(page)).toEqual([]);
      expect(problems).toEqual([]);
    },
  );

  test("names are text, long ones are broken, and all links lead somewhere", async () => {
    await open(pages[name], { viewport: SIZES.phone });
    expect(await page.title()).toContain("bright-spot-0001");
    expect(await page.locator("script").count()).toBe(0);
    await page.getByText(`Cancer/${EVIL}`).first().waitFor();
    await page.getByText(LONG).first().waitFor();
    const ids = await page.evaluate<string[]>("[...document.querySelectorAll('[id]')].map(({ id }) => id)");
    expect(new Set(ids).size).toBe(ids.length);
    const hrefs = await page.evaluate<string[]>(
      "[...document.querySelectorAll('a')].map((a) => a.getAttribute('href'))",
    );
    expect(hrefs.length).toBeGreaterThan(20);
    for (const href of hrefs) {
      const [file = "", id] = href.split("#");
      if (file !== "") await expect(readFile(join(dirname(pages[name]), file))).resolves.toBeInstanceOf(Buffer);
      if (id !== undefined) expect(ids).toContain(id);
    }
  });

  test("on paper it is light, and as wide as the paper", async () => {
    await open(pages[name], { colorScheme: "dark" });
    await page.emulateMedia({ media: "print" });
    expect(await page.evaluate("getComputedStyle(document.querySelector('h1')).color")).toBe("rgb(25, 36, 44)");
    await page.setViewportSize({ width: 700, height: 900 });
    expect(await overflowOf(page)).toBe(0);
    expect((await page.pdf({ format: "A4" })).subarray(0, 5).toString()).toBe("%PDF-");
  });
});

test("the report says first what the model is worth, then what is in it, then numbers", async () => {
  await open(pages.report);
  const order = await page.evaluate<string[]>(
    "[...document.querySelectorAll('.verdict, .disclaimer, .contents, .tiles, .plots')].map(({ className }) => className)",
  );
  expect(order).toEqual(["notice bad verdict", "disclaimer", "card contents", "tiles", "plots", "plots", "disclaimer"]);
  const facts = `${await page.locator("header .facts").textContent()}`;
  for (const term of ["Data", "Evaluated", "Code", "Learnt fromsynthetic images", "Pixel recipe"])
    expect(facts).toContain(term);
  expect(facts).toMatch(/\d{4}-\d\d-\d\d \d\d:\d\d UTC/);
  expect(facts).toContain(join(folder, "seed-0"));
});

test("plots are of one size, take the colours of the theme, and say what they show to who does not see them", async () => {
  await open(pages.report, { colorScheme: "dark" });
  const plots = await page.evaluate<{ width: number; height: number; viewBox: string; label: string; text: string }[]>(
    `[...document.querySelectorAll(".plot svg")].map((svg) => ({
      viewBox: svg.getAttribute("viewBox"),
      label: svg.getAttribute("aria-label"),
      text: svg.textContent,
      width: svg.getBoundingClientRect().width,
      height: svg.getBoundingClientRect().height,
    }))`,
  );
  expect(plots).toHaveLength(8);
  expect(new Set(plots.map(({ viewBox }) => viewBox)).size).toBe(1);
  expect(new Set(plots.map(({ width, height }) => `${Math.round(width)} x ${Math.round(height)}`)).size).toBe(1);
  for (const { label, text } of plots) {
    expect(label).toMatch(/^\S.{5,60}\. \S.{20,}\.$/);
    // Titles of both axes and their figures.
    expect(text.length).toBeGreaterThan(20);
  }
  for (const title of [
    "1 − specificity",
    "Sensitivity",
    "Precision",
    "Mean probability of Cancer",
    "Epoch",
    "Loss",
    "AUC",
  ])
    expect(plots.some(({ text }) => text.includes(title))).toBe(true);
  const colours = await page.evaluate<
    string[]
  >(`[...new Set([...document.querySelectorAll(".plot svg *")].flatMap((part) => {
    const { fill, stroke, opacity } = getComputedStyle(part);
    return [part.getAttribute("fill") && fill, part.getAttribute("stroke") && stroke];
  }).filter((colour) => /^rgb\\(/.test(colour)))]`);
  // What is drawn on dark keeps apart from it.
  const grey = (colour: string) => Math.max(...(colour.match(/\d+/g) ?? []).map(Number));
  expect(colours.length).toBeGreaterThan(4);
  for (const colour of colours) expect([colour, grey(colour) > 60]).toEqual([colour, true]);
  const details = page.locator("#plot-training-auc details");
  await details.locator("summary").click();
  expect(await details.locator("tbody th, tbody td").allTextContents()).toEqual(
    [1, 2, 3, 4].flatMap((epoch) => [`${epoch}`, `${Number((0.6 + epoch / 20).toFixed(4))}`]),
  );
});

test("a wrong scan leads to its row and back, with its lesion outlined", async () => {
  await open(pages.report);
  const missed = page.locator(".scan", { hasText: "Cancer/missed.png" }).first();
  const path = (await missed.locator(".lesion path").getAttribute("d")) ?? "";
  const places = [...path.matchAll(/([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)] as const);
  expect(places.length).toBeGreaterThan(8);
  // The spot lies to the right of the middle, in the recipe's square.
  const middle = places.reduce((sum, [x]) => sum + x, 0) / places.length;
  expect(middle).toBeGreaterThan(64);
  expect(middle).toBeLessThan(85);
  await missed.locator("a").click();
  const row = page.locator("tr:target");
  expect(await row.textContent()).toContain("Cancer/missed.png");
  const number = Number(/#row-(\d+)$/.exec(page.url())?.[1]);
  const lines = (await readFile(join(folder, "evaluation/predictions.csv"), "utf8")).split("\n");
  expect(lines[number - 1]).toMatch(/^Cancer\/missed\.png,/);
  await row.getByRole("link", { name: /^picture/ }).click();
  expect(await page.locator(".scan:target").textContent()).toContain("Cancer/missed.png");
});

test("in the gallery, map and outline can be put away without a script, and errors come first", async () => {
  await open(pages.gallery);
  const first = page.locator(".scan").first();
  expect(await first.textContent()).toMatch(/Non-Cancer [\d.]+ %\s*truth Cancer/);
  const seen = (part: string) =>
    page.evaluate<string>(`getComputedStyle(document.querySelector(".scan:has(.lesion) ${part}")).visibility`);
  for (const [box, part] of [
    ["Map", ".map"],
    ["Outline of the lesion", ".lesion"],
  ] as const) {
    expect(await seen(part)).toBe("visible");
    await page.getByRole("checkbox", { name: box }).uncheck();
    expect(await seen(part)).toBe("hidden");
    await page.getByRole("checkbox", { name: box }).check();
    expect(await seen(part)).toBe("visible");
  }
});
