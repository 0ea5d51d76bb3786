import { parentPort, workerData } from "node:worker_threads";
import { useBackend } from "../tensorflow";
import { drawBatch } from "./batch";
import { Replica } from "./replica";
import type { ReplicaReply, ReplicaRequest, ReplicaSetup } from "./replica-pool";

/** One thread of a {@link ReplicaPool}. */
async function main(): Promise<void> {
  const { images, network, exchange, learner } = workerData as ReplicaSetup;
  await useBackend("wasm");
  const replica = new Replica(images, learner);
  const reply = (message: ReplicaReply) => parentPort?.postMessage(message);
  parentPort?.on("message", (request: ReplicaRequest) => {
    try {
      if (request.kind === "gradients") {
        replica.gradients(network, drawBatch(images, request.rows, request.seed), exchange);
        reply({ ok: true });
      } else {
        reply({ ok: true, probabilities: replica.predict(request.network, request.rows, request.views) });
      }
    } catch (error) {
      reply({ ok: false, message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
  reply({ ok: true });
}

void main();
