import { auc, aucDifference } from "../../evaluate";
import { RECIPE } from "../../imaging";
import { AnswerPool, type ModelMetadata, type Views } from "../../model";
import { changePlan } from "../../promotion";
import { learnerOf } from "../learner";
import type { ChosenTeacher } from "./prepare";
import { servedTeacher, unservable } from "./served";

type Pupil = NonNullable<ModelMetadata["teacher"]>;

/** The same images, answered for by a pupil; see {@link TrainingSet.validation}. */
interface Answered {
  /** 1: Cancer. */
  readonly labels: Uint8Array;
  readonly groups: readonly string[];
  readonly own: Float32Array;
  readonly seed: number;
}

/**
 * How pupil and teacher compare where both are shown the same: on validation, ahead of the calibration.
 *
 * @returns undefined where a class is missing
 */
export function besidePupil({ labels, groups, own, seed }: Answered, taught: Float32Array): Pupil["beside"] {
  const [mine, its] = [own, taught].map((answers) => Float64Array.from(answers)) as [Float64Array, Float64Array];
  const scores = { labels, groups, probabilities: mine };
  const [first, second] = [auc(scores).value, auc({ ...scores, probabilities: its }).value];
  if (first === null || second === null) return undefined;
  const count = new Set(groups).size;
  // Of few groups a resample knows little: that two of them agree is no interval.
  const tested = count >= changePlan().comparison.leastGroups;
  const difference = (tested && aucDifference(scores, its, { seed })) || null;
  return { images: labels.length, groups: count, own: first, teacher: second, difference };
}

/** How a teacher itself is chosen, and at which price beside its pupil: a sentence. */
export async function describePrice(
  { made, backbone }: ChosenTeacher,
  network: Float32Array,
  pupil: { readonly metadata: Pick<ModelMetadata, "parameters" | "views">; readonly onnx: Uint8Array },
): Promise<string> {
  const problem = unservable(made, backbone.manifest);
  if (problem) return `The teacher itself cannot be served: ${problem}`;
  const { parameterCount } = learnerOf({ kind: "teacher", backbone: made }).layout;
  const teacher = servedTeacher(made, network);
  const { views } = pupil.metadata;
  const costs: number[] = [];
  try {
    for (const onnx of [pupil.onnx, teacher.onnx()]) costs.push(await processorMilliseconds(onnx, views));
  } finally {
    teacher.dispose();
  }
  const [own = 0, its = 0] = costs;
  const many = (count: number) => count.toLocaleString("en-US");
  return `--serve-teacher (train.serves "teacher" in a hospital's line) serves the teacher itself: ${many(parameterCount)} parameters in place of ${many(pupil.metadata.parameters)}, ${(its / own).toFixed(1)} times the processor time of an answer (${its.toFixed(0)} ms here in place of ${own.toFixed(0)}).`;
}

/** Of one answer in all views on one thread: the least of some, as others may be at work beside. */
async function processorMilliseconds(onnx: Uint8Array, views: Views | undefined): Promise<number> {
  const image = new Uint8Array(RECIPE.side ** 2 * RECIPE.channels).fill(100);
  const pool = await AnswerPool.start({ onnx, views }, { threads: 1 });
  try {
    await pool.answer(image);
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 4; i++) {
      const before = process.cpuUsage();
      await pool.answer(image);
      const { user, system } = process.cpuUsage(before);
      least = Math.min(least, (user + system) / 1000);
    }
    return least;
  } finally {
    await pool.close();
  }
}
