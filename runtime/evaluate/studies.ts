import type { Label } from "../intake";
import { type ChosenRule, chooseStudyRule, type StudyRule, studyProbability } from "../study";

/** An image with an answer, of a study where that is known. */
interface StudyImage {
  readonly label: Label;
  readonly group: string;
  readonly study?: string | undefined;
  readonly probability: number;
}

interface Study {
  readonly name: string;
  /** All of its images lie in it. */
  readonly group: string;
  readonly cancer: boolean;
  readonly probabilities: readonly number[];
}

/** The rule that validation studies speak for. */
export const ruleOf = (validation: readonly StudyImage[]): ChosenRule => chooseStudyRule(studiesOf(validation));

/** Studies as they are measured: like images of their own, each Cancer where any of its images is. */
export function answeredStudies(rule: StudyRule, images: readonly StudyImage[]) {
  return studiesOf(images).map(({ name, group, cancer, probabilities }) => ({
    path: name,
    label: cancer ? ("Cancer" as const) : ("Non-Cancer" as const),
    group,
    probability: studyProbability(rule, probabilities),
  }));
}

/** Images of which the study is known, by it. */
function studiesOf(images: readonly StudyImage[]): readonly Study[] {
  const studies = new Map<string, StudyImage[]>();
  for (const image of images) {
    if (image.study === undefined) continue;
    const others = studies.get(image.study);
    if (others) others.push(image);
    else studies.set(image.study, [image]);
  }
  return [...studies].map(([name, own]) => ({
    name,
    group: (own[0] as StudyImage).group,
    cancer: own.some(({ label }) => label === "Cancer"),
    probabilities: own.map(({ probability }) => probability),
  }));
}
