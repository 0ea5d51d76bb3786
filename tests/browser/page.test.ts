import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { type Browser, chromium, type Page } from "playwright-core";
import sharp from "sharp";
import { openWorkspace } from "../../runtime/platform/workspace";
import { type RunningServer, serveWorkspace } from "../../runtime/serve";
import { BRIGHT_SPOT, headPixels, headPng } from "../support/bright-spot-model";
import { promote, storeModel } from "../support/served-model";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

let folder: string;
let server: RunningServer;
let browser: Browser;
let page: Page;
let consoleErrors: string[];
let foreignRequests: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "browser-"));
  const directory = join(folder, "workspace");
  server = await serveWorkspace({ workspace: directory, port: 0, log: pino({ level: "silent" }), refreshSeconds: 0.1 });
  const workspace = await openWorkspace(directory);
  await storeModel(workspace);
  const verdict = { fit: false, sentence: "Not fit for use: it is <b>a test</b>.", reasons: ["few-groups"] };
  await promote(workspace, BRIGHT_SPOT.id, { verdict });
  await workspace.close();
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
});

afterAll(async () => {
  await browser?.close();
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  page = await browser.newPage({ viewport: { width: 1100, height: 1000 }, reducedMotion: "reduce" });
  consoleErrors = [];
  foreignRequests = [];
  page.on("console", (message) => {
    if (message.type() === "error") consoleErrors.push(message.text());
  });
  page.on("pageerror", (error) => consoleErrors.push(error.message));
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "blob:" && origin !== server.url) foreignRequests.push(request.url());
  });
  await page.goto(server.url);
});

afterEach(async () => {
  expect(foreignRequests).toEqual([]);
  await page.close();
});

/** What happens when a person lets go of a file over the page. */
async function drop(name: string, type: string, content: Buffer): Promise<void> {
  // As text, because the tests are compiled without the browser's types.
  const transfer = await page.evaluateHandle(`(() => {
    const bytes = Uint8Array.from(atob("${content.toString("base64")}"), (character) => character.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], ${JSON.stringify(name)}, { type: ${JSON.stringify(type)} }));
    return transfer;
  })()`);
  await page.dispatchEvent("#drop", "dragenter", { dataTransfer: transfer });
  await page.dispatchEvent("#drop", "drop", { dataTransfer: transfer });
}

async function expectResult(label: string): Promise<void> {
  await page.locator("#result").waitFor({ state: "visible" });
  expect(await page.locator("#label").textContent()).toBe(label);
  expect(await page.locator("#probability").textContent()).toMatch(/^\d+\.\d %$/);
  expect(await page.locator("#disclaimer").textContent()).toMatch(/not for diagnostic use/i);
  expect(await page.locator("#status").textContent()).toContain(label);
  expect(await page.locator("#status").textContent()).toMatch(/^Of a model that is not fit for use: /);
  expect(await page.locator("#result-verdict").isVisible()).toBe(true);
  expect(await page.locator("#error").isVisible()).toBe(false);
  // The bar is as long as the probability says, and the mark stands at the threshold.
  const box = async (selector: string) => (await page.locator(selector).boundingBox()) ?? { x: 0, width: 0 };
  const [bar, fill, mark] = [await box(".bar"), await box("#fill"), await box("#threshold-mark")];
  const probability = Number.parseFloat((await page.locator("#probability").textContent()) ?? "");
  expect(Math.abs((100 * fill.width) / bar.width - probability)).toBeLessThan(1.5);
  expect((mark.x - bar.x) / bar.width).toBeCloseTo(BRIGHT_SPOT.threshold, 2);
  for (const picture of ["#original", "#overlay"]) {
    const size = await page
      .locator(picture)
      .evaluate((image) => [
        (image as unknown as { naturalWidth: number }).naturalWidth,
        (image as unknown as { naturalHeight: number }).naturalHeight,
      ]);
    expect(size).toEqual([240, 200]);
  }
}

const SPOT = { x: 130, y: 110, radius: 16 };

test("a PNG, a TIFF and a broken file: a result, a result and a plain error", async () => {
  await drop("ill.png", "image/png", await headPng(240, 200, SPOT));
  await expectResult("Cancer");
  expect(await page.locator("#facts").textContent()).toContain(BRIGHT_SPOT.id);
  if (process.env.SCREENSHOTS)
    await page.screenshot({ path: join(process.env.SCREENSHOTS, "result.png"), fullPage: true });

  const tiff = await sharp(headPixels(240, 200), { raw: { width: 240, height: 200, channels: 1 } })
    .tiff({ compression: "lzw" })
    .toBuffer();
  await drop("well.tif", "image/tiff", tiff);
  await page.locator("#label", { hasText: "Non-Cancer" }).waitFor();
  await expectResult("Non-Cancer");
  expect(consoleErrors).toEqual([]);

  await drop("broken <b>.png", "image/png", Buffer.from("this is no picture"));
  const error = page.locator("#error");
  await error.waitFor({ state: "visible" });
  expect(await error.textContent()).toMatch(/^broken <b>\.png: .*not.*\.$/s);
  expect(await error.getAttribute("role")).toBe("alert");
  expect(await page.locator("#result").isVisible()).toBe(false);
  // The browser itself notes every answer that is no success; nothing else went wrong.
  expect(consoleErrors).toEqual([expect.stringContaining("415")]);
  if (process.env.SCREENSHOTS)
    await page.screenshot({ path: join(process.env.SCREENSHOTS, "error.png"), fullPage: true });

  await drop("again.png", "image/png", await headPng(240, 200, SPOT, 3));
  await expectResult("Cancer");
});

test("a file can be chosen with the keyboard alone, and the page says that it is not for diagnosis", async () => {
  await page.locator("#model", { hasText: BRIGHT_SPOT.id }).waitFor();
  expect(await page.locator("main").textContent()).toMatch(/not for diagnostic use/i);
  expect(await page.locator("#synthetic").isVisible()).toBe(true);
  expect(await page.locator("#verdict").textContent()).toBe("Not fit for use: it is <b>a test</b>.");
  expect(await page.locator("#verdict").isVisible()).toBe(true);
  // Waiting begins before the keys, so that the browser knows by then that nobody will see its dialog.
  const dialog = page.waitForEvent("filechooser");
  await page.keyboard.press("Tab");
  expect(await page.evaluate("document.activeElement.id")).toBe("file");
  const path = join(folder, "chosen scan.png");
  await writeFile(path, await headPng(240, 200, SPOT));
  await page.keyboard.press("Enter");
  await (await dialog).setFiles(path);
  await expectResult("Cancer");
  expect(await page.locator("#file-name").textContent()).toBe("chosen scan.png");
  expect(consoleErrors).toEqual([]);
});

test("a server that is gone is a plain error", async () => {
  await page.route("**/v1/predictions", (route) => route.abort());
  await drop("scan.png", "image/png", await headPng(240, 200));
  await page.locator("#error").waitFor({ state: "visible" });
  expect(await page.locator("#error").textContent()).toMatch(/server does not answer/);
});
