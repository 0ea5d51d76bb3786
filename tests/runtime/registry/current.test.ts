import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ObjectStore } from "../../../runtime/platform/stores/object-store";
import { openStore } from "../../../runtime/platform/stores/open-store";
import { currentModel, historyOf, isPublished, publishModel, setCurrent } from "../../../runtime/registry";

let directory: string;
let models: ObjectStore;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "registry-"));
  models = await openStore(join(directory, "models"));
});
afterEach(() => rmSync(directory, { recursive: true }));

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
    const moved = await historyOf(models);
    expect(moved.map(({ model }) => model)).toEqual(["one", outcomes[0] ? "two" : "three"]);
  });

  it("leaves no gap in its history where a process was killed after it moved", async () => {
    await setCurrent(models, { model: "one", reason: "first" }, undefined, now);
    await models.delete((await models.list({ prefix: "history/" })).objects[0]?.name as string);
    await setCurrent(
      models,
      { model: "two", reason: "better" },
      await currentModel(models),
      new Date(now.getTime() + 1),
    );
    expect(await historyOf(models)).toEqual([
      { model: "one", previous: null, reason: "first", promotedAt: now.toISOString() },
      expect.objectContaining({ model: "two", previous: "one", reason: "better" }),
    ]);
  });
});

describe("the history of a pointer that an earlier program moved", () => {
  it("has the model that is current", async () => {
    const moved = { model: "two", previous: "one", reason: "better", promotedAt: "2026-01-02T03:04:05.000Z" };
    await models.write("current.json", JSON.stringify(moved));
    expect(await historyOf(models)).toEqual([moved]);
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
