import { type Candidate, rankWorklist } from "../../../runtime/serve/worklist";

const candidate = (name: string, more: Partial<Candidate> = {}) => ({
  ...{ name, label: "Cancer" as const, decision: "Cancer" as const, probability: 0.95, threshold: 0.5 },
  ...{ answeredAt: "2026-05-01T00:00:00.000Z", said: "nothing" as const },
  ...more,
});
const names = (of: readonly ReturnType<typeof candidate>[]) => rankWorklist(of).map(({ candidate: { name } }) => name);
const DRIFT = { alarm: { watch: "input", day: "2026-05-02" } };
const OTHERS = { neighbours: { neighbours: 10, cancer: 1 } };
const UNCERTAIN = { decision: "Uncertain" as const, probability: 0.6 };

test("weightier reasons come first, several before one, then what is nearer to the threshold, then what is newer", () => {
  const ranked = [
    candidate("contradicted", { said: "contradicted" }),
    candidate("all but that", { ...DRIFT, ...OTHERS, ...UNCERTAIN }),
    candidate("drift", DRIFT),
    candidate("neighbours and uncertain", { ...OTHERS, ...UNCERTAIN }),
    candidate("neighbours", OTHERS),
    candidate("narrow", { probability: 0.51 }),
    candidate("newer", { ...UNCERTAIN, answeredAt: "2026-05-02T00:00:00.000Z" }),
    candidate("older", UNCERTAIN),
  ];
  expect(names([...ranked].reverse())).toEqual(ranked.map(({ name }) => name));
});

test("what people labelled and what nothing speaks for is left out, whatever else speaks for it", () => {
  expect(names([candidate("labelled", { said: "labelled", ...DRIFT, ...UNCERTAIN }), candidate("plain")])).toEqual([]);
});

test.each([
  ["agree", { neighbours: 10, cancer: 9 }],
  ["are divided", { neighbours: 10, cancer: 4 }],
  ["are few", { neighbours: 4, cancer: 0 }],
])("neighbours that %s are no reason", (_, neighbours) => {
  expect(names([candidate("a", { neighbours })])).toEqual([]);
});

test("every reason is a sentence", () => {
  const [{ reasons } = { reasons: [] }] = rankWorklist([
    candidate("a", { said: "contradicted", ...DRIFT, ...OTHERS, ...UNCERTAIN }),
  ]);
  expect(reasons.map(({ code }) => code)).toEqual(["contradicted", "drift", "neighbours", "uncertain"]);
  expect(reasons[2]?.sentence).toBe(
    "The model says Cancer, and people say otherwise of 9 of the 10 most similar scans.",
  );
});
