import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { currentModel, setCurrent } from "../../../runtime/registry";
import { buildServer, replay } from "../../../runtime/serve";
import { serveContract } from "../../../runtime/serve/contract";
import type { Prediction } from "../../../runtime/serve/schemas";
import { BRIGHT_SPOT, brightSpotFiles, headPng } from "../../support/bright-spot";

const log = pino({ level: "silent" });
let folder: string;
let workspace: Workspace;
let head: Buffer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prevalence-"));
  workspace = await openWorkspace(folder);
  const { models } = workspace.buckets;
  // As trained where two of five were Cancer; the second as an earlier program left it.
  for (const [id, more] of [
    ["told-0001", { prevalence: 0.4, threshold: 0.4 / (0.4 + 3 * 0.6) }],
    [BRIGHT_SPOT.id, {}],
  ] as const) {
    for (const [name, content] of await brightSpotFiles({ id, ...more })) await models.write(`${id}/${name}`, content);
  }
  head = await headPng(240, 200, { x: 120, y: 90, radius: 16 });
});
afterAll(async () => {
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

async function answered(model: string, prevalence?: number): Promise<Prediction> {
  const { models, reports } = workspace.buckets;
  await setCurrent(models, { model, reason: "A test." }, await currentModel(models), new Date(0));
  const app = await buildServer({
    ...{ models, reports, warehouse: workspace.warehouse, log },
    ...(prevalence === undefined ? {} : { prevalence }),
  });
  try {
    const reply = await app.inject({ method: "POST", url: "/v1/predictions", payload: head });
    expect(reply.statusCode).toBe(200);
    return reply.json<Prediction>();
  } finally {
    await app.close();
  }
}

const oddsOf = (p: number) => p / (1 - p);

test("an answer says which share of Cancer it assumes, and is restated for the one that is stated: nothing else changes", async () => {
  const as = await answered("told-0001");
  expect(as.prevalence).toEqual({ assumed: 0.4, local: null });
  const stated = await answered("told-0001", 0.02);
  const { probability, threshold, decision, label, id } = as;
  expect(stated).toMatchObject({ probability, threshold, decision, label, id });
  const local = stated.prevalence?.local;
  expect(stated.prevalence?.assumed).toBe(0.4);
  expect(local?.prevalence).toBe(0.02);
  const factor = oddsOf(0.02) / oddsOf(0.4);
  expect(oddsOf(local?.probability as number) / oddsOf(probability)).toBeCloseTo(factor, 6);
  expect(oddsOf(local?.threshold as number) / oddsOf(threshold)).toBeCloseTo(factor, 6);
  expect((local?.probability as number) >= (local?.threshold as number)).toBe(label === "Cancer");
});

test("a model that does not record it says so, and is not restated", async () => {
  expect((await answered(BRIGHT_SPOT.id, 0.02)).prevalence).toEqual({ assumed: null, local: null });
});

test("an answer is replayed with the share that was stated when it was given", async () => {
  const { request } = await answered("told-0001", 0.07);
  expect(await replay(workspace, request)).toMatchObject({ equal: true });
});

test("the container takes a share within bounds, and names what is none", () => {
  const { PREVALENCE } = serveContract.env.shape;
  expect(PREVALENCE.parse("0.05")).toBe(0.05);
  expect(PREVALENCE.parse(undefined)).toBeUndefined();
  for (const wrong of ["0", "1", "5", "half"])
    expect(PREVALENCE.safeParse(wrong).error?.issues[0]?.message).toMatch(/must be a share from 0\.001 to 0\.999/);
});
