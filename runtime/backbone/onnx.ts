import { onnx } from "onnx-proto";
import type { BackboneManifest } from "./manifest";

/** Pictures that a network takes at a time, where it leaves that open. */
const BATCH = 16;

/** What is wrong with a network, as the end of a sentence that begins with its name. */
export class UnusableNetwork extends Error {}

/**
 * A network that gives the features and nothing else: a tensor inside becomes its output, and what comes after it is
 * never computed.
 *
 * @throws {UnusableNetwork}
 */
export function withFeatures(
  content: Buffer,
  manifest: BackboneManifest,
): { readonly onnx: Uint8Array; readonly batch: number } {
  const model = decoded(content);
  const { graph } = model;
  if (!graph?.node || graph.node.length === 0) throw new UnusableNetwork("is no ONNX network: it has no nodes.");
  const { tensor } = manifest.features;
  const made = graph.node.flatMap(({ output }) => output ?? []);
  if (!made.includes(tensor)) {
    const outputs = (graph.output ?? []).map(({ name }) => name).join(", ");
    throw new UnusableNetwork(`has no tensor ${tensor}; its outputs are ${outputs}.`);
  }
  const weights = new Set((graph.initializer ?? []).map(({ name }) => name));
  const inputs = (graph.input ?? []).filter(({ name }) => !weights.has(name));
  const [input, ...others] = inputs;
  if (!input || others.length > 0 || input.name !== manifest.input.name)
    throw new UnusableNetwork(
      `takes ${inputs.map(({ name }) => name).join(", ")}, where ${manifest.input.name} alone is due.`,
    );
  const batch = batchOf(input, manifest.input);
  const known = (graph.output ?? []).find(({ name }) => name === tensor);
  graph.output = [onnx.ValueInfoProto.create(known ?? { name: tensor })];
  return { onnx: onnx.ModelProto.encode(model).finish(), batch };
}

function decoded(content: Buffer): onnx.ModelProto {
  try {
    return onnx.ModelProto.decode(content);
  } catch (cause) {
    throw new UnusableNetwork("is no ONNX network.", { cause });
  }
}

/** How many pictures go in at a time; the other sides have to be those of the manifest, where the network names them. */
function batchOf(input: onnx.IValueInfoProto, { name, layout, size, channels }: BackboneManifest["input"]): number {
  const { elemType, shape } = input.type?.tensorType ?? {};
  if (elemType !== onnx.TensorProto.DataType.FLOAT)
    throw new UnusableNetwork(`takes no 32-bit floats as ${name}, and nothing else can be given.`);
  const depth = channels === "grey" ? 1 : 3;
  const due = layout === "NCHW" ? [depth, size, size] : [size, size, depth];
  const sides = (shape?.dim ?? []).map(({ dimValue }) => Number(dimValue ?? 0));
  const fits = sides.length === 4 && due.every((side, i) => !sides[i + 1] || sides[i + 1] === side);
  if (shape && !fits) {
    const taken = sides.map((side) => side || "any").join(" x ");
    throw new UnusableNetwork(`takes ${taken} as ${name}, and the manifest gives pictures x ${due.join(" x ")}.`);
  }
  const [pictures = 0] = sides;
  return pictures > 0 ? Math.min(pictures, BATCH * 16) : BATCH;
}
