import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sourceCommit } from "../../../runtime/platform/source-commit";
import { html, outlineOf, renderPage, table } from "../../../runtime/report";
import { FONT, TOKENS } from "../../../runtime/report/tokens";

const ROOT = join(__dirname, "../../..");
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "report-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("pages that stand alone have the dashboard's colours, on light and on dark, and its type", async () => {
  const css = await readFile(join(ROOT, "web/app.css"), "utf8");
  const declared = [...css.matchAll(/^ {2}--([\w-]+): light-dark\((#\w+), (#\w+)\);$/gm)].map(
    ([, name, light, dark]) => [name, [light, dark]] as const,
  );
  expect(declared.length).toBeGreaterThan(15);
  const own: Readonly<Record<string, readonly [string, string]>> = TOKENS;
  const theirs = Object.fromEntries(declared);
  for (const [name, shades] of Object.entries(own)) expect([name, theirs[name]]).toEqual([name, shades]);
  expect(css.replace(/\s+/g, " ")).toContain(FONT);
});

test("whatever is put into a page is text, unless it was made as HTML", () => {
  const evil = `<script>alert("1")</script>' onload='x' & \u0000\u0007`;
  const page = renderPage({
    title: evil,
    kicker: evil,
    heading: evil,
    notices: [{ content: evil }],
    facts: [[evil, evil]],
    sections: [
      {
        id: "a",
        title: evil,
        content: table(evil, [{ head: evil }, { head: evil }], [{ id: evil, cells: [evil, evil] }]),
      },
    ],
    contents: [{ href: evil, title: evil }],
  });
  expect(page).not.toMatch(/<script|["']\s*onload=/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are looked for
  expect(page).not.toMatch(/[\u0000\u0007]/);
  expect(html`${[html`<b>${"<"}</b>`, undefined, 1, "&"]}`.text).toBe("<b>&lt;</b>1&amp;");
});

test("a page lets nothing in, and no style but its own", () => {
  const parts = { kicker: "", heading: "", notices: [], facts: [], sections: [] };
  const policy = (text: string) =>
    /Content-Security-Policy" content="([^"]*)"/.exec(text)?.[1]?.replaceAll("&#39;", "'");
  const alone = policy(renderPage({ title: "", ...parts }));
  expect(alone).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/=]+'; img-src data:; /);
  expect(alone).not.toMatch(/unsafe|http|\*/);
  expect(policy(renderPage({ title: "", ...parts, picturesBeside: true }))).toMatch(/img-src 'self' file:;/);
});

describe("outlines", () => {
  const disc = (width: number, height: number, x: number, y: number, radius: number) =>
    Uint8Array.from({ length: width * height }, (_, i) =>
      Math.hypot((i % width) + 0.5 - x, Math.floor(i / width) + 0.5 - y) < radius ? 1 : 0,
    );
  const points = (path = "") =>
    [...path.matchAll(/([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)] as const);

  test.each([
    [200, 160, 110, 80, 14],
    [600, 400, 180, 220, 60],
    [60, 900, 30, 700, 20],
  ])("of a disc in %i x %i pixels runs along its border", (width, height, x, y, radius) => {
    const outline = outlineOf(disc(width, height, x, y, radius), width, height);
    expect(outline).toMatchObject({ width, height });
    expect(outline?.path.match(/M/g)).toHaveLength(1);
    const cell = Math.max(1, Math.max(width, height) / 256);
    const border = points(outline?.path);
    expect(border.length).toBeGreaterThan(12);
    for (const [px, py] of border) expect(Math.abs(Math.hypot(px - x, py - y) - radius)).toBeLessThan(1.5 * cell);
  });

  test("a ring has two, two lesions have two, cells that touch at a corner are closed, and nothing has none", () => {
    const [large, small] = [disc(100, 100, 50, 50, 30), disc(100, 100, 50, 50, 15)];
    const ring = large.map((set, i) => set - (small[i] as number));
    const loops = (mask: Uint8Array, width: number, height: number) =>
      outlineOf(mask, width, height)?.path.match(/M[^M]+Z/g);
    expect(loops(ring, 100, 100)).toHaveLength(2);
    const [here, there] = [disc(100, 100, 20, 20, 8), disc(100, 100, 70, 70, 8)];
    const two = here.map((set, i) => set + (there[i] as number));
    expect(loops(two, 100, 100)).toHaveLength(2);
    expect(loops(Uint8Array.of(1, 0, 0, 1), 2, 2)?.length).toBeGreaterThan(0);
    expect(outlineOf(new Uint8Array(100), 10, 10)).toBeUndefined();
  });

  test("a mask thinner than the grid is still seen, and one of noise does not become endless", () => {
    const thin = new Uint8Array(600 * 600);
    for (let y = 100; y < 500; y++) thin[y * 600 + 300] = 1;
    expect(points(outlineOf(thin, 600, 600)?.path).length).toBeGreaterThan(3);
    // Cells of the finest grid, of which every other one is set.
    const noise = Uint8Array.from({ length: 256 * 256 }, (_, i) => (i + Math.floor(i / 256)) % 2);
    expect(outlineOf(noise, 256, 256)?.path.length).toBeLessThan(10_000);
    const specks = Uint8Array.from({ length: 512 * 512 }, (_, i) => ((i * 2_654_435_761) % 7 === 0 ? 1 : 0));
    expect(outlineOf(specks, 512, 512)?.path.length).toBeLessThan(10_000);
  });
});

describe("the commit of the code", () => {
  const git = (where: string, ...args: readonly string[]) =>
    execFileSync("git", ["-C", where, "-c", "user.name=a", "-c", "user.email=a@b", ...args], {
      encoding: "utf8",
    }).trim();
  const program = async (name: string) => {
    const root = join(folder, name);
    await mkdir(join(root, "runtime/platform"), { recursive: true });
    await writeFile(join(root, "package-lock.json"), "{}");
    return { root, from: join(root, "runtime/platform") };
  };

  test("is that of the program's own repository, and says what was changed since", async () => {
    const { root, from } = await program("own");
    git(root, "init", "--quiet");
    git(root, "add", ".");
    git(root, "commit", "--quiet", "-m", "a");
    const commit = git(root, "rev-parse", "--short=12", "HEAD");
    expect(await sourceCommit(from)).toBe(commit);
    process.env.GIT_DIR = join(ROOT, ".git");
    try {
      expect(await sourceCommit(from)).toBe(commit);
    } finally {
      delete process.env.GIT_DIR;
    }
    await writeFile(join(root, "package-lock.json"), "{ }");
    expect(await sourceCommit(from)).toBe(`${commit}, with changes that are not committed`);
  });

  test("is not known without a repository, in another one's, in a bundle, or where nothing was committed", async () => {
    const around = join(folder, "around");
    await mkdir(around);
    git(around, "init", "--quiet");
    await writeFile(join(around, "a"), "a");
    git(around, "add", ".");
    git(around, "commit", "--quiet", "-m", "a");
    expect(await sourceCommit((await program("around/node_modules/stack")).from)).toBeUndefined();
    expect(await sourceCommit((await program("none")).from)).toBeUndefined();
    const bundle = join(folder, "bundle");
    await mkdir(bundle);
    expect(await sourceCommit(bundle)).toBeUndefined();
    const { root, from } = await program("empty");
    git(root, "init", "--quiet");
    expect(await sourceCommit(from)).toBeUndefined();
  });
});
