import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import type { Browser } from "playwright-core";
import sharp from "sharp";
import { Problem } from "../../runtime/serve/problem";
import { startBrowser } from "../../tools/browser";
import { headPixels, headPng } from "../support/head";
import { type FixtureState, fixtureApi } from "./fixture-api";
import { type Sent, Visitor } from "./visitor";

const SPOT = { x: 130, y: 110, radius: 16 };
const SIZES = { wide: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };

let folder: string;
let app: FastifyInstance;
let state: FixtureState;
let url: string;
let browser: Browser;
let visitor: Visitor;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dashboard-"));
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  ({ app, state } = fixtureApi());
  url = await app.listen({ port: 0, host: "127.0.0.1" });
  visitor = await Visitor.open(browser, url);
});
afterEach(async () => {
  await visitor.close();
  await app.close();
});

/** Slices of a head as the pages of a 16-bit TIFF, a spot on one of them. */
async function stack(pages: number, ill: number): Promise<Buffer> {
  const [width, height] = [240, 200];
  const pixels = new Uint16Array(pages * width * height);
  for (let page = 0; page < pages; page++) {
    const drawn = headPixels(width, height, page + 1 === ill ? SPOT : undefined, page);
    pixels.set(
      Uint16Array.from(drawn, (grey) => grey * 16),
      page * width * height,
    );
  }
  const raw = { width, height: pages * height, channels: 1, pageHeight: height } as const;
  return sharp(pixels, { raw }).toColourspace("grey16").tiff({ compression: "deflate" }).toBuffer();
}

/** Twelve scans of a folder: eleven slices, of which every third is ill, and a stack of five. */
async function twelve(): Promise<Sent[]> {
  const slices = Array.from({ length: 11 }, async (_, i) => ({
    name: `slice-${i + 1}.png`,
    content: await headPng(240, 200, i % 3 === 0 ? SPOT : undefined, i),
  }));
  return [...(await Promise.all(slices)), { name: "stack.tif", content: await stack(5, 4) }];
}

const rows = () => visitor.page.locator("table.answers tbody tr").count();
const answered = (n: number) =>
  visitor.page.locator(".side .between .hint", { hasText: `${n} of ${n} files` }).waitFor();
const shown = () => visitor.page.locator("canvas[data-ready=yes]").waitFor();
const names = () => visitor.page.locator("table.answers tbody th").allTextContents();

/** Where a pixel of a 240 x 200 page lies on the canvas that it is fitted into, as shares of its width and height. */
async function placeOf(px: number, py: number): Promise<[x: number, y: number]> {
  const { width, height } = (await visitor.page.locator(".stage").boundingBox()) ?? { width: 1, height: 1 };
  const scale = Math.min(width / 240, height / 200);
  return [0.5 + ((px + 0.5 - 120) * scale) / width, 0.5 + ((py + 0.5 - 100) * scale) / height];
}

/** The grey (0 to 255) that the canvas shows at a share of its width and height, and how far from grey it is. */
async function seenAt(x: number, y: number): Promise<{ grey: number; colour: number }> {
  const [red, green, blue] = await visitor.page.evaluate<[number, number, number]>(`(() => {
    const canvas = document.querySelector(".stage canvas");
    return [...canvas.getContext("2d").getImageData(${x} * canvas.width, ${y} * canvas.height, 1, 1).data];
  })()`);
  return { grey: green, colour: Math.max(red, green, blue) - Math.min(red, green, blue) };
}

test("the whole story with the keyboard alone: a folder, sorted, opened, scrolled, windowed, overlay, feedback, history, model", async () => {
  const scans = join(folder, "twelve");
  await mkdir(scans);
  for (const { name, content } of await twelve()) await writeFile(join(scans, name), content);
  const { page } = visitor;

  // The first thing that Tab reaches leads over the head.
  await visitor.press("Tab");
  expect(await page.evaluate("document.activeElement.textContent")).toBe("Skip to the content");
  await visitor.press("Enter");
  expect(await page.evaluate("document.activeElement.id")).toBe("main");

  // A folder, by the system's dialog.
  await visitor.press("Tab", "Tab");
  expect(await page.evaluate("document.activeElement.textContent")).toBe("Choose a folder");
  const dialog = page.waitForEvent("filechooser");
  await visitor.press("Enter");
  await (await dialog).setFiles(scans);
  await answered(12);
  expect(await rows()).toBe(12);
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
  expect(sorted).toEqual([...sorted].sort((a, b) => b - a));
  await visitor.press("Enter");
  expect(await probabilities()).toEqual([...sorted].sort((a, b) => a - b));

  // The stack is opened: its answer has the focus, and says what it is.
  await visitor.tabTo("table.answers a[href]");
  while (!/stack\.tif/.test(`${await page.evaluate("document.activeElement.textContent")}`)) await visitor.press("Tab");
  await visitor.press("Enter");
  await shown();
  expect(await page.evaluate("document.activeElement.id")).toBe("answer-title");
  expect(await visitor.text("#answer-title")).toBe("twelve/stack.tif");
  expect(await visitor.text(".decision")).toBe("Cancer");

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

  // Window: a narrower one makes the same pixel brighter or darker.
  await shown();
  // The canvas has the page's shape within a pixel; the mark leaves free what it points at.
  const [peakX = 0, peakY = 0] = (/x (\d+), y (\d+)/.exec(await visitor.text(".viewer-tools")) ?? [])
    .slice(1)
    .map(Number);
  const [x, y] = await placeOf(peakX, peakY);
  await visitor.tabTo(".viewer-tools input[type=checkbox]");
  await visitor.press("Space");
  expect((await seenAt(x, y)).colour).toBe(0);
  await visitor.press("Space");
  expect((await seenAt(x, y)).colour).toBeGreaterThan(10);
  await visitor.press("Tab");
  const before = await seenAt(x, y);
  await visitor.press("Home");
  await page.locator(".range", { hasText: "Opacity 0 %" }).waitFor();
  expect((await seenAt(x, y)).colour).toBeLessThan(before.colour);
  const brain = (await seenAt(0.35, 0.5)).grey;
  await visitor.tabTo("fieldset:nth-of-type(2) input[type=range]");
  for (let i = 0; i < 40; i++) await visitor.press("PageUp");
  expect((await seenAt(0.35, 0.5)).grey).toBeLessThan(brain);

  // Feedback: nothing chosen is a sentence; then it disagrees.
  await visitor.tabTo(".feedback button[type=submit]");
  await visitor.press("Enter");
  expect(await visitor.text(".feedback .failure")).toMatch(/Choose whether you agree/);
  await visitor.tabTo(".feedback input[type=radio]", { back: true });
  await visitor.press("ArrowRight");
  if (!(await page.getByRole("radio", { name: "Disagree: Non-Cancer" }).isChecked())) await visitor.press("Space");
  await visitor.press("Tab");
  await page.keyboard.type("An artefact, I think.");
  await visitor.tabTo(".feedback button[type=submit]");
  await visitor.press("Enter");
  await page.locator(".done", { hasText: "you disagree (Non-Cancer)" }).waitFor();
  await page.locator(".feedback-list", { hasText: "An artefact, I think." }).waitFor();

  // Found again in the history: by its decision, by its name, and in the queue of disagreements.
  await visitor.tabTo("header nav a[href='#/history']", { back: true });
  await visitor.press("Enter");
  await page.locator(".page table tbody tr").nth(11).waitFor();
  expect(await page.evaluate("document.activeElement.textContent")).toBe("History");
  await visitor.tabTo("search select");
  await page.keyboard.type("C");
  await page.locator("p[role=status]", { hasText: /^5 answers/ }).waitFor();
  await visitor.tabTo("input[type=search]");
  await page.keyboard.type("STACK");
  await page.locator("p[role=status]", { hasText: /^1 answer,/ }).waitFor();
  await visitor.tabTo(".tabs a[href='#/history/disagreements']", { back: true });
  await visitor.press("Enter");
  await page.locator("p[role=status]", { hasText: /^1 disagreement, the newest first/ }).waitFor();
  expect(await visitor.text(".page tbody")).toMatch(/stack\.tif.*An artefact, I think\./);
  await visitor.tabTo(".page tbody a");
  await visitor.press("Enter");
  await shown();
  expect(await visitor.text(".feedback-list")).toMatch(/^Disagrees: Non-Cancer/);

  // The model page: the verdict before any number, and plots with their numbers.
  await visitor.tabTo("header nav a[href='#/models']", { back: true });
  await visitor.press("Enter");
  await visitor.tabTo(".page tbody a[href='#/models/bright-spot-0001']");
  await visitor.press("Enter");
  await page.locator(".chart canvas").nth(4).waitFor();
  expect(await visitor.text("main .note")).toBe("Not fit for use: it is <b>a test</b>.");
  expect(await page.locator(".chart h3").allTextContents()).toEqual([
    "ROC curve",
    "Calibration",
    "Probabilities of the test images",
    "Loss",
    "AUC on validation",
  ]);
  await visitor.tabTo(".chart summary");
  await visitor.press("Enter");
  expect(await visitor.text(".chart details[open] tbody")).toContain("0.88");
  expect(visitor.problems).toEqual([]);
});

describe.each(Object.entries(SIZES))("at %s", (_, viewport) => {
  test.each(["light", "dark"] as const)(
    "axe finds nothing, and nothing is wider than the window: %s",
    async (colorScheme) => {
      const other = await Visitor.open(browser, url, { viewport, colorScheme });
      try {
        expect(await other.axe()).toEqual([]);
        await other.drop([
          ...(await twelve()).slice(-3),
          { name: "broken.png", content: Buffer.from("this is no picture") },
        ]);
        await other.page.locator("td", { hasText: "Refused" }).waitFor();
        await other.page.getByRole("link", { name: "stack.tif" }).click();
        await other.page.locator("canvas[data-ready=yes]").waitFor();
        const disagree = other.page.getByRole("radio", { name: /^Disagree/ });
        await disagree.check();
        await other.page.getByRole("button", { name: "Send feedback" }).click();
        await other.page.locator(".feedback-list").waitFor();
        const rooms: readonly (readonly [string, string])[] = [
          ["", ".feedback-list"],
          ["#/history", ".page table"],
          ["#/history/disagreements", ".page table"],
          ["#/models", ".page table"],
          ["#/models/bright-spot-0001", ".chart canvas"],
          ["#/models/bright-spot-0001/bright-spot-0002", ".page table"],
          ["#/models/none", ".failure"],
        ];
        for (const [room, there] of rooms) {
          if (room) await other.go(room);
          await other.page.locator(there).first().waitFor();
          expect({ room, found: await other.axe(), overflow: await other.overflow() }).toEqual({
            room,
            found: [],
            overflow: 0,
          });
        }
        // What the browser itself notes of every answer that is no success; no report of the policy is among it.
        expect(other.problems.filter((problem) => !/status of (415|404)/.test(problem))).toEqual([]);
      } finally {
        await other.close();
      }
    },
  );
});

test("the answer in one look: all of it above the fold, on one scale, beside the verdict and the disclaimer", async () => {
  await visitor.drop([{ name: "ill.png", content: await headPng(240, 200, SPOT) }]);
  await shown();
  const inView = async (selector: string) => {
    const box = await visitor.page.locator(selector).first().boundingBox();
    return box !== null && box.y >= 0 && box.y + box.height <= SIZES.wide.height;
  };
  for (const part of [".decision", ".number", ".scale", ".banner", ".verdict-short", ".stage", ".seen", "footer"])
    expect([part, await inView(part)]).toEqual([part, true]);
  const probability = Number.parseFloat(await visitor.text(".number"));
  const box = async (selector: string) => (await visitor.page.locator(selector).boundingBox()) ?? { x: 0, width: 0 };
  const [bar, fill, threshold, band] = [
    await box(".scale-bar"),
    await box(".scale-fill"),
    await box(".scale-threshold"),
    await box(".scale-band"),
  ];
  const share = (x: number) => (100 * (x - bar.x)) / bar.width;
  expect(Math.abs((100 * fill.width) / bar.width - probability)).toBeLessThan(1.5);
  expect(share(threshold.x + threshold.width / 2)).toBeCloseTo(50, 0);
  expect(Math.abs(share(band.x) - 40)).toBeLessThan(1);
  expect(Math.abs(share(band.x + band.width) - 60)).toBeLessThan(1);
  // What names them stands where they are.
  const label = await box(".scale-threshold-label");
  expect(Math.abs(share(label.x + label.width / 2) - 50)).toBeLessThan(3);
  expect(await visitor.text(".scale")).toBe("Cancer from 50 %0 %uncertain 40 % to 60 %100 %");
  const page = await visitor.text("#app");
  expect(page.match(/diagnostic use/gi)).toHaveLength(1);
  // A verdict is text, whatever stands in it.
  expect(await visitor.text(".banner-text")).toBe("Not fit for use: it is <b>a test</b>.");
  expect(await visitor.page.locator(".banner .tag").allTextContents()).toEqual(["Synthetic", "No input guard"]);
  await visitor.page.mouse.wheel(0, 4000);
  expect(await inView("footer")).toBe(true);
  expect(visitor.problems).toEqual([]);
});

test("the map is not drawn where the decision is Non-Cancer", async () => {
  await visitor.drop([{ name: "well.png", content: await headPng(240, 200) }]);
  await shown();
  expect(await visitor.text(".decision")).toBe("Non-Cancer");
  const evidence = visitor.page.getByRole("checkbox", { name: "Evidence for Cancer" });
  expect(await evidence.isChecked()).toBe(false);
  expect(await visitor.text(".viewer-tools")).toContain("Not drawn by itself");
  const coloured = () =>
    visitor.page.evaluate<number>(`(() => {
      const canvas = document.querySelector(".stage canvas");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let i = 0; i < data.length; i += 4) if (Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 8) count++;
      return count;
    })()`);
  expect(await coloured()).toBe(0);
});

test("16 bits are shown through a window: pixels that 8 bits cannot tell apart can be told apart", async () => {
  // A head whose halves differ by 8 of 65,536, which is nothing in 8 bits.
  const pixels = Uint16Array.from(headPixels(240, 200), (grey, i) =>
    grey > 60 && grey < 200 ? 30_000 + (i % 240 < 120 ? 0 : 8) : grey * 200,
  );
  const content = await sharp(pixels, { raw: { width: 240, height: 200, channels: 1 } })
    .toColourspace("grey16")
    .png()
    .toBuffer();
  await visitor.drop([{ name: "deep.png", content }]);
  await shown();
  expect(Math.abs((await seenAt(0.4, 0.3)).grey - (await seenAt(0.6, 0.3)).grey)).toBeLessThanOrEqual(1);
  const set = (label: string, value: number) =>
    visitor.page.locator("label.range", { hasText: label }).locator("input").fill(String(value));
  await set("Level", 30_004);
  await set("Width", 10);
  expect(await visitor.page.locator("label.range", { hasText: "Width 10" }).count()).toBe(1);
  expect((await seenAt(0.6, 0.3)).grey - (await seenAt(0.4, 0.3)).grey).toBeGreaterThan(150);
  expect(visitor.problems).toEqual([]);
});

test("zoom and pan: the place under the pointer stays, the picture can be moved, and fits again", async () => {
  await visitor.drop([{ name: "ill.png", content: await headPng(240, 200, SPOT) }]);
  await shown();
  const scale = async () => Number(await visitor.page.locator(".stage canvas").getAttribute("data-scale"));
  const fitted = await scale();
  const stage = (await visitor.page.locator(".stage").boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
  await visitor.page.mouse.move(stage.x + stage.width / 2, stage.y + stage.height / 2);
  await visitor.page.mouse.wheel(0, -100);
  expect(await scale()).toBeCloseTo(fitted * 1.25, 2);
  await visitor.page.locator(".stage").focus();
  await visitor.press("+", "+");
  expect(await scale()).toBeCloseTo(fitted * 1.25 ** 3, 2);
  const before = await seenAt(0.5, 0.5);
  await visitor.press("ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft");
  expect(await seenAt(0.5, 0.5)).not.toEqual(before);
  await visitor.press("0");
  expect(await scale()).toBe(fitted);
});

test("rows are there at once, and each says what is happening to it", async () => {
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  await visitor.page.route("**/v1/predictions", async (route) => {
    await held;
    await route.continue();
  });
  await visitor.drop((await twelve()).slice(0, 4));
  await visitor.page.locator("table.answers tbody tr").nth(3).waitFor();
  expect(await visitor.page.locator("table.answers tbody td:nth-child(2)").allTextContents()).toEqual(
    expect.arrayContaining(["Waiting"]),
  );
  expect(await visitor.page.locator("progress").count()).toBe(2);
  release();
  await answered(4);
});

test("what the server refuses is its sentence, and a busy one is asked again", async () => {
  state.refusals.push(
    new Problem(503, "busy", "The server has as many scans as it can take.", { "retry-after": "1" }),
    new Problem(422, "odd", "The scan <b>is odd</b>. Send another."),
  );
  await visitor.drop([{ name: "first.png", content: await headPng(240, 200, SPOT) }]);
  await visitor.page.locator(".reason", { hasText: "The scan <b>is odd</b>. Send another." }).waitFor();
  expect(await visitor.text("main")).not.toMatch(/422|503/);
  await visitor.page.getByRole("button", { name: "Send first.png again" }).click();
  await shown();
  expect(await visitor.text(".decision")).toBe("Cancer");
});

test("a server that is gone is a sentence, and so is one that answers in a way of its own", async () => {
  await visitor.page.route("**/v1/predictions", (route) => route.abort());
  await visitor.drop([{ name: "scan.png", content: await headPng(240, 200) }]);
  await visitor.page.locator(".reason", { hasText: /^The server does not answer/ }).waitFor();
  await visitor.page.unroute("**/v1/predictions");
  await visitor.page.route("**/v1/predictions", (route) => route.fulfill({ status: 502, body: "<html>bad gateway" }));
  await visitor.page.getByRole("button", { name: "Send scan.png again" }).click();
  await visitor.page.locator(".reason", { hasText: /failed \(HTTP 502\) and did not say why\. Try again/ }).waitFor();
});

test("the CSV has every row, and no cell that a spreadsheet takes for a formula", async () => {
  const content = await headPng(240, 200, SPOT);
  await visitor.drop([
    { name: '=HYPERLINK("http://x","y").png', content },
    { name: "a,b.png", content: await headPng(240, 200, SPOT, 1) },
    { name: "@broken.png", content: Buffer.from("x") },
  ]);
  await answered(3);
  const [download] = await Promise.all([
    visitor.page.waitForEvent("download"),
    visitor.page.getByRole("button", { name: "Download CSV" }).click(),
  ]);
  const lines = (await readFile((await download.path()) as string, "utf8")).split("\r\n");
  expect(lines).toHaveLength(5);
  expect(lines[0]).toMatch(/^file,decision,probability,/);
  expect(lines.slice(1, 4).sort()).toEqual([
    expect.stringMatching(/^"'=HYPERLINK\(""http:\/\/x"",""y""\)\.png",Cancer,0\.\d+,/),
    expect.stringMatching(/^"a,b\.png",Cancer,0\.\d+,/),
    expect.stringMatching(/^'@broken\.png,Refused,,/),
  ]);
});

test("samples can be tried, and are labelled as drawn", async () => {
  expect(await visitor.text(".samples")).toMatch(/Try 6 sample scans.*Drawn phantoms: no patient, and no evidence\./);
  await visitor.page.getByRole("button", { name: "Try 6 sample scans" }).click();
  await answered(6);
  expect(await names()).toContain("phantom-9-slices.tif");
  await visitor.page.getByRole("link", { name: "phantom-9-slices.tif" }).click();
  await shown();
  expect(await visitor.page.locator(".strip-bar").count()).toBe(9);
  expect(visitor.problems).toEqual([]);
});

test("admins promote and roll back after a question; others see no button, and a refusal is the server's sentence", async () => {
  await visitor.go("#/models/bright-spot-0002");
  await visitor.page.getByRole("button", { name: "Promote" }).click();
  const dialog = visitor.page.getByRole("dialog");
  expect(await dialog.textContent()).toMatch(/Let bright-spot-0002 answer from now on/);
  state.role = "viewer";
  await dialog.getByRole("button", { name: "Promote" }).click();
  await dialog.getByRole("alert").filter({ hasText: "Promotion is for admins." }).waitFor();
  state.role = "admin";
  await dialog.getByRole("button", { name: "Promote" }).click();
  await visitor.page.locator("h1 .tag", { hasText: "current" }).waitFor();
  expect(await visitor.text(".banner a")).toBe("bright-spot-0002");
  await visitor.go("#/models");
  await visitor.page.getByRole("button", { name: "Roll back" }).click();
  await visitor.page.getByRole("dialog").getByRole("button", { name: "Roll back" }).click();
  await visitor.page.locator(".banner a", { hasText: "bright-spot-0001" }).waitFor();

  state.role = "viewer";
  const other = await Visitor.open(browser, url);
  await other.go("#/models");
  await other.page.locator(".page table").waitFor();
  expect(await other.page.getByRole("button", { name: /Roll back|Promote/ }).count()).toBe(0);
  await other.close();
});

test("colours follow the switch before the system", async () => {
  const ground = () => visitor.page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
  const light = await ground();
  await visitor.page.getByLabel("Colours").selectOption("dark");
  expect(await ground()).not.toBe(light);
  await visitor.page.reload();
  expect(await ground()).not.toBe(light);
  await visitor.page.getByLabel("Colours").selectOption("light");
  expect(await ground()).toBe(light);
});
