import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  claimWorkspace,
  folderSource,
  phantomSeed,
  phantomSource,
  readWorkspaceData,
  type WorkspaceData,
} from "../../../runtime/cli/workspace-data";
import { openInput } from "../../../runtime/intake";
import { drawPhantomFolder, PHANTOM_COLLECTION } from "../../../runtime/phantom";
import { isWithin, realPlace } from "../../../runtime/platform/places";

let root: string;
let out: string;
beforeEach(() => {
  root = realPlace(mkdtempSync(join(tmpdir(), "workspace-data-")));
  out = join(root, "workspace");
  mkdirSync(out);
});
afterEach(() => rmSync(root, { recursive: true }));

function folder(name: string, files: Record<string, string>): string {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(root, name, path, ".."), { recursive: true });
    writeFileSync(join(root, name, path), content);
  }
  return join(root, name);
}
const scans = (name: string) => folder(name, { "Cancer/a.png": name, "Non-Cancer/b.png": name });
const drawn = (name: string) =>
  folder(name, { "Cancer/p.png": name, "manifest.csv": `path,source\nCancer/p.png,${PHANTOM_COLLECTION}\n` });
const source = async (data: string, limit?: number) => folderSource(out, await openInput(data), limit);
const written = () => JSON.parse(readFileSync(join(out, "workspace.json"), "utf8")) as WorkspaceData;
/** What an earlier version left: files that have landed, and no word of where they came from. */
const landed = (...names: string[]) => {
  for (const name of names) cpSync(join(root, name), join(out, "landing"), { recursive: true });
};

describe("a workspace", () => {
  test("remembers the folder that was put in, takes it again, and no other one", async () => {
    const [one, two] = [scans("one"), scans("two")];
    expect(await readWorkspaceData(out)).toBeUndefined();
    await claimWorkspace(out, await source(one), false);
    const first = written();
    expect(first).toEqual({ drawn: false, data: [{ folder: one, at: expect.stringMatching(/^\d{4}-.*Z$/) }] });
    await claimWorkspace(out, await source(`${one}/../one/`), false);
    symlinkSync(one, join(root, "link"));
    await claimWorkspace(out, await source(join(root, "link")), false);
    expect(written()).toEqual(first);
    await expect(claimWorkspace(out, await source(two), false)).rejects.toThrow(
      new RegExp(
        `holds the scans of ${one}, not those of ${two}. Give another workspace with --out DIR; or repeat the command with --add`,
      ),
    );
    expect(written()).toEqual(first);
    await claimWorkspace(out, await source(two, 7), true);
    expect(written().data).toEqual([first.data[0], { folder: two, limit: 7, at: expect.any(String) }]);
    await claimWorkspace(out, await source(two), false);
    expect(written().data.map(({ folder, limit }) => [folder, limit])).toEqual([
      [one, undefined],
      [two, undefined],
    ]);
    expect(readdirSync(out)).toEqual(["workspace.json"]);
  });

  test("holds phantoms or scans, never both, whoever asks", async () => {
    const [people, phantoms] = [scans("people"), drawn("phantoms-of-mine")];
    await claimWorkspace(out, await source(people), false);
    for (const add of [false, true]) {
      await expect(claimWorkspace(out, phantomSource(0, undefined), add)).rejects.toThrow(/never share a workspace/);
      await expect(claimWorkspace(out, await source(phantoms), add)).rejects.toThrow(/never share a workspace/);
    }
    expect(written().data).toHaveLength(1);
    out = join(root, "other");
    mkdirSync(out);
    await claimWorkspace(out, phantomSource(3, 20), false);
    expect(written()).toMatchObject({ drawn: true, data: [{ folder: "phantoms/seed-3", seed: 3, limit: 20 }] });
    for (const add of [false, true]) {
      await expect(claimWorkspace(out, await source(people), add)).rejects.toThrow(
        `holds drawn phantoms, and ${people} holds scans`,
      );
    }
  });

  test("keeps to one seed of phantoms unless told otherwise, also where it is moved", async () => {
    await claimWorkspace(out, phantomSource(3, undefined), false);
    await expect(claimWorkspace(out, phantomSource(4, undefined), false)).rejects.toThrow(
      /holds phantoms of seed 3, not phantoms of seed 4[\s\S]*--add/,
    );
    expect(await phantomSeed(out)).toBe(3);
    const moved = join(root, "moved");
    cpSync(out, moved, { recursive: true });
    await claimWorkspace(moved, phantomSource(3, undefined), false);
    await claimWorkspace(moved, phantomSource(4, undefined), true);
    out = moved;
    expect(written().data.map(({ seed }) => seed)).toEqual([3, 4]);
    // The drawn folder given by its own name is the same one.
    folder("moved/phantoms/seed-3", {
      "Cancer/p.png": "p",
      "manifest.csv": `path,source\nCancer/p.png,${PHANTOM_COLLECTION}\n`,
    });
    await claimWorkspace(moved, await source(join(moved, "phantoms", "seed-3")), false);
    expect(written().data).toHaveLength(2);
  });

  test("that two claim at once belongs to one of them, and its file is whole", async () => {
    const sources = await Promise.all(["one", "two", "three"].map((name) => source(scans(name))));
    const outcomes = await Promise.allSettled(sources.map((mine) => claimWorkspace(out, mine, false)));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const winner = outcomes.findIndex(({ status }) => status === "fulfilled");
    expect(written().data.map(({ folder }) => folder)).toEqual([sources[winner]?.folder]);
    expect(readdirSync(out)).toEqual(["workspace.json"]);
  });

  test("whose file is damaged says so, and what to do", async () => {
    for (const content of ["", "{", "[]", '{"drawn":1,"data":[]}']) {
      folder("workspace", { "workspace.json": content });
      await expect(claimWorkspace(out, phantomSource(0, undefined), true)).rejects.toThrow(
        /workspace.json cannot be read[\s\S]*Remove it: the next npm run demo or ingest writes it anew/,
      );
      expect(readFileSync(join(out, "workspace.json"), "utf8")).toBe(content);
    }
  });
});

describe("a workspace of an earlier version", () => {
  test("takes the folder that all of its scans are in, and asks about another one", async () => {
    const one = scans("one");
    landed("one");
    const grown = folder("one", { "Cancer/new.png": "new" });
    // Of the same names, and other sizes.
    const three = folder("three", { "Cancer/a.png": "longer", "Non-Cancer/b.png": "longer" });
    await expect(claimWorkspace(out, await source(three), false)).rejects.toThrow(
      /an earlier version did not write down/,
    );
    await claimWorkspace(out, await source(grown), false);
    expect(written()).toEqual({ drawn: false, data: [{ folder: one, at: null }] });
    rmSync(join(out, "workspace.json"));
    await claimWorkspace(out, await source(three), true);
    expect(written().data.map(({ folder }) => folder)).toEqual([null, three]);
    await expect(claimWorkspace(out, phantomSource(0, undefined), true)).rejects.toThrow(/never share/);
  });

  test("is known for phantoms by their collection", async () => {
    await drawPhantomFolder(join(out, "phantoms"), 5, { patients: 1 });
    landed(join("workspace", "phantoms", "seed-5"));
    expect(await phantomSeed(out)).toBe(5);
    await expect(claimWorkspace(out, await source(scans("one")), true)).rejects.toThrow(/holds drawn phantoms/);
    await claimWorkspace(out, phantomSource(5, undefined), false);
    expect(written()).toEqual({ drawn: true, data: [{ folder: "phantoms/seed-5", seed: 5, at: null }] });
  });

  test("that holds both is refused whatever is put in", async () => {
    drawn("phantoms-of-mine");
    const one = scans("one");
    landed("phantoms-of-mine", "one");
    for (const mine of [phantomSource(0, undefined), await source(one)]) {
      await expect(claimWorkspace(out, mine, true)).rejects.toThrow(
        /holds 1 drawn phantoms and 2 scans together[\s\S]*Delete it, or give another/,
      );
    }
  });
});

test("phantoms of a second seed lie beside the first: every name and every head is another", async () => {
  const first = await drawPhantomFolder(out, 1, { patients: 2 });
  const second = await drawPhantomFolder(out, 2, { patients: 2, beside: true });
  const [before, after] = [await openInput(first), await openInput(second)];
  const names = (input: typeof before) => input.folder.files.map(({ object }) => object);
  const patients = ({ manifest }: typeof before) => new Set([...manifest.values()].map(({ patientId }) => patientId));
  expect(names(after).filter((name) => names(before).includes(name))).toEqual(["manifest.csv"]);
  expect([...patients(after)].filter((patient) => patients(before).has(patient))).toEqual([]);
  expect(readdirSync(out).sort()).toEqual(["seed-1", "seed-2"]);
});

test("phantoms that another process draws at the same time are drawn once, and what a killed one left goes", async () => {
  mkdirSync(join(out, "seed-1.unfinished"));
  mkdirSync(join(out, "seed-7.unfinished-999999999"));
  const folders = await Promise.all([1, 1].map((seed) => drawPhantomFolder(out, seed, { patients: 1 })));
  expect(new Set(folders)).toEqual(new Set([join(out, "seed-1")]));
  expect(readdirSync(out)).toEqual(["seed-1"]);
});

describe("a place", () => {
  test("lies within a folder however it is written, and whatever links lead there", () => {
    const data = scans("data");
    symlinkSync(data, join(root, "link"));
    symlinkSync(join(data, "later"), join(root, "dangling"));
    symlinkSync(join(root, "circle"), join(root, "circle"));
    const inside = [
      "data",
      "data/",
      "data/Cancer/..",
      "data/new/deep",
      "link",
      "link/new",
      "dangling",
      "dangling/x",
      "x/../data",
    ];
    expect(inside.filter((place) => !isWithin(join(root, place), data))).toEqual([]);
    expect(inside.filter((place) => !isWithin(join(root, place), join(root, "link")))).toEqual([]);
    const outside = [".", "..", "data2", "data-results", "circle", "circle/x", "new"];
    expect(outside.filter((place) => isWithin(join(root, place), data))).toEqual([]);
    expect(isWithin(data, join(root, "nothing"))).toBe(false);
  });
});
