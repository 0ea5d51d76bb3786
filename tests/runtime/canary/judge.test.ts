import { type CanaryPair, type Evidence, judge } from "../../../runtime/canary/judge";
import { missingUntilBelow, sideOf } from "../../../runtime/canary/share";
import { mixSeed, uniform } from "../../../runtime/platform/random";
import { changePlan } from "../../../runtime/promotion";
import { drawn } from "../promotion/drawn";

const plan = changePlan();

describe("a share against its bound", () => {
  /** Share of runs in which it is ever shown to lie on that side, looked at after each of so many. */
  function everShown(side: "below" | "above", share: number, bound: number, looks: number, runs: number): number {
    let shown = 0;
    for (let run = 0; run < runs; run++) {
      const random = uniform(mixSeed(run, Math.round(1000 * share)));
      let count = 0;
      for (let of = 1; of <= looks; of++) {
        if (random() < share) count++;
        if (sideOf(count, of, bound, 0.95) !== side) continue;
        shown++;
        break;
      }
    }
    return shown / runs;
  }

  test.each([0.05, 0.1, 0.2])(
    "at the bound %d is shown to lie on neither side, though one looks 1,000 times",
    (bound) => {
      // 5 % are allowed; 300 runs leave a standard error of 1.3 %.
      expect(everShown("above", bound, bound, 1000, 300)).toBeLessThan(0.09);
      expect(everShown("below", bound, bound, 1000, 300)).toBeLessThan(0.09);
    },
  );

  test("away from it is found, and on the right side", () => {
    expect(everShown("below", 0.05, 0.2, 300, 200)).toBeGreaterThan(0.95);
    expect(everShown("above", 0.4, 0.2, 300, 200)).toBeGreaterThan(0.95);
    expect(everShown("above", 0.05, 0.2, 300, 200)).toBe(0);
  });

  test("what is missing is what it takes", () => {
    const missing = missingUntilBelow(0, 10, 0.05, 0.95) as number;
    expect(sideOf(0, 10 + missing, 0.05, 0.95)).toBe("below");
    expect(sideOf(0, 9 + missing, 0.05, 0.95)).toBe("open");
    expect(missingUntilBelow(5, 10, 0.05, 0.95)).toBeUndefined();
    expect(sideOf(0, 0, 0.05, 0.95)).toBe("open");
  });
});

const pair = (i: number, more: Partial<CanaryPair> = {}): CanaryPair => ({
  ...{ request: `r${i}`, group: `g${i}`, label: undefined },
  candidate: { decision: "Cancer", probability: 0.9 },
  stable: { decision: "Cancer", probability: 0.8 },
  ...more,
});
const many = <T>(n: number, make: (i: number) => T) => Array.from({ length: n }, (_, i) => make(i));

const HARMLESS: Evidence = {
  pairs: many(200, (i) => pair(i)),
  times: { candidate: many(200, (i) => 50 + (i % 10)), stable: many(200, (i) => 50 + (i % 10)) },
  requests: { candidate: { all: 300, failed: 0 }, stable: { all: 3000, failed: 3 } },
};
const of = (clause: string, { findings }: ReturnType<typeof judge>) => findings.find((one) => one.clause === clause);

describe("the plan's judgement of a canary", () => {
  test("goes on where each clause is shown to be held", () => {
    const judged = judge(HARMLESS, plan, 0);
    expect(judged.outcome).toBe("advance");
    expect(judged.findings.map(({ clause, state }) => `${clause} ${state}`)).toEqual([
      "canary.agreement held",
      "canary.errors held",
      "canary.latency held",
      // Labels come weeks later, and hold nothing up.
      "canary.labels open",
    ]);
  });

  test("says not yet, and how many are missing, where too few are known", () => {
    const judged = judge({ ...HARMLESS, pairs: HARMLESS.pairs.slice(0, 5) }, plan, 0);
    expect(judged.outcome).toBe("hold");
    const { missing = 0, state } = of("canary.agreement", judged) ?? {};
    expect(state).toBe("open");
    expect(judged.reason).toContain(`about ${missing} more scans would show it (canary.agreement)`);
    const later = judge({ ...HARMLESS, pairs: HARMLESS.pairs.slice(0, 5 + Number(missing)) }, plan, 0);
    expect(later.outcome).toBe("advance");
    const nothing = judge(
      {
        pairs: [],
        times: { candidate: [], stable: [] },
        requests: { candidate: { all: 0, failed: 0 }, stable: { all: 0, failed: 0 } },
      },
      plan,
      0,
    );
    expect(nothing.outcome).toBe("hold");
    expect(of("canary.latency", nothing)).toMatchObject({ state: "open", missing: 20 });
  });

  test.each<[string, Partial<Evidence>]>([
    [
      "canary.agreement",
      { pairs: many(100, (i) => pair(i, i % 2 ? {} : { stable: { decision: "Non-Cancer", probability: 0.1 } })) },
    ],
    [
      "canary.agreement",
      // Refuses what the other answers.
      { pairs: many(100, (i) => pair(i, i % 2 ? {} : { candidate: { decision: "Rejected", probability: null } })) },
    ],
    ["canary.errors", { requests: { ...HARMLESS.requests, candidate: { all: 200, failed: 40 } } }],
    ["canary.latency", { times: { ...HARMLESS.times, candidate: many(100, (i) => (i % 2 ? 50 : 500)) } }],
  ])("takes it back where %s is shown to be broken", (clause, worse) => {
    const judged = judge({ ...HARMLESS, ...worse }, plan, 0);
    expect(judged.outcome).toBe("rollback");
    expect(judged.findings.filter(({ state }) => state === "broken")).toMatchObject([{ clause }]);
    expect(judged.reason).toContain(`(${clause})`);
  });

  test("of what belongs together only the first shows how the models agree", () => {
    const disagree = { stable: { decision: "Non-Cancer", probability: 0.1 } };
    const failed = { candidate: { decision: "Failed", probability: null } };
    const again = many(200, (i) => pair(i, { group: "one", ...(i === 0 ? failed : i === 1 ? {} : disagree) }));
    const judged = judge({ ...HARMLESS, pairs: again }, plan, 0);
    expect(of("canary.agreement", judged)).toMatchObject({
      ...{ state: "open", sentence: expect.stringContaining("otherwise: 0 of 1 ") },
    });
    const others = judge({ ...HARMLESS, pairs: [...HARMLESS.pairs, ...again] }, plan, 0);
    expect(of("canary.agreement", others)).toMatchObject({ state: "held" });
  });

  test("errors that the stable model has too are no fault of the candidate's", () => {
    const requests = { candidate: { all: 1000, failed: 100 }, stable: { all: 1000, failed: 100 } };
    expect(judge({ ...HARMLESS, requests }, plan, 0).outcome).toBe("advance");
  });

  /** Labelled scans of two models of these AUCs. */
  function labelled(candidate: number, stable: number, seed: number): readonly CanaryPair[] {
    const [mine = [], its = []] = drawn([candidate, stable], seed);
    return mine.map(({ id, group, label, probability }, i) => ({
      ...{ request: id, group, label },
      candidate: { decision: "Cancer", probability },
      stable: { decision: "Cancer", probability: its[i]?.probability ?? null },
    }));
  }

  test("takes back what people's labels show to be worse, by the test that promotes", () => {
    const judged = judge({ ...HARMLESS, pairs: labelled(0.85, 0.9, 3) }, plan, 0);
    expect(judged.outcome).toBe("rollback");
    expect(of("canary.labels", judged)).toMatchObject({ state: "broken" });
    expect(judged.labelled).toBe(1000);
    expect(judge({ ...HARMLESS, pairs: labelled(0.9, 0.85, 3) }, plan, 0).outcome).toBe("advance");
  });

  test("of equal models few are taken back, however often new labels are looked at", () => {
    let wrong = 0;
    const runs = 10;
    for (let run = 0; run < runs; run++) {
      const pairs = labelled(0.9, 0.9, 100 + run);
      for (let look = 0; look < 5; look++)
        if (judge({ ...HARMLESS, pairs: pairs.slice(0, 200 * (look + 1)) }, plan, look).outcome === "rollback") {
          wrong++;
          break;
        }
    }
    expect(wrong).toBeLessThanOrEqual(1);
  });
});
