import type { ModelMetadata } from "./metadata";

type Pupil = NonNullable<ModelMetadata["teacher"]>;

/** How a pupil and its teacher did on validation, and whether one of them is better: the part of a sentence about the pupil. */
export function besideInWords({ images, groups, own, teacher, difference }: NonNullable<Pupil["beside"]>): string {
  const aucs = `on validation (${images} images in ${groups} groups) its AUC is ${own.toFixed(4)}, the teacher's ${teacher.toFixed(4)}`;
  if (!difference) return `${aucs}; so few groups cannot tell which is better`;
  const { value, low, high } = difference;
  const interval = `${low.toFixed(4)} to ${high.toFixed(4)}`;
  const verdict =
    low > 0
      ? "the teacher alone is better by more than chance allows"
      : high < 0
        ? "the pupil is better by more than chance allows"
        : "neither is better by more than chance allows";
  return `${aucs}; ${verdict} (teacher less pupil ${value.toFixed(4)}, 95 % interval ${interval}, groups resampled)`;
}

/** Whose pupil a model is, and how both compare, as a sentence without its full stop. */
export const describeTeacher = ({ id, beside }: Pupil): string =>
  `a pupil of ${id}${beside ? `: ${besideInWords(beside)}` : ""}`;
