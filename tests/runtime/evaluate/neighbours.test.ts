import { neighbourReport } from "../../../runtime/evaluate/neighbours";
import type { Label } from "../../../runtime/intake";
import { normal, uniform } from "../../../runtime/platform/random";

const draw = normal(uniform(4));

interface Image {
  readonly label: Label;
  readonly group: string;
  readonly features: readonly number[];
}

let groups = 0;
/** Images whose features say `signal` times as much of their label as they are noise. */
const images = (count: number, signal: number, group?: string): Image[] =>
  Array.from({ length: count }, (_, i) => {
    const ill = i % 2 === 0;
    const features = [signal * (ill ? 1 : -1) + draw(), signal * (ill ? -1 : 1) + draw(), draw(), draw()];
    return { label: ill ? "Cancer" : "Non-Cancer", group: group ?? `g${groups++}`, features };
  });

test("the share of Cancer among the nearest training images ranks the test images, with an interval", () => {
  const report = neighbourReport({ test: images(200, 1), validation: images(100, 1), learnt: images(300, 1) }, 1);
  expect(report).toMatchObject({ learnt: 300, metric: expect.stringContaining("cosine") });
  const { auc, chosen, candidates } = report as NonNullable<typeof report>;
  expect(candidates.map(({ neighbours }) => neighbours)).toEqual([5, 10, 20, 40]);
  const best = Math.max(...candidates.map(({ validation }) => validation.value as number));
  expect(candidates.find(({ neighbours }) => neighbours === chosen)?.validation.value).toBe(best);
  expect(auc.value).toBeGreaterThan(0.85);
  if (auc.value === null) throw new Error(auc.reason);
  expect([auc.low < auc.value, auc.high > auc.value, auc.high < 1]).toEqual([true, true, true]);
});

test("where features say nothing of the label it is chance", () => {
  const report = neighbourReport({ test: images(400, 0), validation: images(200, 0), learnt: images(400, 0) }, 1);
  expect(Math.abs((report?.auc.value as number) - 0.5)).toBeLessThan(0.1);
});

test("how many are counted is decided by validation alone: test images with other labels change nothing of it", () => {
  const [validation, learnt, test] = [images(100, 0.4), images(300, 0.4), images(100, 0.4)];
  const turned = test.map(
    (image) => ({ ...image, label: image.label === "Cancer" ? "Non-Cancer" : "Cancer" }) as Image,
  );
  const [one, other] = [test, turned].map((set) => neighbourReport({ test: set, validation, learnt }, 1));
  expect(other?.chosen).toBe(one?.chosen);
  expect(other?.candidates).toEqual(one?.candidates);
  expect((one?.auc.value as number) + (other?.auc.value as number)).toBeCloseTo(1, 9);
});

test("no image is compared with its own group, whatever the splits say", () => {
  // Without the rule each test image would find itself, and its label.
  const test = images(60, 0, "one");
  const learnt = [...test, ...images(40, 0)];
  const report = neighbourReport({ test, validation: [], learnt }, 1);
  const others = neighbourReport({ test, validation: [], learnt: learnt.slice(60) }, 1);
  expect(report?.auc.value).toBe(others?.auc.value);
});

test("without validation images the usual number is counted; without features, or with one class alone, there is no report", () => {
  const [test, learnt] = [images(20, 1), images(40, 1)];
  expect(neighbourReport({ test, validation: [], learnt }, 1)).toMatchObject({ chosen: 20 });
  const bare = learnt.map(({ label, group }) => ({ label, group }));
  const ill = learnt.filter(({ label }) => label === "Cancer");
  for (const set of [
    { test, validation: [], learnt: [] },
    { test, validation: [], learnt: bare },
    { test, validation: [], learnt: ill },
    { test: bare, validation: [], learnt },
  ])
    expect(neighbourReport(set, 1)).toBeNull();
});
