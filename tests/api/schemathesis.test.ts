import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { FastifyInstance } from "fastify";
import pino from "pino";
import sharp from "sharp";
import { openWorkspace, type Workspace } from "../../runtime/platform/workspace";
import { buildServer } from "../../runtime/serve";
import { type Elements, writeMr } from "../runtime/imaging/dicom/dicom-writer";
import { headPng } from "../support/bright-spot";
import { storeEvaluation } from "../support/evaluation";
import { promote, storeModel } from "../support/served-model";

const ROOT = resolve(__dirname, "../..");
const BIN = join(process.env.BRAIN_TUMOR_ROOT ?? ROOT, ".parts", "schemathesis", "bin");
/** Requests of each kind and route; more find more. */
const EXAMPLES = process.env.EXAMPLES ?? "25";

let folder: string;
let workspace: Workspace;
let app: FastifyInstance;
let url: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "schemathesis-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  const unfit = { fit: false, sentence: "Not fit for use.", reasons: ["few-groups"] };
  for (const [id, auc] of [
    ["model-one", 0.8],
    ["model-two", 0.9],
  ] as const) {
    await storeModel(workspace, id);
    await storeEvaluation(workspace.buckets.reports, id, auc, unfit);
  }
  await promote(workspace, "model-one");
  const { models, reports, landing } = workspace.buckets;
  app = await buildServer({
    models,
    pointer: models,
    reports,
    landing,
    warehouse: workspace.warehouse,
    log: pino({ level: "silent" }),
    deadlineSeconds: 600,
  });
  url = await app.listen({ port: 0, host: "127.0.0.1" });
  const scan = await headPng(64, 64, { x: 32, y: 30, radius: 8 });
  for (const name of ["scans", "instances"]) await mkdir(join(folder, name));
  await writeFile(join(folder, "scans", "a.png"), scan);
  const ofSeries: Elements = [
    [0x0020_000d, "UI", "1.2.3"],
    [0x0020_000e, "UI", "1.2.3.1"],
  ];
  await writeFile(join(folder, "instances", "a.dcm"), writeMr(64, 48, ofSeries));
  await writeFile(join(folder, "instances", "b.dcm"), writeMr(64, 48, [...ofSeries, [0x0008_0060, "CS", "CT"]]));
  await writeFile(join(folder, "scans", "b.jpg"), await sharp(scan).jpeg({ quality: 95 }).toBuffer());
});

afterAll(async () => {
  await app.close();
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

/** Runs a command of the environment to its end. */
async function run(
  command: string,
  args: readonly string[],
): Promise<{ readonly code: number; readonly said: string }> {
  const env = {
    ...process.env,
    SCHEMATHESIS_HOOKS: "hooks",
    PYTHONPATH: __dirname,
    SCANS: join(folder, "scans"),
    INSTANCES: join(folder, "instances"),
  };
  const child = spawn(join(BIN, command), args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += chunk));
  const [code] = (await once(child, "close")) as [number];
  return { code, said };
}

test("the document validates as OpenAPI 3.1", async () => {
  const file = join(folder, "openapi.json");
  await writeFile(file, await (await fetch(`${url}/openapi.json`)).text());
  expect(await run("openapi-spec-validator", ["--schema", "3.1", file])).toMatchObject({ code: 0 });
});

test("schemathesis finds nothing with all its checks", async () => {
  const { code, said } = await run("schemathesis", [
    "run",
    `${url}/openapi.json`,
    "--checks=all",
    `--max-examples=${EXAMPLES}`,
    "--seed=1",
    "--no-color",
    // How quick an answer is says nothing on a busy machine.
    "--request-timeout=300",
    "--max-response-time=300",
    "--generation-database=none",
  ]);
  if (code !== 0) throw new Error(said);
  expect(said).toMatch(/\b(\d+) generated, \1 passed/);
});
