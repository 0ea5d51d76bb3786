import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Bodies } from "./bodies";
import type { ModelSlot } from "./model-slot";
import type { Queue } from "./queue";
import type { ShadowCounts } from "./shadow";

/** What `/metrics` tells. Each server has its own registry, so that several can live in one process. */
export function createMetrics(
  slot: ModelSlot,
  queue: Queue,
  storing: Queue,
  bodies: Bodies,
  shadow: () => ShadowCounts | undefined,
) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: "serve_ready",
    help: "1 when a model is loaded, verified and warm",
    registers,
    collect() {
      this.set(slot.current ? 1 : 0);
    },
  });
  new Gauge({
    name: "serve_model_info",
    help: "1 for the model that is served",
    labelNames: ["model", "recipe"],
    registers,
    collect() {
      this.reset();
      const metadata = slot.current?.metadata;
      if (metadata) this.set({ model: metadata.id, recipe: metadata.recipe }, 1);
    },
  });
  new Gauge({
    name: "serve_requests_in_progress",
    help: "Predictions that were let in and are not done",
    registers,
    collect() {
      this.set(queue.size);
    },
  });
  new Gauge({
    name: "serve_storing_in_progress",
    help: "Requests with DICOM instances that were let in and are not done",
    registers,
    collect() {
      this.set(storing.size);
    },
  });
  new Gauge({
    name: "serve_body_bytes",
    help: "Memory of bodies that are on their way or worked on, bytes",
    registers,
    collect() {
      this.set(bodies.bytes);
    },
  });
  let counted = 0;
  new Counter({
    name: "serve_promotion_failures_total",
    help: "Times that a promoted model could not be loaded, verified or warmed",
    registers,
    collect() {
      this.inc(slot.failures - counted);
      counted = slot.failures;
    },
  });
  new Gauge({
    name: "serve_shadow_scans",
    help: "Scans that a second model was to look at since the start, by what became of them",
    labelNames: ["outcome"],
    registers,
    collect() {
      for (const [outcome, scans] of Object.entries(shadow() ?? {})) this.set({ outcome }, scans);
    },
  });
  return {
    registry,
    predictions: new Counter({
      name: "serve_predictions_total",
      help: "Predictions given, by model and decision",
      labelNames: ["model", "decision"],
      registers,
    }),
    refusals: new Counter({
      name: "serve_refusals_total",
      help: "Requests for a prediction that were refused, by code",
      labelNames: ["code"],
      registers,
    }),
    instances: new Counter({
      name: "serve_stored_instances_total",
      help: "DICOM instances that came by STOW-RS, by their failure reason; 0000: stored",
      labelNames: ["reason"],
      registers,
    }),
    seconds: new Histogram({
      name: "serve_prediction_seconds",
      help: "Time from the end of the upload to the answer, seconds",
      buckets: [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
  };
}
