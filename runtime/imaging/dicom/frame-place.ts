import { z } from "zod";
import type { StoredFramePlace } from "./geometry";

const number = z.number();

/** A {@link StoredFramePlace} as it is written down. */
export const framePlaceSchema: z.ZodType<StoredFramePlace> = z.object({
  columns: number,
  rows: number,
  squared: z.object({ width: number, height: number }),
  transposed: z.boolean(),
  mirrored: z.boolean(),
  flipped: z.boolean(),
  width: number,
  height: number,
});
