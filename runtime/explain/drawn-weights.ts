import { mixSeed, normal, uniform } from "../platform/random";

/**
 * A network with drawn weights in place of the learnt ones: each array of weights keeps its mean and its spread. What the
 * graph makes of them, the filter of the map, follows.
 *
 * @param network `model.onnx`
 */
export async function drawWeights(network: Uint8Array, seed: number): Promise<Uint8Array> {
  // Whoever only draws overlays has no need of it.
  // What it exports has no names that Node sees from outside.
  const { onnx } = (await import("onnx-proto")).default;
  const model = onnx.ModelProto.decode(network);
  for (const [i, array] of (model.graph?.initializer ?? []).entries()) {
    if (array.dataType !== onnx.TensorProto.DataType.FLOAT || !array.rawData) continue;
    const bytes = Buffer.from(array.rawData);
    const values = Float64Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(4 * at));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    const gaussian = normal(uniform(mixSeed(seed, i)));
    for (const at of values.keys()) bytes.writeFloatLE(mean + spread * gaussian(), 4 * at);
    array.rawData = bytes;
  }
  return onnx.ModelProto.encode(model).finish();
}
