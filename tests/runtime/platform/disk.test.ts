import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import sharp from "sharp";
import { DiskError, diskError } from "../../../runtime/platform/disk";
import { STATE_SIZE } from "../../../runtime/train/optimizer";
import { headPng, saveBrightSpot } from "../../support/bright-spot";
import { FULL, onOwnDisk, SEALED } from "../../support/disks";

const MAIN = resolve("dist/runtime/cli/main.js");
const DIST = resolve("dist");

let folder: string;
let data: string;
let model: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "full-"));
  [data, model] = [join(folder, "data"), join(folder, "model")];
  for (const label of ["Cancer", "Non-Cancer"]) await mkdir(join(data, label), { recursive: true });
  for (let i = 0; i < 6; i++) {
    // Noise: a file of about 260 kB that no encoder makes smaller.
    const pixels = createHash("shake256", { outputLength: 512 * 512 })
      .update(String(i))
      .digest();
    const png = await sharp(pixels, { raw: { width: 512, height: 512, channels: 1 } })
      .png()
      .toBuffer();
    await writeFile(join(data, i % 2 === 0 ? "Cancer" : "Non-Cancer", `scan ${i}.png`), png);
  }
  await writeFile(join(data, "Cancer", "head.png"), await headPng(240, 200, { x: 100, y: 90, radius: 16 }, 1));
  await saveBrightSpot(model);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** The last line that a command wrote for a person, without that of an earlier one. */
const lines = (text: string) => text.trim().split("\n");

describe("a disk that fills up", () => {
  test("stops a step with file, cause and remedy, and the same command goes on", () => {
    const ingest = `run node "${MAIN}" ingest --data "${data}" --out "$DISK/ws"`;
    const { stdout, stderr } = onOwnDisk(`small 1000\n${ingest}\necho AGAIN >&2\nresize 200000\n${ingest}\n${ingest}`);
    const [first = "", later = ""] = stderr.split("AGAIN\n");
    const told = lines(first).at(-1) ?? "";
    expect(told).toMatch(
      /\/ws\/(?:landing|curated|quarantine|warehouse)\/\S.* cannot be written: .*; the same command then goes on\.$/,
    );
    expect(told).toMatch(FULL);
    expect(stdout).toBe("exit 1\nexit 0\nexit 0\n");
    // Everything is there, and what was there already was not done again.
    expect(later).toMatch(/ingest: 7 done, 0 done before|ingest: [1-6] done, [1-6] done before/);
    expect(lines(later).at(-1)).toMatch(/ingest: 0 done, 7 done before, 0 refused/);
  });

  test.each([
    ["evaluate", 60],
    ["explain", 900],
  ])("leaves of the results of %s whole files alone", (name, room) => {
    const command = `run node "${MAIN}" ${name} --model "${model}" --data "${data}" --out "$DISK/out" --backend wasm`;
    const list = `find "$DISK/out" -type f | sed "s|.*/|file |" | sort`;
    const { stdout, stderr } = onOwnDisk(
      `small ${room}\n${command}\n${list}\necho AGAIN\necho AGAIN >&2\nresize 200000\n${command}\n${list}`,
    );
    const told = lines(stderr.split("AGAIN\n")[0] ?? "").at(-1) ?? "";
    expect(told).toMatch(/^\/\S+\/out\/\S.* cannot be written: .*; the same command then goes on\.$/);
    expect(told).toMatch(FULL);
    const [first = "", again = ""] = stdout.split("AGAIN\n");
    expect(first).toContain("exit 1\n");
    // What says that all is there is written last, and what was begun is not left behind.
    expect(first).not.toMatch(/^file (?:evaluation|explain)\.json|\.\d+-[0-9a-f]{8}$/m);
    expect(again).toContain("exit 0\n");
    expect(again).toMatch(/^file (?:evaluation|explain)\.json$/m);
  });

  test("costs no checkpoint that was saved before", () => {
    const script = `
      const { checkpointsIn } = require("${DIST}/runtime/train/checkpoints.js");
      const { STATE_SIZE } = require("${DIST}/runtime/train/optimizer.js");
      const { reportFailure } = require("${DIST}/runtime/cli/command-line.js");
      const checkpoints = checkpointsIn(process.env.DISK + "/checkpoints", "cnn-1");
      checkpoints.save({ curve: [{ epoch: Number(process.argv[2]) }], state: new Float32Array(STATE_SIZE) })
        .catch((error) => { process.exitCode = reportFailure(error); })
        .then(() => checkpoints.load())
        .then(({ curve }) => console.log(curve[0].epoch, require("node:fs").readdirSync(process.env.DISK + "/checkpoints").join()));`;
    const file = join(folder, "save.js");
    writeFileSync(file, script);
    // One of them fits and a second beside it does not; of a limit for single files, not one.
    const room = Math.ceil((STATE_SIZE * 4 * 1.5) / 1024);
    const { stdout, stderr } = onOwnDisk(
      `small 200000\nrun node "${file}" 1\nresize ${room}\nrun node "${file}" 2\nresize 200000\nrun node "${file}" 3`,
    );
    expect(stderr).toMatch(
      /^\S+\/checkpoints\/cnn-1\.checkpoint cannot be written: .*; the same command then goes on\.\n$/,
    );
    expect(stderr).toMatch(FULL);
    const only = "cnn-1.checkpoint";
    expect(lines(stdout)).toEqual([`1 ${only}`, "exit 0", `1 ${only}`, "exit 1", `3 ${only}`, "exit 0"]);
  });
});

test("a disk that is read-only stops a step with file, cause and remedy, before anything is lost", () => {
  const ingest = `run node "${MAIN}" ingest --data "${data}" --out "$DISK/ws" --limit`;
  const { stdout, stderr } = onOwnDisk(
    `small 100000\n${ingest} 1\nseal\necho SEALED >&2\n${ingest} 4\nunseal\necho AGAIN >&2\n${ingest} 4`,
  );
  const [, sealed = "", again = ""] = stderr.split(/SEALED\n|AGAIN\n/);
  const told = lines(sealed).at(-1) ?? "";
  expect(told).toMatch(/^\/\S+\/ws\/.* cannot be (?:written|opened): .*; the same command then goes on\.$/);
  expect(told).toMatch(SEALED);
  expect(stdout).toBe("exit 0\nexit 1\nexit 0\n");
  expect(lines(again).at(-1)).toMatch(/ingest: [34] done, [01] done before, 0 refused/);
});

test("a disk that is read-only is said to be so of an object whose folder is not there yet", async () => {
  const script = join(folder, "create.js");
  await writeFile(
    script,
    `const { DirectoryStore } = require("${DIST}/runtime/platform/stores");
    const { reportFailure } = require("${DIST}/runtime/cli/command-line.js");
    const store = new DirectoryStore(process.env.DISK + "/reports");
    store.create(process.argv[2], "x").catch((error) => {
      process.exitCode = reportFailure(error);
    });`,
  );
  const { stdout, stderr } = onOwnDisk(
    `small 10000\nrun node "${script}" old/a\nseal\nrun node "${script}" new/folder/a\nunseal\nrun node "${script}" new/folder/a`,
  );
  expect(stdout).toBe("exit 0\nexit 1\nexit 0\n");
  expect(lines(stderr)).toEqual([expect.stringMatching(/reports\/new\/folder\/a cannot be (?:written|opened): /)]);
  expect(stderr).toMatch(SEALED);
});

test("a process that may open no further file is told so, and no scan is blamed", () => {
  const script = `
    const { DirectoryStore } = require("${DIST}/runtime/platform/stores");
    const { reportFailure } = require("${DIST}/runtime/cli/command-line.js");
    const fs = require("node:fs");
    const store = new DirectoryStore(process.env.DISK + "/landing");
    const held = [];
    try { for (;;) held.push(fs.openSync("/dev/null")); } catch {}
    store.write("Cancer/a.png", "x").catch((error) => {
      for (const one of held) fs.closeSync(one);
      process.exitCode = reportFailure(error);
    });`;
  const file = join(folder, "open.js");
  writeFileSync(file, script);
  const { stdout, stderr } = onOwnDisk(`small 1000\nulimit -n 64\nrun node "${file}"`);
  expect(stderr).toMatch(
    /\/landing\/Cancer\/a\.png cannot be opened: this process has too many files open \(EMFILE\)\. Raise the limit \(ulimit -n 4096\); the same command then goes on\.\n$/,
  );
  expect(stdout).toBe("exit 1\n");
});

describe("what is told", () => {
  const failed = (code: string, more: object = {}) => Object.assign(new Error(`${code}: no`), { code, ...more });

  test.each(["ENOSPC", "EDQUOT", "EROFS", "EFBIG", "EIO", "EACCES", "EPERM", "EMFILE", "ENFILE"])(
    "%s: file, cause and remedy",
    (code) => {
      expect(diskError(failed(code), "/ws/a.png")?.message).toMatch(
        new RegExp(
          `^/ws/a\\.png cannot be \\w+(?: or \\w+)?: .+ \\(${code}\\)\\. [A-Z].+; the same command then goes on\\.$`,
        ),
      );
      expect(diskError(failed(code, { path: "/else" }))?.file).toBe("/else");
    },
  );

  test("also where the disk is only the cause, or DuckDB says it in its own words", () => {
    expect(diskError(new Error("outer", { cause: failed("ENOSPC", { path: "/a" }) }))?.file).toBe("/a");
    const words = 'IO Error: Could not write to file "/tmp/shards-1/shard.parquet": No space left on device';
    expect(diskError(new Error(words))).toMatchObject({ code: "ENOSPC", file: "/tmp/shards-1/shard.parquet" });
    const known = new DiskError("/b", "EROFS");
    expect(diskError(new Error("outer", { cause: known }), "/c")).toBe(known);
  });

  test("nothing of what is no disk", () => {
    expect(diskError(failed("EACCES", { syscall: "listen" }))).toBeUndefined();
    expect(diskError(failed("EACCES", { syscall: "spawn java" }))).toBeUndefined();
    expect(diskError(failed("ENOENT"))).toBeUndefined();
    expect(diskError(new Error("Permission denied by the KMS"))).toBeUndefined();
    expect(diskError("EROFS")).toBeUndefined();
  });
});
