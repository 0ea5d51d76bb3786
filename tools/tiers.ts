import { buildApp } from "../stacks/app";
import type { HospitalLine } from "../stacks/config";
import { type ImageLock, withStandIns } from "../stacks/images";
import type { PlatformLine } from "../stacks/platform-config";
import { readStacks, type SynthesizedStack, withScratch } from "./synthesized";

/** A platform and one hospital of every tier: what golden files, verification, costs and documents are made from. */
export const EXAMPLE_PLATFORM: PlatformLine = {
  project: "example-platform",
  projectNumber: "100000000009",
  region: "europe-west4",
  state: "gcs",
  billingAccount: "012345-6789AB-CDEF01",
  alertEmails: ["oncall@example.org"],
  repository: "example/brain-tumor-stack",
  ci: { project: "example-ci", projectNumber: "100000000003" },
};

export const TIER_HOSPITALS: readonly HospitalLine[] = [
  {
    name: "prod",
    tier: "prod",
    project: "example-prod",
    projectNumber: "100000000001",
    region: "europe-west4",
    // Every option that adds resources.
    analysts: ["group:analysts@example.org"],
    serve: {
      domain: "mri.example.org",
      viewers: ["group:radiology@example.org"],
      clinicians: ["domain:radiology.example.org"],
      admins: ["user:head@radiology.example.org"],
    },
    network: { egress: [{ name: "pacs", cidr: "203.0.113.0/28", ports: [443] }] },
  },
  { name: "test", tier: "test", project: "example-test", projectNumber: "100000000002", region: "europe-west4" },
];

/** What an ephemeral environment gets from its variables. */
export const EPHEMERAL = "ephemeral";
const ENVIRONMENT = { CI_ENV_ID: EPHEMERAL, CI_EXPIRES_AT: "2027-01-31" };

/** As if both images had been pushed, so that nothing is left out. */
export const EXAMPLE_IMAGES: ImageLock = withStandIns({ version: 1, images: {} }, EXAMPLE_PLATFORM);

export interface TierOptions {
  /** @default one of every tier but ephemeral, which `CI_ENV_ID` makes */
  readonly lines?: readonly HospitalLine[];
  /** @default the example of one */
  readonly platform?: PlatformLine;
  /** What the lines are called in an error. */
  readonly subject?: string;
  /** As for the one deploy before platform and hospitals are taken down. @default false */
  readonly allowDestroys?: boolean;
}

/**
 * Synthesizes platform and hospitals, with images as if they had been pushed, into a folder; and into `-ci` beside it an
 * ephemeral environment, where the platform has a project for those.
 */
export function tierStacks(out: string, options: TierOptions = {}): readonly SynthesizedStack[] {
  const { lines = TIER_HOSPITALS, subject = "The hospitals of tools/tiers.ts", allowDestroys } = options;
  const lifted = allowDestroys === undefined ? {} : { allowDestroys };
  const platform = { ...(options.platform ?? EXAMPLE_PLATFORM), ...lifted };
  const hospitals = Array.isArray(lines) ? lines.map((line) => ({ ...line, ...lifted })) : lines;
  const synthesizeTo = (outdir: string, variables: Record<string, string>) => {
    const images: ImageLock = { version: 1, images: {} };
    buildApp(hospitals, { subject, platform, images, standIns: true, variables, outdir }).synth();
    return readStacks(outdir);
  };
  const stacks = synthesizeTo(out, {});
  // With CI_ENV_ID an app holds that environment and nothing else.
  return platform.ci ? [...stacks, ...synthesizeTo(`${out}-ci`, ENVIRONMENT)] : stacks;
}

/** Gives work the platform and a hospital of every tier, synthesized. */
export function withTierStacks<T>(out: string | undefined, work: (stacks: readonly SynthesizedStack[]) => T): T {
  return withScratch((scratch) => work(tierStacks(out ?? `${scratch}/lasting`)));
}
