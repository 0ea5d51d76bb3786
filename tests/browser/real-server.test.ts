import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import type { Browser } from "playwright-core";
import { openWorkspace } from "../../runtime/platform/workspace";
import { type RunningServer, serveWorkspace } from "../../runtime/serve";
import { startBrowser } from "../../tools/browser";
import { BRIGHT_SPOT } from "../support/bright-spot-model";
import { headPng } from "../support/head";
import { promote, storeModel } from "../support/served-model";
import { Visitor } from "./visitor";

let folder: string;
let server: RunningServer;
let browser: Browser;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "real-server-"));
  const directory = join(folder, "workspace");
  const workspace = await openWorkspace(directory);
  await storeModel(workspace);
  await promote(workspace, BRIGHT_SPOT.id, {
    verdict: { fit: false, sentence: "Not fit for use: it is <b>a test</b>.", reasons: ["few-groups"] },
  });
  await workspace.close();
  server = await serveWorkspace({ workspace: directory, port: 0, log: pino({ level: "silent" }), refreshSeconds: 0.1 });
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

test("against the server itself: samples and a scan answered, looked at, disagreed with, found in history and queue, model read", async () => {
  const visitor = await Visitor.open(browser, server.url);
  const { page } = visitor;
  expect(await visitor.text(".who")).toBe("local, admin");
  await page.getByRole("button", { name: "Try 6 sample scans" }).click();
  await visitor.drop([{ name: "ill.png", content: await headPng(240, 200, { x: 130, y: 110, radius: 16 }) }]);
  await page.locator(".side .between .hint", { hasText: "7 of 7 files" }).waitFor();
  expect(await page.locator(".reason").allTextContents()).toEqual([]);
  await page.getByRole("link", { name: "phantom-9-slices.tif" }).click();
  await page.locator("canvas[data-ready=yes]").waitFor();
  expect(await page.locator(".strip-bar").count()).toBe(9);
  await page.getByRole("link", { name: "ill.png" }).click();
  await page.locator("#answer-title", { hasText: "ill.png" }).waitFor();
  await page.locator("canvas[data-ready=yes]").waitFor();
  expect(await visitor.text(".decision")).toBe("Cancer");
  expect(
    await page
      .locator(".seen img")
      .evaluate("(image) => image.complete ? image.naturalWidth : image.decode().then(() => image.naturalWidth)"),
  ).toBe(128);
  await page.getByRole("radio", { name: "Disagree: Non-Cancer" }).check();
  await page.getByPlaceholder(/Comment/).fill("An artefact.");
  await page.getByRole("button", { name: "Send feedback" }).click();
  await page.locator(".feedback-list", { hasText: "An artefact." }).waitFor();
  await visitor.go("#/history");
  await page.locator("p[role=status]", { hasText: /^7 answers/ }).waitFor();
  await visitor.go("#/history/disagreements");
  await page.locator("p[role=status]", { hasText: /^1 disagreement,/ }).waitFor();
  await visitor.go("#/models");
  await page.locator(".page tbody a", { hasText: BRIGHT_SPOT.id }).click();
  await page
    .locator("main .note", { hasText: /Not fit for use|No evaluation/ })
    .first()
    .waitFor();
  await page.locator(".facts-row").waitFor();
  expect(visitor.problems).toEqual([]);
  await visitor.close();
});
