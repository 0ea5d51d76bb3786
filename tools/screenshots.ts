import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { BrowserContextOptions, Page } from "playwright-core";
import sharp from "sharp";
import { repositoryRoot } from "../constructs/core/repository";
import { startBrowser } from "./browser";
import { EXIT, ifMain, print, runTool, tool } from "./command";

const WIDE = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

/** A picture of the docs: how the page is opened, and what is done before it is taken. */
interface Shot {
  readonly name: string;
  readonly context: BrowserContextOptions;
  prepare(page: Page): Promise<void>;
}

const SHOTS: readonly Shot[] = [
  { name: "answer", context: { viewport: WIDE, colorScheme: "light" }, prepare: openStack },
  { name: "answer-dark", context: { viewport: WIDE, colorScheme: "dark" }, prepare: openStack },
  { name: "answer-phone", context: { viewport: PHONE, colorScheme: "light" }, prepare: openStack },
  {
    name: "history",
    context: { viewport: WIDE, colorScheme: "light" },
    async prepare(page) {
      await page.getByRole("link", { name: "History" }).click();
      await page.locator(".page tbody tr").first().waitFor();
    },
  },
  {
    name: "model",
    context: { viewport: WIDE, colorScheme: "light" },
    async prepare(page) {
      await page.locator(".banner a").click();
      await page.locator(".chart canvas").first().waitFor();
    },
  },
];

/** The samples, answered, and the one of many pages opened. */
async function openStack(page: Page): Promise<void> {
  await page.getByRole("button", { name: /sample scans/ }).click();
  await page
    .locator("table.answers tbody td:nth-child(2)", { hasText: /Waiting|Sending|Reading/ })
    .first()
    .waitFor();
  await page.waitForFunction(
    `![...document.querySelectorAll("table.answers tbody td:nth-child(2)")].some((cell) => /Waiting|Sending|Reading/.test(cell.textContent))`,
  );
  await page.getByRole("link", { name: "phantom-9-slices.tif" }).click();
  await page.locator("canvas[data-ready=yes]").waitFor();
}

/** Takes the pictures of the dashboard that the docs show, of drawn phantoms alone. */
export async function screenshots(args: readonly string[]): Promise<number> {
  const program = tool(
    "screenshots",
    "Takes the pictures of the dashboard for docs/images, of drawn phantoms and of the model of a workspace.",
  ).option("--out <dir>", "workspace with a model, of phantoms", ".workspace-phantoms");
  return runTool(
    program,
    async () => {
      const { out } = program.opts<{ out: string }>();
      const folder = join(repositoryRoot(), "docs", "images");
      mkdirSync(folder, { recursive: true });
      const { server, url } = await serve(out);
      try {
        const browser = await startBrowser();
        try {
          for (const { name, context, prepare } of SHOTS) {
            const page = await browser.newPage({ ...context, reducedMotion: "reduce", deviceScaleFactor: 1 });
            await page.goto(url);
            await page.locator(".banner-text").waitFor();
            await prepare(page);
            const file = join(folder, `${name}.png`);
            // Few colours, and much smaller for it.
            await sharp(await page.screenshot())
              .png({ palette: true, effort: 10 })
              .toFile(file);
            print(file);
            await page.close();
          }
        } finally {
          await browser.close();
        }
      } finally {
        server.kill("SIGTERM");
      }
      return EXIT.done;
    },
    args,
  );
}

/** Starts `serve` on a free port. @throws if it ends before it has said where */
async function serve(out: string): Promise<{ readonly server: ChildProcess; readonly url: string }> {
  const main = join(repositoryRoot(), "dist", "runtime", "cli", "main.js");
  const server = spawn(process.execPath, [main, "serve", "--out", out, "--port", "0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const said = (async () => {
    for await (const line of createInterface({ input: server.stdout })) {
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
      if (url) return url;
    }
    throw new Error(`serve did not start on ${out}. Make a workspace of phantoms first: npm run demo.`);
  })();
  return { server, url: await Promise.race([said, once(server, "exit").then(() => said)]) };
}

ifMain(module, screenshots);
