import { workerData } from "piscina";
import type { Backbone } from "../../backbone";
import { BackboneNetwork } from "./network";

/** One thread of an {@link ExtractionPool}: an onnxruntime session of its own. */

const network = BackboneNetwork.open(workerData as Backbone);
// Whoever asks hears of it; nobody may ask.
network.catch(() => undefined);

export default async function extract(planes: Uint8Array): Promise<Float32Array> {
  return (await network).extract(planes);
}
