import { auc } from "../../../runtime/evaluate";
import { mixSeed, uniform } from "../../../runtime/platform/random";
import { changePlan, comparePaired, type ScoredScan } from "../../../runtime/promotion";
import { type PairedScores, pairedAuc } from "../../../runtime/promotion/paired-auc";
import { studentOfTail, tailOfStudent } from "../../../runtime/promotion/student";
import { drawn } from "./drawn";

const { comparison: PLAN } = changePlan();

const scoresOf = (champion: readonly ScoredScan[], challenger: readonly ScoredScan[]): PairedScores => ({
  labels: Uint8Array.from(champion, ({ label }) => (label === "Cancer" ? 1 : 0)),
  champion: Float64Array.from(champion, ({ probability }) => probability as number),
  challenger: Float64Array.from(challenger, ({ probability }) => probability as number),
  groups: champion.map(({ group }) => group),
});

test("Student's t is that of the tables", () => {
  // NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2.
  for (const [freedom, tail, t] of [
    [1, 0.05, 6.314],
    [5, 0.025, 2.571],
    [10, 0.01, 2.764],
    [30, 0.001, 3.385],
    [100, 0.001, 3.174],
  ] as const) {
    expect(studentOfTail(tail, freedom)).toBeCloseTo(t, 3);
    expect(tailOfStudent(t, freedom)).toBeCloseTo(tail, 4);
    expect(tailOfStudent(-t, freedom)).toBeCloseTo(1 - tail, 4);
  }
});

describe("two AUCs on the same scans", () => {
  test("are what evaluate measures, with the standard error that drawing groups again gives", () => {
    const [champion = [], challenger = []] = drawn([0.85, 0.87], 5);
    const scores = scoresOf(champion, challenger);
    const found = pairedAuc(scores);
    const { labels, groups } = scores;
    const its = auc({ labels, groups, probabilities: scores.champion }).value;
    const mine = auc({ labels, groups, probabilities: scores.challenger }).value;
    expect(found?.champion).toBeCloseTo(its as number, 12);
    expect(found?.challenger).toBeCloseTo(mine as number, 12);

    const names = [...new Set(groups)];
    const at = new Map(names.map((name) => [name, groups.flatMap((group, i) => (group === name ? [i] : []))]));
    const random = uniform(7);
    const differences = Array.from({ length: 300 }, () => {
      const rows = names.flatMap(() => at.get(names[Math.floor(random() * names.length)] as string) as number[]);
      const of = (values: Float64Array) => Float64Array.from(rows, (i) => values[i] as number);
      const again = { labels: Uint8Array.from(rows, (i) => labels[i] as number), groups: rows.map(String) };
      const value = (probabilities: Float64Array) => auc({ ...again, probabilities }).value as number;
      return value(of(scores.challenger)) - value(of(scores.champion));
    });
    const mean = differences.reduce((sum, value) => sum + value, 0) / differences.length;
    const spread = Math.sqrt(differences.reduce((sum, value) => sum + (value - mean) ** 2, 0) / differences.length);
    expect((found?.standardError as number) / spread).toBeGreaterThan(0.85);
    expect((found?.standardError as number) / spread).toBeLessThan(1.15);
  });

  test("know nothing of scans that hang together: ten copies of each are no more evidence", () => {
    const [champion = [], challenger = []] = drawn([0.85, 0.87], 6);
    const copies = (scans: readonly ScoredScan[]) =>
      scans.flatMap((scan) => Array.from({ length: 10 }, (_, i) => ({ ...scan, id: `${scan.id}-${i}` })));
    const once = comparePaired(champion, challenger, PLAN, 0.05);
    const often = comparePaired(copies(champion), copies(challenger), PLAN, 0.05);
    expect(often.p).toBeCloseTo(once.p as number, 10);
    expect(often.groups).toBe(once.groups);
  });

  test("that are the same show nothing, and a model that is not there has no AUC", () => {
    const [champion = []] = drawn([0.85], 7);
    expect(comparePaired(champion, champion, PLAN, 0.05)).toMatchObject({
      p: 1,
      better: false,
      difference: { value: 0, low: 0, high: 0 },
    });
    const ill = champion.filter(({ label }) => label === "Cancer");
    expect(comparePaired(ill, ill, PLAN, 0.05)).toMatchObject({ p: null, better: false, champion: null });
    expect(comparePaired([], [], PLAN, 0.05)).toMatchObject({ p: null, better: false, scans: 0 });
  });
});

describe("a comparison", () => {
  const [champion = [], better = [], worse = []] = drawn([0.85, 0.95, 0.75], 8);

  test("is of groups: with fewer than the plan's least nothing is shown, however large the difference", () => {
    const few = (scans: readonly ScoredScan[]) => scans.filter(({ group }) => Number(group.slice(1)) < 19);
    expect(comparePaired(few(champion), few(better), PLAN, 0.05)).toMatchObject({ groups: 19, p: null, better: false });
  });

  test("counts a refused scan as the worst answer: refusing wins nothing", () => {
    const refuses = (scans: readonly ScoredScan[], which: (scan: ScoredScan) => boolean) =>
      scans.map((scan) => (which(scan) ? { ...scan, probability: null } : scan));
    const hard = (scan: ScoredScan) => (scan.probability as number) > 0.3 && (scan.probability as number) < 0.7;
    const coward = comparePaired(champion, refuses(champion, hard), PLAN, 0.05);
    expect(coward.refused.challenger).toBeGreaterThan(100);
    expect(coward.better).toBe(false);
    expect(coward.difference?.value).toBeLessThan(-0.1);
    const both = refuses(champion, hard);
    expect(comparePaired(both, both, PLAN, 0.05).difference?.value).toBe(0);
  });

  test("finds the collection in which a better model is worse, and judges small ones together", () => {
    const mixed = champion.map((scan, i) => (scan.collection === "b" ? worse[i] : better[i]) as ScoredScan);
    const compared = comparePaired(champion, mixed, PLAN, 0.05);
    expect(compared.better).toBe(true);
    expect(compared.collections.map(({ name, regressed }) => [name, regressed])).toEqual([
      ["a", false],
      ["b", true],
      ["c", false],
    ]);
    // Ten collections of which none can be judged alone, and one that can.
    const split = (scans: readonly ScoredScan[]) =>
      scans.map((scan) =>
        scan.collection === "b" ? { ...scan, collection: `b${Number(scan.group.slice(1)) % 10}` } : scan,
      );
    const together = comparePaired(split(champion), split(mixed), PLAN, 0.05);
    expect(together.collections.map(({ name, regressed }) => [name, regressed])).toEqual([
      ["a", false],
      ["others", true],
      ["c", false],
    ]);
  });

  test("is refused with all that is wrong where the two are not of the same scans", () => {
    const [first, second, ...rest] = better as [ScoredScan, ScoredScan, ...ScoredScan[]];
    const wrong = [first, first, { ...second, probability: 1.5 }, { ...(rest[0] as ScoredScan), group: "g9" }];
    expect(() => comparePaired(champion, wrong, PLAN, 0.05)).toThrow(
      /^The models cannot be compared scan by scan\. .*two answers for one scan\..*1000 answers, the challenger 4\..*1\.5, which is no probability.*another group/s,
    );
    expect(() => comparePaired(champion.slice(1), better.slice(0, -1), PLAN, 0.05)).toThrow(
      /no answer for scan scan-0/,
    );
  });
});

test("the p-value is uniform where two models are equal, down to small values", () => {
  // `DRAWINGS=10000` for small values too.
  const drawings = Number(process.env.DRAWINGS ?? 60);
  const small = (limit: number, ps: readonly number[]) => ps.filter((p) => p <= limit).length / ps.length;
  const ps = Array.from({ length: drawings }, (_, i) => {
    const [champion = [], challenger = []] = drawn([0.9, 0.9], mixSeed(i, 11));
    return comparePaired(champion, challenger, { ...PLAN, leastGroups: 300 }, 0.05).p as number;
  });
  const rates = [0.5, 0.2, 0.05].map((limit) => [limit, small(limit, ps)] as const);
  if (process.env.DRAWINGS) console.log([...rates, [0.01, small(0.01, ps)], [0.001, small(0.001, ps)]]);
  // Four standard errors.
  for (const [limit, rate] of rates)
    expect(Math.abs(rate - limit)).toBeLessThan(4 * Math.sqrt((limit * (1 - limit)) / drawings));
}, 600_000);
