import type { FastifyInstance } from "fastify";
import type { Browser } from "playwright-core";
import { Problem } from "../../runtime/serve/problem";
import { startBrowser } from "../../tools/browser";
import { headPng } from "../support/head";
import { type FixtureState, fixtureApi } from "./fixture-api";
import { SIZES, SPOT } from "./scans";
import { Visitor } from "./visitor";

let app: FastifyInstance;
let state: FixtureState;
let url: string;
let browser: Browser;

beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
});
beforeEach(async () => {
  ({ app, state } = fixtureApi());
  url = await app.listen({ port: 0, host: "127.0.0.1" });
});
afterEach(() => app.close());

const LOOKS = Object.entries(SIZES).flatMap(([size, viewport]) =>
  (["light", "dark"] as const).map((colorScheme) => ({ size, viewport, colorScheme })),
);

/** Somebody who has sent a scan and sees its answer. */
async function looking(options: Parameters<typeof Visitor.open>[2] = {}): Promise<Visitor> {
  const visitor = await Visitor.open(browser, url, options);
  await visitor.drop([{ name: "ill.png", content: await headPng(240, 200, SPOT) }]);
  await visitor.page.locator(".answer .similar").waitFor();
  return visitor;
}

/** Opens the similar scans as one does without a mouse. */
async function open(visitor: Visitor): Promise<void> {
  await visitor.tabTo(".similar > summary");
  await visitor.press("Enter");
}

/** Waits for all of them: what is out of sight is asked for when it is scrolled to. */
async function pictures({ page }: Visitor): Promise<void> {
  await page.locator(".similar-scans li").nth(5).scrollIntoViewIfNeeded();
  await page.locator(".similar-scans .hint", { hasText: "cannot be shown" }).waitFor();
  const widths = await page.evaluate<number[]>(`Promise.all(
    [...document.querySelectorAll(".similar-scans img")].map(async (image) => {
      image.scrollIntoView();
      await image.decode();
      return image.naturalWidth;
    }),
  )`);
  expect(widths).toEqual([128, 128, 128, 128, 128]);
}

test.each(LOOKS)(
  "similar scans by keyboard, $size and $colorScheme: pictures with labels, how many are Cancer, nothing for axe and nothing wider than the window",
  async ({ viewport, colorScheme }) => {
    const visitor = await looking({ viewport, colorScheme });
    // Nobody's scans are shown, or looked for, before somebody wants to see them.
    expect(await visitor.page.locator(".similar-scans").count()).toBe(0);
    await open(visitor);
    await pictures(visitor);
    expect(await visitor.page.locator(".similar-scans li").allTextContents()).toEqual([
      "Non-Cancer likeness 0.900",
      "Cancer likeness 0.800, the model learnt from it",
      "Cancer likeness 0.700",
      "Non-Cancer likeness 0.600",
      "Cancer likeness 0.500",
      "Its picture cannot be shown.Cancer likeness 0.400",
    ]);
    expect(await visitor.text(".agreement")).toBe(
      "13 of the 20 most similar scans are Cancer by the labels that people gave them; of all labelled scans here 50 % are. This is a count of cases, not a probability. On test scans this count alone ranked a Cancer scan above a Non-Cancer one 87 times in 100 (AUC 0.87, 95 % 0.81 to 0.92).",
    );
    expect(await visitor.text(".similar")).toContain(
      "Compared by what the model saw with all labelled scans here (1,234). 3 were left out: the same picture, or of the same patient.",
    );
    expect({ found: await visitor.axe(), overflow: await visitor.overflow() }).toEqual({ found: [], overflow: 0 });
    // Each can be looked at alone, by keyboard too.
    await visitor.tabTo(".similar-scans li:nth-child(2) a");
    // What the browser notes of the picture that is damaged, and nothing else.
    expect(visitor.problems.filter((problem) => !/status of 500/.test(problem))).toEqual([]);
    await visitor.close();
  },
);

test("who opened them for one answer sees them for the next", async () => {
  const visitor = await looking();
  await open(visitor);
  await pictures(visitor);
  await visitor.drop([{ name: "well.png", content: await headPng(240, 200) }]);
  await visitor.page.getByRole("link", { name: "well.png" }).click();
  await visitor.page.locator("#answer-title", { hasText: "well.png" }).waitFor();
  await pictures(visitor);
  await visitor.close();
});

test("a viewer sees labels and no picture, and none is asked for", async () => {
  state.role = "viewer";
  const visitor = await looking();
  const asked: string[] = [];
  visitor.page.on("request", (request) => {
    if (/\/v1\/scans\/(\d)\1{63}\//.test(request.url())) asked.push(request.url());
  });
  await open(visitor);
  await visitor.page.locator(".similar-scans li").nth(5).waitFor();
  expect(await visitor.page.locator(".similar-scans img").count()).toBe(0);
  expect(await visitor.text(".similar")).toContain(
    "Your role is viewer: pictures of other patients' scans are shown to clinicians.",
  );
  expect([await visitor.axe(), asked]).toEqual([[], []]);
  await visitor.close();
});

test("where none can be looked for, the server's sentence says why, and one can try again", async () => {
  state.similarProblem = new Problem(409, "no-features", "No labelled scan has features yet: npm run score.");
  const visitor = await looking();
  await open(visitor);
  await visitor.page.locator(".similar .failure", { hasText: "No labelled scan has features yet" }).waitFor();
  expect(await visitor.axe()).toEqual([]);
  state.similarProblem = undefined;
  await visitor.tabTo(".similar .failure button");
  await visitor.press("Enter");
  await pictures(visitor);
  await visitor.close();
});
