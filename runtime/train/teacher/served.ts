import * as tf from "@tensorflow/tfjs-core";
import { type BackboneGraph, type BackboneManifest, sidesOf } from "../../backbone";
import {
  type EngineRecord,
  type ModelFiles,
  type ModelMetadata,
  readVerified,
  TOPOLOGY_FILE,
  UnusableModelError,
  viewsOf,
  WEIGHTS_FILE,
} from "../../model";
import {
  imagesToTensor,
  layersNetwork,
  readNetwork,
  sharedMaximum,
  showAs,
  type TrainedNetwork,
  unshow,
} from "../../tensorflow";
import { VIEWS } from "../architecture";
import { exportTeacher, TEACHER_EXPORT, wholeOf } from "./export";
import { resized, TEACHER, type TeacherBackbone, TeacherNetwork } from "./network";

/** What tells a served teacher's `model.json` from one in the layers format of TensorFlow.js. */
const FORMAT = "fine-tuned-backbone";

/** What Grad-CAM explains of it: the two maps that an answer is drawn from. */
export const EXPLAINED = "features and lesion map";

/** `model.json` of a served teacher: all of its network but the numbers, which lie in `weights.bin` in the layout's order. */
interface Topology extends Omit<TeacherBackbone, "graph"> {
  readonly format: typeof FORMAT;
  /** Of what its backbone is shown, and of its lesion map's layer. */
  readonly side: number;
  readonly hidden: number;
  readonly graph: Omit<BackboneGraph, "weights"> & {
    readonly weights: readonly Pick<BackboneGraph["weights"][number], "name" | "shape">[];
  };
}

/** Why a teacher of this backbone cannot be served itself, as the end of a sentence; undefined where it can. */
export function unservable(backbone: TeacherBackbone, { features }: Pick<BackboneManifest, "features">) {
  if (wholeOf(backbone)) return undefined;
  return `its features ${features.tensor} are no means over a map, so no map says where an answer comes from. Name a map or its means as features.tensor in backbone.json, or let it teach alone.`;
}

/**
 * A teacher as what answers, on the current TensorFlow.js backend. The caller disposes it.
 *
 * @param network flat, in the layout of its network
 * @throws {Error} if it is {@link unservable}
 */
export function servedTeacher(
  backbone: TeacherBackbone,
  network: Float32Array,
  views: ModelMetadata["views"] = VIEWS,
): TrainedNetwork {
  const whole = wholeOf(backbone);
  if (!whole) throw new Error("A teacher whose features are no means over a map cannot be served.");
  const teacher = new TeacherNetwork(backbone);
  const answering = teacher.answering(network);
  const { fine } = backbone.maps;
  return {
    parameters: teacher.layout.parameterCount,
    export: TEACHER_EXPORT,
    onnx: () => exportTeacher({ ...backbone, whole }, teacher.folded(network)),
    async serialize() {
      const { graph, ...rest } = backbone;
      const weights = graph.weights.map(({ name, shape }) => ({ name, shape }));
      const { side, hidden } = TEACHER;
      const topology: Topology = { format: FORMAT, side, hidden, ...rest, graph: { ...graph, weights } };
      return {
        topology: Buffer.from(JSON.stringify(topology)),
        weights: Buffer.from(network.buffer, network.byteOffset, network.byteLength),
      };
    },
    async judge(pixels) {
      const shown = viewsOf(views);
      const [logits, map] = tf.tidy(() => {
        const image = imagesToTensor([pixels]);
        const evidence = answering.look(
          tf.concat(shown.map((view) => showAs(view, image))) as tf.Tensor4D,
          whole.tensor,
        );
        const maps = [evidence.whole, evidence.hidden] as const;
        let said: tf.Tensor | undefined;
        const { grads } = tf.valueAndGrads((...[first, second]: tf.Tensor[]) => {
          const asked = { whole: first as tf.Tensor4D, hidden: second as tf.Tensor4D };
          said = tf.keep(answering.conclude(asked, sharedMaximum));
          return tf.sum(said);
        })([...maps]);
        const [coarse, precise] = maps.map((values, i) =>
          tf.sum(tf.mul(values, tf.mean(grads[i] as tf.Tensor, [1, 2], true)), 3, true),
        ) as [tf.Tensor4D, tf.Tensor4D];
        // A cell of the coarser map counts as the cells of the finer one that lie in it.
        const cut = tf.mul(resized(coarse, fine.side), (whole.side / fine.side) ** 2);
        const both = tf.add(cut, precise);
        const back = shown.map((view, i) => unshow(view, tf.slice(both, [i, 0, 0, 0], [1, -1, -1, -1]) as tf.Tensor4D));
        return [said as tf.Tensor, tf.squeeze(tf.div(tf.addN(back), shown.length), [0, 3])] as const;
      });
      const values = Float32Array.from(await map.data());
      const given = Float32Array.from(await logits.data());
      tf.dispose([logits, map]);
      return { logits: given, map: { rows: fine.side, columns: fine.side, values } };
    },
    dispose: () => answering.dispose(),
  };
}

/**
 * The network that was trained, whichever kind it is, verified, on the current TensorFlow.js backend. The caller disposes
 * it.
 *
 * @param engine how the model's `model.onnx` was written, which it is measured against
 * @throws {UnusableModelError}
 */
export async function readTrained(
  files: ModelFiles,
  metadata: ModelMetadata,
  { export: exported }: Pick<EngineRecord, "export">,
): Promise<TrainedNetwork> {
  if (!metadata.fineTuned) return layersNetwork(await readNetwork(files, metadata), metadata, exported);
  const [topology, weights] = (await Promise.all(
    [TOPOLOGY_FILE, WEIGHTS_FILE].map((name) => readVerified(files, name, metadata.files[name])),
  )) as [Uint8Array, Uint8Array];
  try {
    const backbone = backboneOf(JSON.parse(Buffer.from(topology).toString("utf8")) as Topology);
    const network = new Float32Array(Uint8Array.from(weights).buffer);
    const { size } = new TeacherNetwork(backbone).layout;
    if (network.length !== size) throw new Error(`${WEIGHTS_FILE} has ${network.length} numbers, and it has ${size}`);
    return servedTeacher(backbone, network, metadata.views);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replace(/\.$/, "") : String(cause);
    const problem = `this program cannot read its fine-tuned network (${why}).`;
    throw new UnusableModelError(files.location, "bad-network", problem, { cause });
  }
}

function backboneOf({ format, side, hidden, graph, ...rest }: Topology): TeacherBackbone {
  if (format !== FORMAT) throw new Error(`${TOPOLOGY_FILE} is of the format ${JSON.stringify(format)}`);
  if (side !== TEACHER.side || hidden !== TEACHER.hidden)
    throw new Error(
      `it is shown ${side} pixels and has ${hidden} channels, ${TEACHER.side} and ${TEACHER.hidden} here`,
    );
  const values = new Float32Array();
  const named = { ...graph, weights: graph.weights.map((one) => ({ ...one, values })) };
  sidesOf(named, side, rest.input.channels === "grey" ? 1 : 3);
  return { ...rest, graph: named };
}
