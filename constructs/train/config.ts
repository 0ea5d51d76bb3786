import { z } from "zod";
import { linePart } from "../core/hospital-line";
import { GPUS } from "./machine";

const gpu = "nvidia-tesla-t4";

/** `train` of a hospital's line. */
export const trainLine = linePart({
  schema: z.strictObject({
    gpu: z.enum(GPUS).optional().describe(GPUS.join(", ")),
    spot: z.boolean().optional().describe("true or false"),
  }),
  purpose: {
    gpu: "The accelerator of the training machine. The project needs quota for it in the region.",
    spot: "A Spot machine: about a third of the price, and taken away when Google needs it; training then goes on later.",
  },
  defaults: { prod: { gpu, spot: false }, test: { gpu, spot: true }, ephemeral: { gpu, spot: true } },
});
