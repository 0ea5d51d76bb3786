import { uniform } from "../../../runtime/platform/random";
import {
  chooseStudyRule,
  type LabelledStudy,
  LEAST_STUDIES,
  studyDecision,
  studyProbability,
} from "../../../runtime/study";

/** Studies in which the second largest slice tells, and the largest is noise. */
function studies(count: number, seed: number): LabelledStudy[] {
  const random = uniform(seed);
  return Array.from({ length: count }, (_, i) => {
    const cancer = i % 2 === 0;
    const low = Array.from({ length: 8 + Math.floor(20 * random()) }, () => 0.02 + 0.1 * random());
    const telling = cancer ? 0.5 + 0.4 * random() : 0.15 + 0.2 * random();
    return { cancer, group: `group ${i}`, probabilities: [...low, 0.91 + 0.08 * random(), telling] };
  });
}

test("the rule is the number of the slices that tells studies apart, calibrated, and a study's answer follows from it", () => {
  const chosen = chooseStudyRule(studies(120, 1));
  if (!("rule" in chosen)) throw new Error(chosen.reason);
  expect(chosen.rule.statistic).toBe("rank-2");
  expect(chosen.choice).toMatchObject({ studies: 120, cancer: 60, nonCancer: 60 });
  const losses = new Map(chosen.choice.candidates.map(({ statistic, logLoss }) => [statistic, logLoss]));
  // Nothing is known by the largest: about the log of 2.
  expect(losses.get("rank-1")).toBeGreaterThan(0.6);
  expect(losses.get("rank-2")).toBeLessThan(0.3);
  const right = studies(200, 2).filter(
    ({ cancer, probabilities }) =>
      (studyDecision(chosen.rule, studyProbability(chosen.rule, probabilities)) === "Cancer") === cancer,
  );
  expect(right.length).toBeGreaterThan(190);
  // In whatever order slices come.
  const [{ probabilities } = { probabilities: [] }] = studies(1, 3);
  expect(studyProbability(chosen.rule, [...probabilities].reverse())).toBe(
    studyProbability(chosen.rule, probabilities),
  );
  // Of fewer slices than the rank, the smallest; of none there is no answer.
  expect(studyProbability({ ...chosen.rule, statistic: "rank-8" }, [0.9, 0.2])).toBe(
    studyProbability({ ...chosen.rule, statistic: "rank-2" }, [0.9, 0.2]),
  );
  expect(() => studyProbability(chosen.rule, [])).toThrow(RangeError);
});

test("studies of a patient are held out together", () => {
  // Each patient's studies have a number of their own: by a split of studies, noise would look like knowledge.
  const random = uniform(5);
  const chosen = chooseStudyRule(
    Array.from({ length: 60 }, (_, i) => ({
      cancer: i % 2 === 0,
      group: `patient ${i % 2}`,
      probabilities: [i % 2 === 0 ? 0.9 : 0.1, random()],
    })),
  );
  if (!("rule" in chosen)) throw new Error(chosen.reason);
  // One class alone is left to learn from in each fold, so nothing can be calibrated.
  expect(Math.min(...chosen.choice.candidates.map(({ logLoss }) => logLoss))).toBeGreaterThan(0.1);
});

test.each([
  ["no study", [], /no image of which study or patient is known/],
  ["nobody healthy", studies(80, 1).filter(({ cancer }) => cancer), /40 studies or patients with Cancer and 0 without/],
  ["one too few", studies(2 * LEAST_STUDIES - 1, 1), /10 .* and 9 without, and 10 of each/],
])("%s: none is chosen, and the reason is said", (_, given, reason) => {
  const chosen = chooseStudyRule(given);
  expect("reason" in chosen && chosen.reason).toMatch(reason);
});
