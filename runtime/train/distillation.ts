import * as tf from "@tensorflow/tfjs-core";
import { binaryCrossEntropy } from "./loss";

/** What a pupil learns of its teacher beside what it learns of the labels and masks (Hinton et al. 2015). */
export const DISTILLATION = {
  /** Grows when other weights come out without a parameter changing. */
  version: 1,
  /** By what log odds are divided before they are compared: what a teacher is unsure of is then told too. */
  temperature: 2,
  /** Share of the teacher's answer in the loss of the answer; the label has the rest. */
  answer: 0.5,
  /** Importance of the teacher's lesion map, where a mask is the whole truth and where there is none. */
  map: 1,
  /** Importance of the teacher's features. */
  features: 0.5,
  /** Most unlabelled images of an epoch, as a share of the labelled ones. */
  unlabelled: 1,
} as const;

/** What a network says of a batch. */
interface Said {
  readonly logits: tf.Tensor1D;
  readonly lesions: tf.Tensor3D;
  /** [n, length]; pupil and teacher have another length. */
  readonly features: tf.Tensor2D;
}

/**
 * How far a pupil is from its teacher: cross-entropy of the answer at a temperature and of the lesion map, and one minus the
 * cosine between features, both without the batch's mean, after a projection that is learnt and then left out.
 *
 * @param projection [pupil's length, teacher's length]
 */
export function distance(pupil: Said, teacher: Said, projection: tf.Tensor2D): tf.Scalar {
  const { temperature, answer, map, features } = DISTILLATION;
  const soft = tf.sigmoid(tf.div(teacher.logits, temperature)) as tf.Tensor1D;
  // Its gradient is of the size of the label's, whatever the temperature (Hinton et al. 2015, section 2).
  const logits = tf.mul(
    tf.mean(binaryCrossEntropy(soft, tf.div(pupil.logits, temperature) as tf.Tensor1D)),
    answer * temperature ** 2,
  );
  const lesions = tf.mul(tf.mean(binaryCrossEntropy(tf.sigmoid(teacher.lesions), pupil.lesions)), map);
  const similar = cosine(tf.matMul(pupil.features, projection) as tf.Tensor2D, teacher.features);
  return tf.add(tf.add(logits, lesions), tf.mul(tf.sub(1, similar), features)) as tf.Scalar;
}

/** Mean cosine between rows, each without the mean of all. */
function cosine(one: tf.Tensor2D, other: tf.Tensor2D): tf.Scalar {
  const centred = (values: tf.Tensor2D) => tf.sub(values, tf.mean(values, 0, true));
  const [a, b] = [centred(one), centred(other)];
  const length = (values: tf.Tensor) => tf.sqrt(tf.add(tf.sum(tf.square(values), 1), 1e-6));
  return tf.mean(tf.div(tf.sum(tf.mul(a, b), 1), tf.mul(length(a), length(b)))) as tf.Scalar;
}
