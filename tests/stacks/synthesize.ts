import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { App } from "../../constructs/core/cdktf";
import { buildApp } from "../../stacks/app";
import type { HospitalLine } from "../../stacks/config";
import { platform } from "../../stacks/hospitals";
import type { ImageLock, ImageName } from "../../stacks/images";
import type { PlatformLine } from "../../stacks/platform-config";

export type Json = Record<string, unknown>;

/** One synthesized resource. */
export interface Resource {
  readonly type: string;
  readonly logicalId: string;
  /** Path of the construct that made it, from the stack on. */
  readonly path: string;
  readonly config: Json;
}

export class SynthesizedStack {
  constructor(
    readonly text: string,
    readonly json: Json,
  ) {}

  resources(type?: string): Resource[] {
    const byType = (this.json.resource ?? {}) as Record<string, Record<string, Json>>;
    return Object.entries(byType).flatMap(([found, instances]) =>
      type !== undefined && found !== type
        ? []
        : Object.entries(instances).map(([logicalId, config]) => ({
            type: found,
            logicalId,
            path: (config["//"] as { metadata: { path: string } }).metadata.path,
            config,
          })),
    );
  }

  resource(type: string, logicalId: string): Json {
    const found = this.resources(type).find((resource) => resource.logicalId === logicalId);
    if (!found) throw new Error(`There is no ${type}.${logicalId}`);
    return found.config;
  }
}

type Line = HospitalLine & { readonly projectNumber: string };

/** A reference as Terraform writes it. */
export const ref = (expression: string) => `\${${expression}}`;

export const PROD: Line = {
  name: "st-anna",
  tier: "prod",
  project: "mri-st-anna",
  projectNumber: "483920174655",
  region: "europe-west4",
};

export const TEST: Line = {
  name: "sandbox",
  tier: "test",
  project: "mri-sandbox",
  projectNumber: "716204983311",
  region: "us-central1",
  removal: "destroy",
};

const pushed = (name: ImageName, digit: string) => ({
  image: `europe-west4-docker.pkg.dev/mri-platform/brain-tumor-images/${name}`,
  digest: `sha256:${digit.repeat(64)}`,
  bundle: digit.repeat(64),
});

/** Images as if they had been pushed; no test depends on the images.lock.json of whoever runs it. */
export const PUSHED: ImageLock = { version: 1, images: { serve: pushed("serve", "a"), train: pushed("train", "b") } };
export const NOTHING_PUSHED: ImageLock = { version: 1, images: {} };

interface BuildOptions {
  readonly outdir: string;
  readonly images: ImageLock;
  readonly platform: PlatformLine;
}

/**
 * Runs the whole synthesis (aspects, preparation, validations, error annotations), which `Testing.synth` does not, and
 * reads back every file that it wrote.
 */
export function synthesize(
  lines: readonly HospitalLine[],
  build: (lines: readonly HospitalLine[], options: BuildOptions) => App = buildApp,
  images: ImageLock = PUSHED,
): { stacks: Map<string, SynthesizedStack>; manifest: Json } {
  const outdir = mkdtempSync(join(tmpdir(), "synth-"));
  try {
    build(lines, { outdir, images, platform }).synth();
    const manifest = JSON.parse(readFileSync(join(outdir, "manifest.json"), "utf8")) as Json;
    const stacks = new Map<string, SynthesizedStack>();
    for (const name of Object.keys(manifest.stacks as Json)) {
      const text = readFileSync(join(outdir, "stacks", name, "cdk.tf.json"), "utf8");
      stacks.set(name, new SynthesizedStack(text, JSON.parse(text) as Json));
    }
    return { stacks, manifest };
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}

export function stackOf(stacks: Map<string, SynthesizedStack>, name: string): SynthesizedStack {
  const stack = stacks.get(name);
  if (!stack) throw new Error(`There is no stack ${name}; there are ${[...stacks.keys()].join(", ")}`);
  return stack;
}
