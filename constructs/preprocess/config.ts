import { z } from "zod";
import { linePart } from "../core/hospital-line";

/** `preprocess` of a hospital's line. */
export const preprocessLine = linePart({
  schema: z.strictObject({
    maxSpotWorkers: z.int().min(1).max(200).optional().describe("a whole number from 1 to 200"),
  }),
  purpose: {
    maxSpotWorkers: "Most Spot machines that the cluster adds to its two lasting workers while there is work.",
  },
  defaults: { prod: { maxSpotWorkers: 8 }, test: { maxSpotWorkers: 4 }, ephemeral: { maxSpotWorkers: 2 } },
});
