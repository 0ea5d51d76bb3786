import { type FittedGuard, fitGuard, type GuardScan } from "../guard";
import { labelledById, type OnlyImages } from "./data";
import type { TrainContext } from "./step";

/** Fits the input guard to the training and validation scans; test images are not looked at. */
export async function fitInputGuard(
  { workspace, signal }: Pick<TrainContext, "workspace" | "signal">,
  only?: OnlyImages,
): Promise<FittedGuard | undefined> {
  const scans: GuardScan[] = [];
  for (const split of ["train", "validation"] as const) {
    for (const { pixels, group } of await labelledById(workspace, split, only)) scans.push({ grey: pixels, group });
  }
  return fitGuard(scans, { signal });
}
