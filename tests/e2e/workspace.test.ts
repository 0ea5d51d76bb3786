import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import sharp from "sharp";
import { drawPhantom, PHANTOM_COLLECTION } from "../../runtime/phantom";

const CLI = resolve(__dirname, "../../dist/runtime/cli/main.js");

let root: string;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in a folder of its own, as a person in theirs. */
function run(...args: string[]): Promise<Ended> {
  return new Promise((done) => {
    const child = spawn(process.execPath, [CLI, ...args], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    const text = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].on("data", (chunk) => {
        text[name] += chunk;
      });
    }
    child.on("close", (code) => done({ code, ...text }));
  });
}

function put(path: string, content: string | Buffer): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

/** Heads that differ from folder to folder, by the names of a person's own. */
async function scans(folder: string, seed: number, { count = 2, cancer = "Cancer", other = "Non-Cancer" } = {}) {
  for (let patient = 0; patient < count; patient++) {
    for (const [label, lesion] of [
      [cancer, true],
      [other, false],
    ] as const) {
      const { pixels } = drawPhantom({ seed, patient, slice: lesion ? 0.1 : 0.2, size: 64, lesion });
      const image = sharp(pixels, { raw: { width: 64, height: 64, channels: 1 } });
      put(`${folder}/${label}/${folder}-${patient}.png`, await image.png().toBuffer());
    }
  }
}

/** Every file and folder below a folder, with what is in it. */
function tree(folder = "."): Record<string, string> {
  const at = join(root, folder);
  if (!existsSync(at)) return {};
  const entries = readdirSync(at, { recursive: true, withFileTypes: true });
  const paths = entries.map((entry) => join(entry.parentPath, entry.name)).sort();
  const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
  const content = (path: string) => (isFile(path) ? readFileSync(path).toString("base64") : "no file");
  return Object.fromEntries(paths.map((path) => [path.slice(at.length), content(path)]));
}

const landed = (out: string) =>
  Object.keys(tree(join(out, "landing")))
    .filter((name) => name.endsWith(".png"))
    .sort();

beforeEach(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "workspaces-")));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

// Whole processes that train and explain: minutes, where other work runs beside.
jest.setTimeout(600_000);

describe("two commands, one after the other", () => {
  test("the README's two, then its main job, mix nothing", async () => {
    await scans("scans", 3, { count: 12 });
    await scans("few", 4);
    const quick = ["--no-serve", "--backend", "wasm", "--epochs", "1", "--limit", "24"];
    const phantoms = await run("demo", ...quick);
    expect({ code: phantoms.code, stderr: phantoms.stderr }).toMatchObject({ code: 0 });
    expect(existsSync(join(root, ".workspace"))).toBe(false);
    for (const command of ["train", "serve", "ingest", "preprocess"]) {
      const lost = await run(command, ...(command === "serve" ? ["--port", "0"] : []));
      expect(lost).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(
          /--out \.workspace is not there\. The phantoms of npm run demo are in \.workspace-phantoms/,
        ),
      });
    }
    expect(existsSync(join(root, ".workspace"))).toBe(false);

    const before = tree(".workspace-phantoms");
    const people = await run("demo", "--data", "scans", ...quick);
    expect({ code: people.code, stderr: people.stderr }).toMatchObject({ code: 0 });
    expect(tree(".workspace-phantoms")).toEqual(before);
    const of = (out: string, name: string) => JSON.parse(readFileSync(join(root, out, name), "utf8"));
    expect(of(".workspace-phantoms", "workspace.json")).toMatchObject({
      drawn: true,
      data: [{ folder: "phantoms/seed-0", seed: 0, limit: 24 }],
    });
    expect(of(".workspace", "workspace.json")).toMatchObject({ drawn: false, data: [{ folder: join(root, "scans") }] });
    expect(of(".workspace-phantoms", "summary.json").model.synthetic).toBe(true);
    expect(of(".workspace", "summary.json")).toMatchObject({ model: { synthetic: false }, dataset: { images: 24 } });
    expect(landed(".workspace").every((name) => name.includes("scans-"))).toBe(true);

    // What a model of phantoms says of scans is said to mean nothing.
    const model = join(".workspace-phantoms", "models", of(".workspace-phantoms", "summary.json").model.id);
    for (const command of ["evaluate", "explain"]) {
      const judged = await run(command, "--model", model, "--data", "few", "--out", command, "--backend", "wasm");
      expect(judged).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/SYNTHETIC: this model learnt from drawn phantoms/),
      });
    }

    // Another seed, and the other kind, are refused in either workspace.
    expect(await run("demo", "--seed", "1", ...quick)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/holds phantoms of seed 0, not phantoms of seed 1/),
    });
    expect(await run("demo", "--out", ".workspace", "--add", ...quick)).toMatchObject({ code: 2 });
    expect(tree(".workspace-phantoms")).toEqual(before);
  });

  test.each([
    ["upload", "ingest"],
    ["ingest", "demo"],
    ["demo", "upload"],
  ])("%s of one folder, then %s of another, is refused, and taken with --add", async (first, second) => {
    await scans("one", 1);
    await scans("two", 2);
    const more = (command: string) => (command === "demo" ? ["--no-serve", "--epochs", "1", "--backend", "wasm"] : []);
    // So few scans cannot be trained on; they have been put in by then.
    await run(first, "--data", "one", "--out", "w", ...more(first));
    expect(landed("w")).toHaveLength(4);
    const before = tree("w");
    const refused = await run(second, "--data", "two", "--out", "w", ...more(second));
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`holds the scans of ${join(root, "one")}, not those of ${join(root, "two")}`),
    });
    expect(tree("w")).toEqual(before);
    await run(second, "--data", "two", "--out", "w", "--add", ...more(second));
    expect(landed("w")).toHaveLength(8);
    // Both belong to it now.
    expect(await run("upload", "--data", "one", "--out", "w")).toMatchObject({ code: 0 });
    expect(await run("upload", "--data", "./two/", "--out", "w")).toMatchObject({ code: 0 });
  });

  test("phantoms and scans never share a workspace, in either order, not even with --add", async () => {
    await scans("people", 1);
    await scans("drawn", 2);
    const rows = readdirSync(join(root, "drawn", "Cancer")).map((name) => `Cancer/${name},${PHANTOM_COLLECTION}`);
    put("drawn/manifest.csv", `path,source\n${rows.join("\n")}\n`);
    for (const [first, second] of [
      ["people", "drawn"],
      ["drawn", "people"],
    ] as const) {
      expect(await run("upload", "--data", first, "--out", `w-${first}`)).toMatchObject({ code: 0 });
      const before = tree(`w-${first}`);
      for (const flags of [[], ["--add"]]) {
        expect(await run("ingest", "--data", second, "--out", `w-${first}`, ...flags)).toMatchObject({
          code: 2,
          stderr: expect.stringMatching(/never share a workspace/),
        });
      }
      expect(tree(`w-${first}`)).toEqual(before);
    }
    // What an earlier version let happen is not trained on, nor added to.
    cpSync(join(root, "w-people"), join(root, "mixed"), { recursive: true });
    rmSync(join(root, "mixed", "workspace.json"));
    cpSync(join(root, "drawn"), join(root, "mixed", "landing"), { recursive: true });
    for (const args of [["train"], ["ingest", "--data", "people", "--add"]]) {
      expect(await run(...args, "--out", "mixed")).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/phantoms and \d scans together/),
      });
    }
  });

  test("at the same moment: one folder gets a new workspace, and nothing of the other is in it", async () => {
    await scans("one", 1);
    await scans("two", 2);
    const ended = await Promise.all(["one", "two"].map((data) => run("upload", "--data", data, "--out", "new/w")));
    expect(ended.map(({ code }) => code).sort()).toEqual([0, 2]);
    const winner = ended[0]?.code === 0 ? "one" : "two";
    expect(landed("new/w").filter((name) => !name.includes(`${winner}-`))).toEqual([]);
    expect(landed("new/w")).toHaveLength(4);
  });
});

describe("results among a person's originals", () => {
  test.each(["demo", "upload", "ingest", "evaluate", "explain"])(
    "%s refuses them, however the place is written",
    async (command) => {
      await scans("data", 1);
      await scans("elsewhere", 2);
      symlinkSync(join(root, "data"), join(root, "link"));
      symlinkSync(join(root, "data", "later"), join(root, "dangling"));
      symlinkSync(join(root, "elsewhere", "Cancer"), join(root, "data", "Unlabelled"));
      mkdirSync(join(root, "model"));
      const model = ["evaluate", "explain"].includes(command) ? ["--model", "model"] : [];
      const before = tree();
      const outs = [
        "data",
        "data/",
        "data/results/new",
        "x/../data/r",
        "link",
        "link/r",
        "dangling",
        "elsewhere/Cancer/r",
      ];
      for (const [data, places] of [
        ["data", outs],
        ["link", ["data/r"]],
      ] as const) {
        for (const out of places) {
          const refused = await run(
            command,
            "--data",
            data,
            "--out",
            out,
            ...model,
            ...(command === "demo" ? ["--no-serve"] : []),
          );
          expect({ out, ...refused }).toMatchObject({
            code: 2,
            stderr: expect.stringMatching(/among the originals\. Give a folder outside/),
          });
        }
      }
      expect(tree()).toEqual(before);
    },
  );

  test("a part of the workspace is no folder of scans for it", async () => {
    await scans("data", 1);
    expect(await run("upload", "--data", "data", "--out", "w")).toMatchObject({ code: 0 });
    const before = tree("w");
    for (const part of ["landing", "landing/.", "quarantine/../landing"]) {
      expect(await run("ingest", "--data", join("w", part), "--out", "w", "--add")).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/is a part of the workspace/),
      });
    }
    expect(tree("w")).toEqual(before);
  });
});

describe("--check", () => {
  test("reports what would become of a folder, and changes nothing", async () => {
    await scans("data", 1, { cancer: "YES", other: "no" });
    put("data/YES/empty.png", "");
    put("data/YES/report.png", "a text");
    put("data/notes.txt", "outside");
    put("data/masks/data-0.png", readFileSync(join(root, "data/YES/data-0.png")));
    put("data/masks/nobody.png", "x");
    put(
      "data/manifest.csv",
      "path;patient_id;label;mask;age\nYES/data-0.png;P1;yes;;1\nno/data-0.png;P1;yes;;2\nno/gone.png;P2;;masks/gone.png;3\n",
    );
    mkdirSync(join(root, "model"));
    const before = tree();
    for (const args of [
      ["demo"],
      ["upload"],
      ["upload", "--bucket", "gs://a-bucket"],
      ["ingest"],
      ["evaluate", "--model", "model", "--out", "new"],
      ["explain", "--model", "model", "--out", "new"],
    ]) {
      const { code, stdout } = await run(
        ...args,
        "--data",
        "data",
        "--labels",
        "yes=Cancer,no=Non-Cancer",
        "--check",
        ...(args[0] === "demo" ? ["--no-serve"] : []),
      );
      expect({ args, code }).toEqual({ args, code: 0 });
      for (const line of [
        "Cancer: 4 files (in YES/)",
        "Non-Cancer: 2 files (in no/)",
        "Unlabelled: 0 files",
        "formats: png 3",
        "patients known for 2 of 6 images",
        "lesion masks: for 1 of 4 scans outside Non-Cancer; 1 masks belong to no such scan, masks/nobody.png the first",
        "columns that mean nothing here are ignored: age.",
        "names 1 of its 3 files in vain, Non-Cancer/gone.png the first",
        "names 1 lesion masks in vain, masks/gone.png the first",
        "contradicts the folder about 1 of 6 scans, no/data-0.png the first",
        "files that would be refused: 4",
        "  YES/empty.png: The file is empty.",
        "  YES/report.png: This is a text file",
        "  no/data-0.png: The file lies in Non-Cancer/, and manifest.csv says Cancer.",
        "  notes.txt: The file lies outside the label folders",
      ]) {
        expect(stdout).toContain(line);
      }
    }
    expect(tree()).toEqual(before);
  });

  test("exits with 2 for what would stop the command, all of it at once", async () => {
    await scans("one", 1);
    await scans("two", 2);
    expect(await run("upload", "--data", "one", "--out", "w")).toMatchObject({ code: 0 });
    put("two/manifest.csv", "path,patientid,lable\n");
    put("two/cancer/two-0.png", "the same name");
    const before = tree();
    const { code, stderr } = await run("ingest", "--data", "two", "--out", "w", "--check");
    expect(code).toBe(2);
    for (const what of [
      /"patientid" looks like patient_id/,
      /"lable" looks like label/,
      /would both become Cancer\/two-0\.png/,
    ]) {
      expect(stderr).toMatch(what);
    }
    rmSync(join(root, "two", "manifest.csv"));
    rmSync(join(root, "two", "cancer"), { recursive: true });
    const other = await run("ingest", "--data", "two", "--out", "w", "--check");
    expect(other).toMatchObject({ code: 2, stderr: expect.stringMatching(/holds the scans of .*one/) });
    expect(other.stdout).toMatch(/Cancer: 2 files/);
    expect(await run("ingest", "--data", "one", "--out", "w", "--check")).toMatchObject({ code: 0 });
    expect(await run("demo", "--check")).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/name it with --data/),
    });
    put("two/manifest.csv", before["/two/manifest.csv"] ? Buffer.from(before["/two/manifest.csv"], "base64") : "");
    put("two/cancer/two-0.png", "the same name");
    expect(tree()).toEqual(before);
  });
});

describe("before any work", () => {
  test("a port that is in use is said by demo and serve", async () => {
    await scans("data", 1);
    mkdirSync(join(root, "empty"));
    const taken = createServer();
    await new Promise<void>((listening) => taken.listen(0, "127.0.0.1", listening));
    const { port } = taken.address() as { port: number };
    try {
      const before = tree();
      for (const args of [["demo"], ["demo", "--data", "data"], ["serve", "--out", "empty"]]) {
        expect(await run(...args, "--port", String(port))).toMatchObject({
          code: 2,
          stderr: expect.stringContaining(`${port} is in use. Choose another, or 0 for a free one.`),
        });
      }
      expect(tree()).toEqual(before);
    } finally {
      await new Promise((closed) => taken.close(closed));
    }
  });

  test.each(["demo", "upload", "ingest"])("%s says what cannot be a workspace", async (command) => {
    await scans("data", 1);
    put("file", "kept");
    for (const out of ["file", "file/below"]) {
      for (const data of command === "demo" ? [[], ["--data", "data"]] : [["--data", "data"]]) {
        const more = command === "demo" ? ["--no-serve"] : [];
        expect(await run(command, ...data, "--out", out, ...more)).toMatchObject({
          code: 2,
          stderr: expect.stringMatching(/The workspace cannot be used:\s+- --out file.* cannot be a folder here/),
        });
      }
    }
    expect(readFileSync(join(root, "file"), "utf8")).toBe("kept");
  });

  test.each(["demo", "upload", "ingest", "evaluate", "explain"])(
    "%s refuses a broken manifest and wrong labels",
    async (command) => {
      await scans("data", 1);
      put("data/manifest.csv", "path,patientid\nCancer/data-0.png,P1\n");
      mkdirSync(join(root, "model"));
      const more = [
        ...(["evaluate", "explain"].includes(command) ? ["--model", "model"] : []),
        ...(command === "demo" ? ["--no-serve"] : []),
      ];
      const before = tree();
      expect(await run(command, "--data", "data", "--out", "new", ...more)).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/"patientid" looks like patient_id\. Call it patient_id/),
      });
      expect(await run(command, "--data", "data", "--out", "new", "--labels", "yes", ...more)).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/"yes" is not FOLDER=LABEL/),
      });
      expect(tree()).toEqual(before);
    },
  );
});

test("a workspace from before workspace.json goes on with its own folder", async () => {
  await scans("one", 1);
  await scans("two", 2);
  expect(await run("ingest", "--data", "one", "--out", "w")).toMatchObject({ code: 0 });
  rmSync(join(root, "w", "workspace.json"));
  const refused = await run("ingest", "--data", "two", "--out", "w");
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/an earlier version did not write down/) });
  expect(existsSync(join(root, "w", "workspace.json"))).toBe(false);
  const again = await run("ingest", "--data", "one", "--out", "w");
  expect(again).toMatchObject({ code: 0, stderr: expect.stringMatching(/0 done, 4 done before/) });
  expect(JSON.parse(readFileSync(join(root, "w", "workspace.json"), "utf8")).data).toEqual([
    { folder: join(root, "one"), at: null },
  ]);
});
