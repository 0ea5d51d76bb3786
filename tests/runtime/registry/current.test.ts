import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NOT_EVALUATED, type Verdict } from "../../../runtime/model";
import type { ObjectStore } from "../../../runtime/platform/stores/object-store";
import { openStore } from "../../../runtime/platform/stores/open-store";
import {
  type Contender,
  currentModel,
  decide,
  isPublished,
  promote,
  publishModel,
  setCurrent,
} from "../../../runtime/registry";

let directory: string;
let models: ObjectStore;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "registry-"));
  models = await openStore(join(directory, "models"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const FIT: Verdict = { fit: true, sentence: "Fit.", reasons: [] };
const UNFIT: Verdict = { fit: false, sentence: "Not fit.", reasons: ["few-groups"] };
const PHANTOMS: Verdict = { fit: false, sentence: "Drawn.", reasons: ["phantoms", "no-guard"] };

const contender = (model: string, auc: number | null, testSet = "a", verdict = FIT): Contender => ({
  model,
  auc,
  testSet,
  verdict,
});

describe("the rule of promotion", () => {
  it("lets the first model in, and a challenger that is not worse on the same test set", () => {
    expect(decide(contender("new", 0.6), undefined).promoted).toBe(true);
    expect(decide(contender("new", 0.9), contender("old", 0.9))).toEqual({
      promoted: true,
      reason: expect.stringContaining("0.9000"),
    });
    expect(decide(contender("new", 0.9), contender("old", null)).promoted).toBe(true);
  });

  it("leaves a tie to the one that was published later, where a step of training is repeated", async () => {
    for (const id of ["first", "second"]) {
      await publishModel(models, id, new Map([["metadata.json", Buffer.from(id)]]));
      await new Promise((done) => setTimeout(done, 5));
      expect((await promote(models, contender(id, 0.9), async (it) => contender(it, 0.9), "newer")).current).toBe(true);
    }
    const again = await promote(models, contender("first", 0.9), async (it) => contender(it, 0.9), "newer");
    expect(again).toMatchObject({ promoted: false, current: false, reason: expect.stringContaining("older") });
    expect((await currentModel(models))?.model).toBe("second");
    // Who asks for it by name gets it, and so does one that is better.
    const asked = await promote(models, contender("first", 0.9), async (it) => contender(it, 0.9));
    expect(asked.promoted).toBe(true);
    expect((await promote(models, contender("second", 0.9), async (it) => contender(it, 0.8), "newer")).promoted).toBe(
      true,
    );
    expect((await promote(models, contender("first", 0.91), async (it) => contender(it, 0.9), "newer")).promoted).toBe(
      true,
    );
  });

  it("keeps a champion that is better, or that the challenger cannot be compared with", () => {
    expect(decide(contender("new", 0.8999), contender("old", 0.9)).promoted).toBe(false);
    expect(decide(contender("new", null), contender("old", 0.5)).promoted).toBe(false);
    expect(() => decide(contender("new", 0.9, "b"), contender("old", 0.8, "a"))).toThrow(/different test sets/);
  });
});

describe("fitness before AUC", () => {
  const of = (verdict: Verdict, model: string, auc: number | null) => contender(model, auc, "a", verdict);

  it("lets no unfit model take the place of a fit one, and a fit one take that of any unfit one", () => {
    for (const unfit of [UNFIT, PHANTOMS]) {
      expect(decide(of(unfit, "new", 1), of(FIT, "old", 0.7))).toEqual({
        promoted: false,
        reason: expect.stringMatching(/new is (not fit|a model of drawn phantoms).* old is fit: the champion stays\.$/),
      });
      expect(decide(of(FIT, "new", 0.7), of(unfit, "old", 1))).toEqual({
        promoted: true,
        reason: expect.stringMatching(/new is fit, the champion old is .*whatever the AUCs\.$/),
      });
    }
  });

  it("keeps phantoms behind scans, fit or not, also where the scans give no AUC", () => {
    expect(decide(of(PHANTOMS, "new", 1), of(UNFIT, "old", 0.4)).promoted).toBe(false);
    expect(decide(of(UNFIT, "new", 0.4), of(PHANTOMS, "old", 1)).promoted).toBe(true);
    expect(decide(of(UNFIT, "new", null), of(PHANTOMS, "old", 1)).promoted).toBe(true);
  });

  it("lets the best serve where none is fit, and compares equals by AUC", () => {
    for (const verdict of [FIT, UNFIT, PHANTOMS]) {
      expect(decide(of(verdict, "new", 0.9), undefined).promoted).toBe(true);
      expect(decide(of(verdict, "new", 0.9), of(verdict, "old", 0.9)).promoted).toBe(true);
      expect(decide(of(verdict, "new", 0.89), of(verdict, "old", 0.9)).promoted).toBe(false);
    }
  });
});

describe("promotion", () => {
  const never = () => Promise.reject(new Error("not asked for"));
  const broken = () => Promise.reject(new Error("weights.bin is damaged"));

  it("records reason and verdict in the pointer; asked again, after a kill say, it gives the same reason", async () => {
    const challenger = contender("one", 0.8, "a", PHANTOMS);
    const first = await promote(models, challenger, never);
    expect(first).toMatchObject({ promoted: true, current: true, reason: "one is the first model." });
    const pointer = await currentModel(models);
    expect(pointer).toMatchObject({ model: "one", reason: first.reason, verdict: PHANTOMS });
    // The run was killed before it wrote the reason down.
    const again = await promote(models, challenger, never);
    expect(again).toMatchObject({ promoted: false, current: true, reason: first.reason });
    expect(await currentModel(models)).toEqual(pointer);
  });

  it("compares on the same images, moves the pointer or leaves it, and says why", async () => {
    await promote(models, contender("one", 0.8), never);
    const worse = await promote(models, contender("two", 0.7), async () => contender("one", 0.8));
    expect(worse).toMatchObject({ promoted: false, current: false, reason: expect.stringMatching(/champion stays/) });
    const unfit = await promote(models, contender("three", 1, "a", UNFIT), async () => contender("one", 0.8));
    expect(unfit.current).toBe(false);
    const better = await promote(models, contender("four", 0.9), async (model) => contender(model, 0.8));
    expect(better).toMatchObject({ promoted: true, current: true });
    expect(await currentModel(models)).toMatchObject({ model: "four", previous: "one", reason: better.reason });
  });

  it("brings the verdict of the current model up to date, and nothing else", async () => {
    await setCurrent(models, { model: "one", reason: "by an earlier program" }, undefined, new Date(0));
    expect((await currentModel(models))?.verdict).toEqual(NOT_EVALUATED);
    await promote(models, contender("one", 0.8, "a", UNFIT), never);
    const { generation: first, ...pointer } = (await currentModel(models)) ?? { generation: 0 };
    expect(pointer).toMatchObject({ model: "one", previous: null, reason: "by an earlier program", verdict: UNFIT });
    await promote(models, contender("two", 0.7, "a", UNFIT), async () => contender("one", 0.8, "a", FIT));
    expect(await currentModel(models)).toEqual({ ...pointer, verdict: FIT, generation: expect.any(Number) });
    const { generation: second } = (await currentModel(models)) ?? {};
    expect(second).not.toBe(first);
    await promote(models, contender("two", 0.7, "a", UNFIT), async () => contender("one", 0.8, "a", FIT));
    expect((await currentModel(models))?.generation).toBe(second);
  });

  it("does not wait for a champion that cannot be measured, unless it was fit and the challenger is not", async () => {
    await promote(models, contender("one", 0.8), never);
    const unfit = await promote(models, contender("two", 0.9, "a", UNFIT), broken);
    expect(unfit).toMatchObject({
      promoted: false,
      current: false,
      notes: [expect.stringContaining("weights.bin is damaged"), expect.stringContaining("the champion stays")],
    });
    expect((await currentModel(models))?.verdict).toEqual(FIT);
    const fit = await promote(models, contender("three", 0.6), broken);
    expect(fit).toMatchObject({
      promoted: true,
      reason: "The champion one cannot be measured any more: three takes over.",
    });
  });

  it("lets anything pass a champion of an earlier program that cannot be measured", async () => {
    await setCurrent(models, { model: "one", reason: "by an earlier program" }, undefined, new Date(0));
    expect(await promote(models, contender("two", 0.9, "a", PHANTOMS), broken)).toMatchObject({ promoted: true });
  });

  it("gives way to a process that moved the pointer meanwhile", async () => {
    await promote(models, contender("one", 0.8), never);
    const late = await promote(models, contender("two", 0.9), async () => {
      await setCurrent(models, { model: "three", reason: "quicker" }, await currentModel(models), new Date(0));
      return contender("one", 0.8);
    });
    expect(late).toMatchObject({ promoted: false, current: false, reason: expect.stringMatching(/Another process/) });
    expect((await currentModel(models))?.model).toBe("three");
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
