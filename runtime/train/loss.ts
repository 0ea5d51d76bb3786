import * as tf from "@tensorflow/tfjs-core";

/** Numerically stable binary cross-entropy on logits: max(z, 0) - z y + log(1 + exp(-|z|)). */
export function binaryCrossEntropy<T extends tf.Tensor>(labels: T, logits: T): T {
  const tail = tf.log1p(tf.exp(tf.neg(tf.abs(logits))));
  return tf.add(tf.sub(tf.relu(logits), tf.mul(logits, labels)), tail) as T;
}
