import type { BackboneGraph, GraphWeights, Operation } from "./graph";

export type Activation = "relu" | "relu6" | "none";

/** An operation, and the activation that is done with it where it can be. */
export type Step = Operation & { readonly activation: Activation };

/** A {@link BackboneGraph} of fewer, larger steps. */
export interface FusedGraph extends Omit<BackboneGraph, "operations"> {
  readonly steps: readonly Step[];
}

/** Does each activation with the convolution or normalisation before it, where nothing else takes what that gives. */
export function fuse({ operations, ...graph }: BackboneGraph): FusedGraph {
  const takers = takersOf(operations, graph.output);
  const steps = new Map<string, Step>();
  for (const operation of operations) {
    if (operation.kind === "relu" || operation.kind === "relu6") {
      const before = steps.get(operation.input);
      const fits = before?.kind === "convolution" || before?.kind === "normalization";
      if (before && fits && before.activation === "none" && takers.get(before.output) === 1) {
        steps.delete(before.output);
        steps.set(operation.output, { ...before, output: operation.output, activation: operation.kind });
        continue;
      }
    }
    steps.set(operation.output, { ...operation, activation: "none" });
  }
  return { ...graph, steps: [...steps.values()] };
}

/**
 * The same network as it answers, without normalisations that stand behind a convolution: by their running statistics they
 * are a factor and a summand a channel.
 *
 * @param values the weights, in the order of the graph's; default: its own
 */
export function fold(graph: BackboneGraph, values = graph.weights.map((weight) => weight.values)): FusedGraph {
  const takers = takersOf(graph.operations, graph.output);
  const weights: GraphWeights[] = graph.weights.map(({ name, shape }, i) => ({
    ...{ name, shape },
    values: values[i] as Float32Array,
  }));
  const operations = new Map<string, Operation>();
  for (const operation of graph.operations) {
    const before = operation.kind === "normalization" ? operations.get(operation.input) : undefined;
    if (operation.kind !== "normalization" || before?.kind !== "convolution" || takers.get(before.output) !== 1) {
      operations.set(operation.output, operation);
      continue;
    }
    const of = (number: number) => (weights[number] as GraphWeights).values;
    const [scale, shift, mean, variance] = [operation.scale, operation.shift, operation.mean, operation.variance].map(
      of,
    ) as [Float32Array, Float32Array, Float32Array, Float32Array];
    const factor = scale.map((value, i) => value / Math.sqrt((variance[i] as number) + operation.epsilon));
    const { shape, name, values: filter } = weights[before.filter] as GraphWeights;
    const channels = factor.length;
    const bias = before.bias === null ? undefined : of(before.bias);
    const put = (weight: GraphWeights) => weights.push(weight) - 1;
    operations.delete(before.output);
    operations.set(operation.output, {
      ...before,
      output: operation.output,
      // The output's channel is the last side, of a depthwise filter the last two.
      filter: put({
        name: `${name} folded`,
        shape,
        values: filter.map((value, i) => value * (factor[i % channels] as number)),
      }),
      bias: put({
        name: `${name} bias`,
        shape: [channels],
        values: shift.map((value, i) => value + ((bias?.[i] ?? 0) - (mean[i] as number)) * (factor[i] as number)),
      }),
    });
  }
  return fuse({ ...graph, weights, operations: [...operations.values()] });
}

/** How many operations take each tensor, the network's output counted as one. */
function takersOf(operations: readonly Operation[], output: string): ReadonlyMap<string, number> {
  const takers = new Map([[output, 1]]);
  for (const operation of operations)
    for (const name of operation.kind === "sum" ? operation.inputs : [operation.input])
      takers.set(name, (takers.get(name) ?? 0) + 1);
  return takers;
}
