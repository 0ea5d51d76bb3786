import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import sharp from "sharp";
import { openWorkspace } from "../../../runtime/platform/workspace";
import { BRIGHT_SPOT, headPixels } from "../../support/bright-spot";
import { stopProcess } from "../../support/processes";
import { head, RawClient } from "../../support/raw-http";
import { promote, storeModel, until } from "../../support/served-model";

const ROOT = resolve(__dirname, "../../..");

let folder: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "serve-cli-"));
  const workspace = await openWorkspace(join(folder, "workspace"));
  await storeModel(workspace);
  await promote(workspace);
  await workspace.close();
});

afterAll(async () => {
  for (const { pid } of children) if (pid) killGroup(pid);
  await Promise.all(children.map((child) => stopProcess(child)));
  await rm(folder, { recursive: true, force: true });
});

/** Ends what a test that failed has left of a process and those that it started. */
function killGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** `npm run serve`, as a person types it. */
async function npmRunServe(): Promise<{
  readonly npm: ChildProcess;
  readonly url: string;
  readonly ended: Promise<void>;
}> {
  const args = ["run", "serve", "--", "--out", join(folder, "workspace"), "--port", "0"];
  const npm = spawn("npm", args, { cwd: ROOT, detached: true, stdio: ["ignore", "pipe", "ignore"] });
  children.push(npm);
  // The pipe is closed once the last process that npm started has ended, an orphan too.
  const ended = new Promise<void>((done) => npm.once("close", () => done()));
  let printed = "";
  npm.stdout?.on("data", (chunk) => {
    printed += chunk;
  });
  const url = await until(
    async () => /on (http:\S+)/.exec(printed)?.[1],
    (found) => found !== undefined || npm.exitCode !== null,
  );
  if (!url) throw new Error(`npm run serve printed: ${printed}`);
  return { npm, url, ended };
}

test("SIGTERM to npm ends the server, after it has answered what it had", async () => {
  const { npm, url, ended } = await npmRunServe();
  const side = 160;
  const pages = Array.from({ length: 24 }, (_, index) => headPixels(side, side, undefined, index));
  const raw = { width: side, height: side * pages.length, channels: 1, pageHeight: side } as const;
  const scan = await sharp(Buffer.concat(pages), { raw }).tiff({ compression: "deflate" }).toBuffer();
  const client = await RawClient.open(url);
  await client.send(head(scan.length), scan);
  await until(
    async () => (await fetch(`${url}/metrics`)).text(),
    (text) => text.includes("serve_requests_in_progress 1"),
  );

  npm.kill("SIGTERM");
  expect(await client.answer()).toMatchObject({ status: 200 });
  await ended;
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
}, 60_000);

test("a model that cannot be used is not called none: it says which file is wrong", async () => {
  const directory = join(folder, "damaged");
  const workspace = await openWorkspace(directory);
  const printed = async () => {
    const args = ["dist/runtime/cli/main.js", "serve", "--out", directory, "--port", "0"];
    const serve = spawn(process.execPath, args, { cwd: ROOT, detached: true, stdio: ["ignore", "pipe", "ignore"] });
    children.push(serve);
    let text = "";
    for await (const chunk of serve.stdout) {
      text += chunk;
      if (text.includes("Predictions are refused")) break;
    }
    await stopProcess(serve, "SIGTERM");
    return text;
  };
  expect(await printed()).toMatch(/No model has been promoted yet\. Train one first: npm run train/);
  await storeModel(workspace);
  await promote(workspace);
  await workspace.buckets.models.write(`${BRIGHT_SPOT.id}/model.onnx`, "something else");
  await workspace.close();
  expect(await printed()).toMatch(
    /cannot be used: model\.onnx is not the file that was saved: .*\nPredictions are refused until there is a model/,
  );
}, 60_000);

test("without sign-in neither the command nor the container's process listens on what others reach; each says all that is wrong", () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, args, {
      cwd: ROOT,
      encoding: "utf8",
      env: { ...process.env, AUTH: "none", HOST: "0.0.0.0", PORT: "0", RATE_LIMIT: "x" },
    });
  const refused = /AUTH is none, by which everybody who reaches 0\.0\.0\.0 is an administrator/;
  const command = run("dist/runtime/cli/main.js", "serve", "--out", join(folder, "workspace"));
  expect([command.status, command.stdout]).toEqual([2, ""]);
  expect(command.stderr).toMatch(refused);
  expect(command.stderr).toMatch(/RATE_LIMIT is "x"/);
  const container = run("dist/runtime/serve/server.js");
  expect([container.status, container.stdout]).toEqual([2, ""]);
  expect(container.stderr).toMatch(refused);
  expect(container.stderr).toMatch(/MODELS_BUCKET is not set/);
});

test("every script of a program gives its place to it: a shell between would keep signals to itself", async () => {
  const { scripts } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as {
    readonly scripts: Readonly<Record<string, string>>;
  };
  // These end with a test runner or the compiler: nobody sends them a signal that has to arrive.
  const { prepack: _packing, test: _tests, "test:e2e": _whole, "test:nodes": _onNodes, ...offered } = scripts;
  const programs = Object.entries(offered).filter(([, script]) => script.includes("node dist/"));
  expect(programs.map(([name]) => name)).toEqual(expect.arrayContaining(["demo", "ingest", "train", "serve"]));
  for (const [, script] of programs)
    expect(script).toMatch(
      /^tsc -p tsconfig\.json && (node (dist\/tools\/build-web|scripts\/setup-(?:dicom|nannyml|nifti))\.js && )?exec node dist\/\S+\.js( [\w-]+)?$/,
    );
});
