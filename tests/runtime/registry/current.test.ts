import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ObjectStore } from "../../../runtime/platform/stores/object-store";
import { openStore } from "../../../runtime/platform/stores/open-store";
import { currentModel, decide, isPublished, publishModel, setCurrent } from "../../../runtime/registry";

let directory: string;
let models: ObjectStore;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "registry-"));
  models = await openStore(join(directory, "models"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const contender = (model: string, auc: number | null, testSet = "a") => ({ model, auc, testSet });

describe("the rule of promotion", () => {
  it("lets the first model in, and a challenger that is not worse on the same test set", () => {
    expect(decide(contender("new", 0.6), undefined).promoted).toBe(true);
    expect(decide(contender("new", 0.9), contender("old", 0.9))).toEqual({
      promoted: true,
      reason: expect.stringContaining("0.9000"),
    });
    expect(decide(contender("new", 0.9), contender("old", null)).promoted).toBe(true);
  });

  it("keeps a champion that is better, that is the same model, or that the challenger cannot be compared with", () => {
    expect(decide(contender("new", 0.8999), contender("old", 0.9)).promoted).toBe(false);
    expect(decide(contender("old", 0.9), contender("old", 0.9)).promoted).toBe(false);
    expect(decide(contender("new", null), contender("old", 0.5)).promoted).toBe(false);
    expect(() => decide(contender("new", 0.9, "b"), contender("old", 0.8, "a"))).toThrow(/different test sets/);
  });
});

describe("the pointer to the current model", () => {
  const now = new Date("2026-01-02T03:04:05Z");

  it("remembers its predecessor, and moves for one of two that saw the same state", async () => {
    expect(await currentModel(models)).toBeUndefined();
    expect(await setCurrent(models, { model: "one", reason: "first" }, undefined, now)).toBe(true);
    expect(await setCurrent(models, { model: "late", reason: "also first" }, undefined, now)).toBe(false);
    const seen = await currentModel(models);
    const outcomes = await Promise.all(
      ["two", "three"].map((model) => setCurrent(models, { model, reason: "better" }, seen, now)),
    );
    expect(outcomes.filter(Boolean)).toHaveLength(1);
    expect(await currentModel(models)).toMatchObject({
      model: outcomes[0] ? "two" : "three",
      previous: "one",
      promotedAt: now.toISOString(),
    });
  });
});

describe("published models", () => {
  const files = (weights: string) =>
    new Map([
      ["metadata.json", Buffer.from("{}")],
      ["weights.bin", Buffer.from(weights)],
    ]);

  it("are whole once their metadata is there, may be published again, and never change", async () => {
    await models.write("m/weights.bin", "w");
    expect(await isPublished(models, "m")).toBe(false);
    await publishModel(models, "m", files("w"));
    expect(await isPublished(models, "m")).toBe(true);
    await publishModel(models, "m", files("w"));
    await expect(publishModel(models, "m", files("other"))).rejects.toThrow(/never changed/);
    expect((await models.read("m/weights.bin")).toString()).toBe("w");
  });
});
