import { ConformalStream } from "../../../runtime/monitor/conformal";
import { betsOn, Detector, logBet, SHIFT_BETS } from "../../../runtime/monitor/detector";
import { RankedBag } from "../../../runtime/monitor/ranked";
import { mixSeed, normal, uniform } from "../../../runtime/platform/random";

describe("the bag of ranks", () => {
  test("counts as comparing with every member does, ties and all, however it grew", () => {
    const random = uniform(3);
    const values = Array.from({ length: 5000 }, () => Math.floor(random() * 700) - 350);
    const bag = new RankedBag(values.slice(0, 1300));
    const members = values.slice(0, 1300);
    for (const value of values.slice(1300)) {
      if (members.length % 97 === 0)
        expect(bag.rank(value)).toEqual({
          less: members.filter((member) => member < value).length,
          notGreater: members.filter((member) => member <= value).length,
        });
      bag.add(value);
      members.push(value);
    }
    expect(bag.size).toBe(5000);
    expect(new RankedBag().rank(1)).toEqual({ less: 0, notGreater: 0 });
  });
});

describe("conformal p-values", () => {
  /** Share of p-values in each tenth, over many references and streams that are exchangeable. */
  function tenths(value: (draw: () => number) => number): number[] {
    const counts = new Array<number>(10).fill(0);
    for (let run = 0; run < 400; run++) {
      const random = uniform(mixSeed(run, 5));
      const draw = normal(random);
      const next = () => value(draw);
      const stream = new ConformalStream(Array.from({ length: 9 }, next), random);
      for (let i = 0; i < 50; i++) {
        const at = Math.floor(10 * stream.next(next()));
        counts[at] = (counts[at] as number) + 1;
      }
    }
    return counts.map((count) => count / 20_000);
  }

  test.each<[string, (draw: () => number) => number]>([
    ["a smooth value", (draw) => draw()],
    ["heavy tails", (draw) => 1 / draw()],
    ["three values alone", (draw) => Math.max(-1, Math.min(1, Math.round(draw())))],
    ["one value", () => 7],
  ])("are uniform where nothing changes, even against nine scans: %s", (_, value) => {
    for (const share of tenths(value)) expect(Math.abs(share - 0.1)).toBeLessThan(0.012);
  });
});

describe("the detector", () => {
  test("bets with densities: each has mass 1", () => {
    for (const bet of [...SHIFT_BETS, { of: "tail", tail: 0.05, share: 0.2 } as const]) {
      let mass = 0;
      for (let i = 0; i < 100_000; i++) mass += Math.exp(logBet(bet, (i + 0.5) / 100_000)) / 100_000;
      expect(mass).toBeCloseTo(1, 3);
    }
  });

  // The same p-values for every statistic: nothing may be gained by counting one chance several times.
  test.each([
    [1, 20, false],
    [4, 3, true],
    [12, 300, true],
    [12, 40, false],
  ])(
    "rings no more often than proven: %i statistics, %i scans a day, dependent: %s",
    (statistics, scans, dependent) => {
      const [patience, days, runs] = [20, 80, 60];
      let alarms = 0;
      for (let run = 0; run < runs; run++) {
        const random = uniform(mixSeed(run, statistics, scans));
        const detector = new Detector(betsOn(statistics, SHIFT_BETS), patience);
        for (let day = 0; day < days; day++) {
          const own = () => Array.from({ length: scans }, () => random());
          const shared = own();
          const pvalues = Array.from({ length: statistics }, () => (dependent ? shared : own()));
          if (detector.day(pvalues, day).alarm) alarms++;
        }
      }
      const perRun = alarms / runs;
      // Three standard errors of a Poisson count above the bound.
      expect(perRun).toBeLessThan(days / patience + 3 * Math.sqrt(days / patience / runs));
    },
  );

  test("finds a shift of half a deviation in one of eight statistics, names it, and begins anew", () => {
    const delays: number[] = [];
    let named = 0;
    for (let run = 0; run < 20; run++) {
      const random = uniform(mixSeed(run, 77));
      const draw = normal(random);
      const streams = Array.from(
        { length: 8 },
        () =>
          new ConformalStream(
            Array.from({ length: 300 }, () => draw()),
            random,
          ),
      );
      const detector = new Detector(betsOn(8, SHIFT_BETS), 200);
      for (let day = 0; day < 60; day++) {
        const pvalues = streams.map((stream, i) =>
          Array.from({ length: 40 }, () => stream.next(draw() + (i === 5 && day >= 30 ? 0.5 : 0))),
        );
        const { alarm, drivers, level } = detector.day(pvalues, day);
        if (!alarm || day < 30) continue;
        delays.push(day - 30);
        expect(level).toBeGreaterThanOrEqual(1);
        const [first] = drivers;
        if (first?.statistic === 5 && first.bet.of === "place" && first.bet.tilt > 0 && first.since > 24) named++;
        // What was won is gone: a quiet day does not ring.
        expect(
          detector.day(
            pvalues.map(() => []),
            day + 1,
          ).alarm,
        ).toBe(false);
        break;
      }
    }
    expect(delays).toHaveLength(20);
    // A false alarm in these days is possible, and would name another.
    expect(named).toBeGreaterThanOrEqual(18);
    expect(delays.sort((a, b) => a - b)[17]).toBeLessThan(6);
  });
});
