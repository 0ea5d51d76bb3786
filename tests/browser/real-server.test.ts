import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Browser } from "playwright-core";
import { openWorkspace } from "../../runtime/platform/workspace";
import { useBackend } from "../../runtime/tensorflow";
import { startBrowser } from "../../tools/browser";
import { BRIGHT_SPOT } from "../support/bright-spot-model";
import { headPng } from "../support/head";
import { promote, storeModel } from "../support/served-model";
import { Visitor } from "./visitor";

let folder: string;
let server: ChildProcess;
let url: string;
let browser: Browser;

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

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "real-server-"));
  const directory = join(folder, "workspace");
  await useBackend("wasm");
  const workspace = await openWorkspace(directory);
  await storeModel(workspace);
  await promote(workspace, BRIGHT_SPOT.id, {
    verdict: { fit: false, sentence: "Not fit for use: it is <b>a test</b>.", reasons: ["few-groups"] },
  });
  await workspace.close();
  ({ server, url } = await serve(directory));
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  server?.kill("SIGTERM");
  await rm(folder, { recursive: true, force: true });
});

test("against the server itself: samples and a scan answered, looked at, disagreed with, found in history and queue, model read", async () => {
  const visitor = await Visitor.open(browser, url);
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
  const seen = await page.locator(".seen img").evaluate(async (element) => {
    // The tests are compiled without the browser's types.
    const image = element as unknown as { decode(): Promise<void>; naturalWidth: number };
    await image.decode();
    return image.naturalWidth;
  });
  expect(seen).toBe(128);
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
