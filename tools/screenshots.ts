import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import sharp from "sharp";
import { repositoryRoot } from "../constructs/core/repository";
import { ConfigurationError } from "../runtime/platform/config";
import { startBrowser } from "./browser";
import { EXIT, ifMain, print, runTool, tool } from "./command";

const WIDE = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

const LOOKS = {
  wide: { viewport: WIDE, colorScheme: "light" },
  dark: { viewport: WIDE, colorScheme: "dark" },
  phone: { viewport: PHONE, colorScheme: "light" },
  "phone-dark": { viewport: PHONE, colorScheme: "dark" },
} as const satisfies Readonly<Record<string, BrowserContextOptions>>;

/** What of the page is shown, in the order of a visit. */
const SCENES: Readonly<Record<string, (page: Page) => Promise<unknown>>> = {
  answer: openStack,
  async history(page) {
    await page.getByRole("link", { name: "History" }).click();
    await page.locator(".page tbody tr").first().waitFor();
  },
  async model(page) {
    await page.locator(".banner a").click();
    await page.locator(".chart canvas").first().waitFor();
  },
  async monitoring(page) {
    await page.getByRole("link", { name: "Monitoring" }).click();
    await page.locator(".standing").waitFor();
  },
};

/** The pictures that the docs show; `--all` takes each scene in each look. */
const SHOWN = [
  "answer-wide",
  "answer-dark",
  "answer-phone",
  "history-wide",
  "model-wide",
  "model-phone-dark",
  "monitoring-wide",
];

/** The samples, answered, and the one of many pages opened. */
async function openStack(page: Page): Promise<void> {
  await page.getByRole("button", { name: /sample scans/ }).click();
  // As long as it takes: the machine may have other work.
  await page.locator(".side .between .hint", { hasText: /^(\d+) of \1 files$/ }).waitFor({ timeout: 0 });
  await page.getByRole("link", { name: "phantom-9-slices.tif" }).click();
  await page.locator("canvas[data-ready=yes][data-map=yes]").waitFor();
  await page.locator(".seen img").evaluate(async (image) => {
    // The tools are compiled without the browser's types.
    await (image as unknown as { decode(): Promise<void> }).decode();
  });
}

/** Takes the pictures of the dashboard that the docs show, of drawn phantoms alone. */
export async function screenshots(args: readonly string[]): Promise<number> {
  const program = tool(
    "screenshots",
    "Takes the pictures of the dashboard for docs/images, of drawn phantoms and of the model of a workspace.",
  )
    .option(
      "--out <dir>",
      "workspace with a model, of phantoms; the samples' answers are kept there",
      ".workspace-phantoms",
    )
    .option("--to <dir>", "where the pictures go", join(repositoryRoot(), "docs", "images"))
    .option("--all", "every room at every size in both colours, to be looked at");
  return runTool(
    program,
    async () => {
      const { out, to, all } = program.opts<{ out: string; to: string; all?: true }>();
      const about = join(out, "workspace.json");
      if (existsSync(about) && JSON.parse(readFileSync(about, "utf8")).drawn === false)
        throw new ConfigurationError("The command", [
          `${out} holds scans, and its history would stand in the docs. Give a workspace of phantoms.`,
        ]);
      mkdirSync(to, { recursive: true });
      const { server, url } = await serve(out);
      try {
        const browser = await startBrowser();
        try {
          for (const [look, context] of Object.entries(LOOKS))
            await visit(browser, url, context, async (scene, page) => {
              const name = `${scene}-${look}`;
              if (!all && !SHOWN.includes(name)) return;
              const file = join(to, `${name}.png`);
              // Few colours, and much smaller for it.
              await sharp(await page.screenshot())
                .png({ palette: true, effort: 10 })
                .toFile(file);
              print(file);
            });
        } finally {
          await browser.close();
        }
      } finally {
        // It has ended before this does: it may still write into the workspace.
        const ended = once(server, "exit");
        server.kill("SIGTERM");
        await ended;
      }
      return EXIT.done;
    },
    args,
  );
}

/** Goes through the scenes as one visitor. */
async function visit(
  browser: Browser,
  url: string,
  context: BrowserContextOptions,
  take: (scene: string, page: Page) => Promise<void>,
): Promise<void> {
  const page = await browser.newPage({ ...context, reducedMotion: "reduce", deviceScaleFactor: 1 });
  await page.goto(url);
  await page.locator(".banner-text").waitFor();
  for (const [scene, prepare] of Object.entries(SCENES)) {
    await prepare(page);
    await take(scene, page);
  }
  await page.close();
}

/** Starts `serve` on a free port. @throws if it ends before it has said where */
async function serve(out: string): Promise<{ readonly server: ChildProcess; readonly url: string }> {
  const main = join(repositoryRoot(), "dist", "runtime", "cli", "main.js");
  const server = spawn(process.execPath, [main, "serve", "--out", out, "--port", "0"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, LOG_LEVEL: process.env.LOG_LEVEL ?? "warn" },
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
