import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { ingestStep } from "../../../runtime/ingest";
import { drawPhantom } from "../../../runtime/phantom";
import { createLogger } from "../../../runtime/platform/logging";
import { silentProgress } from "../../../runtime/platform/progress";
import type { StepContext } from "../../../runtime/platform/step";
import { openWorkspace } from "../../../runtime/platform/workspace";
import { preprocessStep } from "../../../runtime/preprocess";

export interface Slice {
  readonly name: string;
  readonly patient: number | null;
  readonly split: string;
  /** A lesion mask is sent with it: a square, another square, or nothing. */
  readonly mask?: "square" | "corner" | "empty";
  /** The picture of another slice, larger and as a JPEG, or its very bytes. */
  readonly copy?: { readonly of: string; readonly as: "bytes" | "jpeg" };
}

/** A workspace below `root` in which these slices are preprocessed; the caller closes it. */
export async function prepareSlices(root: string, title: string, slices: readonly Slice[]): Promise<StepContext> {
  const data = join(root, `${title}-data`);
  for (const label of ["Cancer", "Non-Cancer", "Unlabelled"]) mkdirSync(join(data, label), { recursive: true });
  mkdirSync(join(data, "masks"), { recursive: true });
  for (const [index, { name, patient, copy, mask }] of slices.entries()) {
    if (mask) {
      const shift = mask === "corner" ? 12 : 0;
      const within = (at: number, from: number) => at > from - shift && at < from + 10 - shift;
      const square = (i: number) => mask !== "empty" && within(i % 64, 30) && within(Math.floor(i / 64), 20);
      const drawn = Uint8Array.from({ length: 64 * 64 }, (_, i) => (square(i) ? 255 : 0));
      await sharp(drawn, { raw: { width: 64, height: 64, channels: 1 } })
        .png()
        .toFile(join(data, name.replace(/^[^/]+/, "masks")));
    }
    if (copy?.as === "bytes") copyFileSync(join(data, copy.of), join(data, name));
    if (copy?.as === "jpeg")
      await sharp(join(data, copy.of)).resize(150).jpeg({ quality: 80 }).toFile(join(data, name));
    if (copy) continue;
    const lesion = name.startsWith("Cancer/");
    const { pixels } = drawPhantom({
      seed: 4,
      patient: patient ?? index + 50,
      slice: (index % 5) / 6,
      size: 64,
      lesion,
    });
    const image = sharp(pixels, { raw: { width: 64, height: 64, channels: 1 } });
    await image.png().toFile(join(data, name));
  }
  const rows = slices.map(({ name, patient, split }) => `${name},${patient === null ? "" : `p${patient}`},${split}`);
  writeFileSync(join(data, "manifest.csv"), `${["path,patient_id,split", ...rows].join("\n")}\n`);
  const workspace = await openWorkspace(join(root, title));
  const context: StepContext = {
    workspace,
    seed: 0,
    log: createLogger("test"),
    progress: silentProgress,
    signal: new AbortController().signal,
  };
  await ingestStep(context, { data });
  await preprocessStep(context);
  return context;
}
