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
import { SIZES, SPOT, twelve } from "./scans";
import { Visitor } from "./visitor";

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

const answered = (n: number) =>
  visitor.page.locator(".side .between .hint", { hasText: `${n} of ${n} files` }).waitFor();
const mapped = () => visitor.page.locator("canvas[data-map=yes]").waitFor();
const shown = () => visitor.page.locator("canvas[data-ready=yes]").waitFor();
const names = () => visitor.page.locator("table.answers tbody th").allTextContents();

const seenAt = (x: number, y: number) => visitor.seenAt(x, y);

test("a real folder is dropped: all of its files, however many and however deep, in the order of their names", async () => {
  const data = join(folder, "dropped");
  const [many, deep] = [join(data, "many"), join(data, "a", "b", "c")];
  await mkdir(many, { recursive: true });
  await mkdir(deep, { recursive: true });
  // A browser gives the entries of a folder a hundred at a time. They are refused at once, which is an answer too.
  const bad = Array.from({ length: 230 }, (_, i) => `${i + 1}.png`);
  for (const name of bad) await writeFile(join(many, name), `no picture ${name}`);
  await writeFile(join(deep, "ill.png"), await headPng(240, 200, SPOT));
  await writeFile(join(data, "well.png"), await headPng(240, 200));
  for (const left of [".DS_Store", "Thumbs.db", "a/.hidden"]) await writeFile(join(data, left), "left by a system");
  const beside = join(folder, "beside.png");
  await writeFile(beside, await headPng(240, 200, SPOT, 1));
  await visitor.dropPaths([data, beside]);
  await answered(233);
  expect((await names()).map((name) => name.replace(/^dropped\//, ""))).toEqual([
    "beside.png",
    "a/b/c/ill.png",
    ...bad.map((name) => `many/${name}`),
    "well.png",
  ]);
  expect(await visitor.page.locator("table.answers td.tone-cancer").count()).toBe(2);
});

test("what lies beside the scans in a data folder is left out, and said", async () => {
  const data = join(folder, "data");
  for (const part of ["Cancer", "masks"]) await mkdir(join(data, part), { recursive: true });
  const ill = await headPng(240, 200, SPOT);
  for (const name of ["Cancer/1.png", "masks/1.png", "manifest.csv"]) await writeFile(join(data, name), ill);
  // Elsewhere such a name says nothing.
  await mkdir(join(data, "Cancer", "masks"));
  await writeFile(join(data, "Cancer", "masks", "2.png"), await headPng(240, 200, SPOT, 1));
  await visitor.dropPaths([data]);
  await answered(2);
  expect(await names()).toEqual(["data/Cancer/1.png", "data/Cancer/masks/2.png"]);
  expect(await visitor.text(".intake")).toContain("Left out: 2 files (lesion masks, manifest.csv) beside the scans.");
});

test("an empty folder is a sentence", async () => {
  const empty = join(folder, "empty");
  await mkdir(empty);
  await visitor.dropPaths([empty]);
  await visitor.page.locator(".intake .failure", { hasText: "There is no file in what was dropped." }).waitFor();
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
          ["#/monitoring", ".chart canvas"],
          ["#/monitoring/bright-spot-0002", ".standing"],
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

/** How many pixels of the canvas are coloured. */
const coloured = () =>
  visitor.page.evaluate<number>(`(() => {
    const canvas = document.querySelector(".stage canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) if (Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 8) count++;
    return count;
  })()`);

/** From now on the evidence is as strong as can be at every place that the model was shown, or at every place. */
const evidenceEverywhere = (ofPage = false) =>
  visitor.page.route("**/map", async (route) => {
    const map = await (await route.fetch({ maxRetries: 3 })).json();
    const { width, height } = map;
    const foreground = ofPage ? { x: 0, y: 0, width, height } : map.foreground;
    await route.fulfill({ json: { ...map, values: map.values.map(() => 1), foreground } });
  });

test("the answer's reports open by keys, and each is a file to be had", async () => {
  await visitor.drop([{ name: "ill.png", content: await headPng(240, 200, SPOT) }]);
  await shown();
  const link = visitor.page.locator(".report-menu a");
  expect(await link.first().isVisible()).toBe(false);
  await visitor.tabTo(".report-menu summary");
  await visitor.page.keyboard.press("Enter");
  await link.first().waitFor();
  expect(await visitor.axe()).toEqual([]);
  const paths: string[] = [];
  for (const _ of [1, 2, 3, 4]) {
    await visitor.page.keyboard.press("Tab");
    paths.push(
      await visitor.page.evaluate<string>(
        "document.activeElement.hasAttribute('download') && document.activeElement.getAttribute('href')",
      ),
    );
  }
  expect(paths.map((path) => path.replace(/^\/v1\/predictions\/[0-9a-f]{64}\//, ""))).toEqual(
    ["fhir", "hl7", "sr", "sc"].map((format) => `report?format=${format}`),
  );
});

test("where the decision is Non-Cancer, map and mark are not drawn unless asked for", async () => {
  await evidenceEverywhere();
  await visitor.drop([{ name: "well.png", content: await headPng(240, 200) }]);
  await shown();
  expect(await visitor.text(".decision")).toBe("Non-Cancer");
  const evidence = visitor.page.getByRole("checkbox", { name: "Evidence for Cancer" });
  const mark = visitor.page.getByRole("checkbox", { name: "Strongest place" });
  expect([await evidence.isChecked(), await mark.isChecked()]).toEqual([false, false]);
  expect(await visitor.text(".viewer-tools")).toContain("Not drawn by itself");
  expect(await coloured()).toBe(0);
  await evidence.check();
  await mapped();
  expect(await visitor.text(".viewer-tools")).not.toContain("Not drawn by itself");
  expect(await coloured()).toBeGreaterThan(10_000);
  await evidence.uncheck();
  expect(await coloured()).toBe(0);
  await mark.check();
  expect(await coloured()).toBeGreaterThan(50);
});

test("the map fades towards the edge of what the model was shown, and ends with the page where that does", async () => {
  await evidenceEverywhere();
  // On black, so that all that is seen is the map: a head in the middle of much nothing, and then one that fills its page.
  const [width, height] = [400, 300];
  const small = { input: await headPng(160, 160, { x: 80, y: 80, radius: 16 }), left: 60, top: 70 };
  const content = await sharp({ create: { width, height, channels: 3, background: "black" } })
    .composite([small])
    .png()
    .toBuffer();
  await visitor.drop([{ name: "small.png", content }]);
  await mapped();
  await visitor.page.getByRole("checkbox", { name: "Strongest place" }).uncheck();
  await visitor.page.locator("label.range", { hasText: "Opacity" }).locator("input").fill("100");
  const line = (share: "x" | "y", at: number) =>
    visitor.page.evaluate<number[]>(`(() => {
      const canvas = document.querySelector(".stage canvas");
      const along = ${JSON.stringify(share)} === "x";
      const at = Math.round(${at} * (along ? canvas.height : canvas.width));
      const { data } = canvas.getContext("2d").getImageData(along ? 0 : at, along ? at : 0, along ? canvas.width : 1, along ? 1 : canvas.height);
      return Array.from({ length: data.length / 4 }, (_, i) => data[4 * i] - data[4 * i + 2]);
    })()`);
  const steepest = (values: readonly number[]) =>
    Math.max(...values.slice(1).map((value, i) => Math.abs(value - (values[i] as number))));
  // Red less blue: nothing outside, the strongest colour (252, 255, 164) in the middle, and no step between.
  const across = await line("x", 0.5);
  expect([across[0], across.at(-1)]).toEqual([0, 0]);
  expect(Math.max(...across)).toBeGreaterThan(80);
  expect(steepest(across)).toBeLessThan(8);
  expect(steepest(await line("y", 0.35))).toBeLessThan(8);

  await evidenceEverywhere(true);
  await visitor.drop([{ name: "full.png", content: await headPng(240, 200, SPOT) }]);
  await visitor.page.getByRole("link", { name: "full.png" }).click();
  await visitor.page.locator("#answer-title", { hasText: "full.png" }).waitFor();
  await mapped();
  await visitor.page.locator("label.range", { hasText: "Opacity" }).locator("input").fill("100");
  // The page is fitted by its height: its upper and its lower edge are the canvas's.
  const down = await line("y", 0.5);
  expect(Math.min(down[1] as number, down.at(-2) as number)).toBeGreaterThan(80);
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
  // The verdict on a model that does not answer is its page's; that on the one that does is the banner's.
  await visitor.page.locator("main .note", { hasText: "Not fit for use: it is <b>a test</b>." }).waitFor();
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
  expect(await visitor.page.locator("main .note").count()).toBe(0);
  await visitor.go("#/models");
  await visitor.page.getByRole("button", { name: "Roll back" }).click();
  await visitor.page.getByRole("dialog").getByRole("button", { name: "Roll back" }).click();
  await visitor.page.locator(".banner a", { hasText: "bright-spot-0001" }).waitFor();

  state.role = "viewer";
  const other = await Visitor.open(browser, url);
  await other.go("#/models");
  await other.page.getByRole("table", { name: "Models, the newest first" }).waitFor();
  expect(await other.page.getByRole("button", { name: /Roll back|Promote/ }).count()).toBe(0);
  await other.close();
});

test("a model on trial is shown with its share, what the test says so far and the commands that go on with it; one that is over with its end", async () => {
  await visitor.go("#/models");
  const trial = visitor.page.getByRole("region", { name: "On trial" });
  await trial.waitFor();
  expect(await trial.textContent()).toMatch(
    /bright-spot-0002 answers 10 % of the requests beside bright-spot-0001 since 2026-11-2\d \d\d:\d\d;/,
  );
  const findings = trial.getByRole("table", { name: /^What the change plan's test said at 2026-11-/ });
  expect(await findings.locator("tbody tr").allTextContents()).toEqual([
    expect.stringMatching(/^canary\.agreementnot shown yetScans that the two models/),
    expect.stringMatching(/^canary\.errorsheld.*<b>shown<\/b>/),
  ]);
  const next = trial.getByRole("note", { name: "What to do next" });
  expect(await next.textContent()).toMatch(/^Wait for more scans/);
  expect(await next.locator("code").allTextContents()).toEqual([
    "npm run models -- canary advance",
    "npm run models -- canary abort",
  ]);
  expect(await visitor.page.locator("tr", { hasText: "bright-spot-0002" }).last().textContent()).toContain("on trial");
  // Keys reach what it names.
  await visitor.tabTo("section a[href='#/models/bright-spot-0002']");

  const running = state.canary;
  if (!running) throw new Error("The fixture has none on trial.");
  state.canary = { ...running, state: "rolled-back", share: 0, next: null, reason: "It is taken back. It is slow." };
  await visitor.go("#/history");
  await visitor.go("#/models");
  const over = visitor.page.getByRole("region", { name: "Tried out last" });
  await over.waitFor();
  expect(await over.textContent()).toMatch(/taken back by the change plan\.It is taken back\. It is slow\./);
  expect(await over.getByRole("note").count()).toBe(0);
  expect(await visitor.page.locator("tr .tag", { hasText: "on trial" }).count()).toBe(0);
  expect(await visitor.axe()).toEqual([]);
  state.canary = null;
  await visitor.go("#/history");
  await visitor.go("#/models");
  await visitor.page.locator(".page table").waitFor();
  expect(await visitor.page.getByRole("region", { name: /trial|Tried/ }).count()).toBe(0);
});

test("the history of a day is that of the visitor's day, the last day included", async () => {
  const far = await Visitor.open(browser, url, { timezoneId: "Pacific/Auckland" });
  await far.drop([{ name: "ill.png", content: await headPng(240, 200, SPOT) }]);
  await far.page.locator("#answer-title").waitFor();
  await far.go("#/history");
  const said = (text: RegExp) => far.page.locator("p[role=status]", { hasText: text }).waitFor();
  const day = async (from: string, to: string) => {
    await far.page.getByLabel("From").fill(from);
    await far.page.getByLabel("To", { exact: true }).fill(to);
  };
  const today = await far.page.evaluate<string>(`new Date().toLocaleDateString("sv")`);
  await day(today, today);
  await said(/^1 answer,/);
  const asked = far.page.waitForRequest(/&from=2026-02.*&to=2026-03/);
  await day("2026-03-01", "2026-03-01");
  const { searchParams } = new URL((await asked).url());
  expect([searchParams.get("from"), searchParams.get("to")]).toEqual([
    "2026-02-28T11:00:00.000Z",
    "2026-03-01T11:00:00.000Z",
  ]);
  await said(/^No answer fits/);
  expect(far.problems).toEqual([]);
  await far.close();
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
