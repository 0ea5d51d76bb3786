import { PICTURE_STATISTICS } from "../../../runtime/monitor/picture-statistics";
import { type Confirmed, INPUT_STATISTICS, oneOfEach, Watch, type WatchedScan } from "../../../runtime/monitor/watch";
import { PATIENCE } from "../../../runtime/monitor/watches";
import { sigmoid } from "../../../runtime/platform/numbers";
import { mixSeed, normal, uniform } from "../../../runtime/platform/random";

type Scan = WatchedScan & { readonly label: Confirmed["label"] };

/** Scans whose statistics hang together, and whose probabilities are calibrated. */
function hospital(seed: number) {
  const random = uniform(seed);
  const draw = normal(random);
  let made = 0;
  return {
    random,
    scan(change: { readonly statistic?: number; readonly by?: number; readonly prior?: number } = {}): Scan {
      const common = draw();
      const input = INPUT_STATISTICS.map((_, i) =>
        i === INPUT_STATISTICS.length - 1 ? null : common + draw() + (i === change.statistic ? (change.by ?? 0) : 0),
      );
      const cancer = random() < (change.prior ?? 0.5);
      const probability = sigmoid((cancer ? 4.5 : -4.5) + 3 * draw());
      return {
        name: `s${made++}`,
        input,
        probability,
        // The two are drawn from normals with distance 9 and deviation 3: these are the log odds.
        label: random() < probability ? "Cancer" : "Non-Cancer",
      };
    },
  };
}

const many = (count: number, make: () => Scan) => Array.from({ length: count }, make);

test("all watches together are proven to ring falsely less than once in two months", () => {
  expect(Object.values(PATIENCE).reduce((sum, days) => sum + 30 / days, 0)).toBeLessThan(0.5);
});

// 120 lives of 60 days: more false alarms than proven have a chance of a thousandth.
test.each([20, 40])(
  "rings falsely no more often than that, at %i scans a day with feedback on half of them",
  (scans) => {
    let alarms = 0;
    const lives = 40;
    for (let life = 0; life < lives; life++) {
      const { scan, random } = hospital(mixSeed(life, scans));
      const watch = new Watch({ scans: many(60, scan) }, life);
      for (let day = 0; day < 60; day++) {
        const today = many(scans, scan);
        alarms += watch.day(
          day,
          today,
          today.filter(() => random() < 0.5),
        ).alarms.length;
      }
    }
    const proven = 0.45 * 2 * lives;
    expect(alarms).toBeLessThan(proven + 3 * Math.sqrt(proven));
  },
);

test("names the statistic that moved, since when, and scans that moved with it", () => {
  const { scan } = hospital(21);
  const watch = new Watch({ scans: many(200, scan) }, 21);
  const noise = PICTURE_STATISTICS.indexOf("noise");
  const late = new Set<string>();
  for (let day = 0; day < 60; day++) {
    const today = many(40, () => scan(day >= 30 ? { statistic: noise, by: 1.2 } : {}));
    if (day >= 30) for (const { name } of today) late.add(name);
    const { alarms } = watch.day(day, today);
    if (day < 30) expect(alarms).toEqual([]);
    const [alarm] = alarms;
    if (!alarm) continue;
    expect(alarm).toMatchObject({ watch: "input", drivers: [{ statistic: "noise", direction: "higher" }] });
    expect(alarm.since).toBeGreaterThanOrEqual(28);
    expect(alarm.day).toBeLessThan(37);
    expect(alarm.scans).toHaveLength(10);
    expect(alarm.scans.filter((name) => late.has(name)).length).toBeGreaterThanOrEqual(9);
    return;
  }
  throw new Error("No alarm rang.");
});

test("more Cancer among the scans rings at the prediction", () => {
  const { scan } = hospital(9);
  const watch = new Watch({ scans: many(200, scan) }, 9);
  for (let day = 0; day < 50; day++) {
    const [alarm] = watch.day(
      day,
      many(40, () => scan(day >= 30 ? { prior: 0.75 } : {})),
    ).alarms;
    if (day < 30) expect(alarm).toBeUndefined();
    if (!alarm) continue;
    expect(alarm).toMatchObject({ watch: "prediction", drivers: [{ statistic: "log-odds", direction: "higher" }] });
    expect(alarm.day).toBeLessThan(37);
    return;
  }
  throw new Error("No alarm rang.");
});

test("labels that contradict the model ring at the feedback, within a week at eight labels a day", () => {
  const delays: number[] = [];
  for (let life = 0; life < 20; life++) {
    const { scan, random } = hospital(mixSeed(life, 10));
    const watch = new Watch({ scans: many(300, scan) }, life);
    for (let day = 0; day < 60 && delays.length === life; day++) {
      const today = many(8, scan).map((one) =>
        day >= 30 && random() < 0.17 ? { ...one, label: other(one.label) } : one,
      );
      const [alarm] = watch.day(day, [], today).alarms;
      if (alarm && day >= 30) {
        expect(alarm).toMatchObject({ watch: "feedback", drivers: [{ statistic: "loss", direction: "worse" }] });
        delays.push(day - 30);
      }
    }
  }
  expect(delays.filter((delay) => delay < 7).length).toBeGreaterThanOrEqual(18);
});

const other = (label: Confirmed["label"]): Confirmed["label"] => (label === "Cancer" ? "Non-Cancer" : "Cancer");

test("slices of one patient count once a day", () => {
  const slices = Array.from({ length: 30 }, (_, i) => ({ name: i, group: "one" }));
  const single = [{ name: 100 }, { name: 101, group: "two" }];
  const seen = new Map<number, number>();
  const random = uniform(1);
  for (let i = 0; i < 3000; i++) {
    const kept = oneOfEach([...slices, ...single], random);
    expect(kept).toHaveLength(3);
    expect(kept.slice(1)).toEqual(single);
    const { name } = kept[0] as (typeof slices)[number];
    seen.set(name, (seen.get(name) ?? 0) + 1);
  }
  // Each with the same chance: 100 times, and 6 deviations off.
  expect(seen.size).toBe(30);
  for (const times of seen.values()) expect(Math.abs(times - 100)).toBeLessThan(60);
});

test("a day without scans changes nothing and rings nothing", () => {
  const { scan } = hospital(12);
  const watch = new Watch({ scans: many(50, scan) }, 1);
  for (let day = 0; day < 1000; day++) {
    const { alarms, scans } = watch.day(day, []);
    expect(scans).toBe(0);
    expect(alarms).toEqual([]);
  }
});
