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
    serve: { domain: "mri.example.org", viewers: ["group:radiology@example.org"] },
    network: { egress: [{ name: "pacs", cidr: "203.0.113.0/28", ports: [443] }] },
  },
  { name: "test", tier: "test", project: "example-test", projectNumber: "100000000002", region: "europe-west4" },
];

/** What an ephemeral environment gets from its variables. */
const ENVIRONMENT = { CI_ENV_ID: "ephemeral", CI_EXPIRES_AT: "2027-01-31" };

/** As if both images had been pushed, so that nothing is left out. */
export const EXAMPLE_IMAGES: ImageLock = withStandIns({ version: 1, images: {} }, EXAMPLE_PLATFORM);

/** Synthesizes the platform and a hospital of every tier. */
export function withTierStacks<T>(out: string | undefined, work: (stacks: readonly SynthesizedStack[]) => T): T {
  const synthesizeTo = (outdir: string, variables: Record<string, string>) => {
    const subject = "The hospitals of tools/tiers.ts";
    const options = { subject, platform: EXAMPLE_PLATFORM, images: EXAMPLE_IMAGES, variables };
    buildApp(TIER_HOSPITALS, { ...options, outdir }).synth();
    return readStacks(outdir);
  };
  return withScratch((scratch) => {
    const stacks = synthesizeTo(out ?? `${scratch}/lasting`, {});
    // With CI_ENV_ID an app holds that environment and nothing else.
    return work([...stacks, ...synthesizeTo(out === undefined ? `${scratch}/ci` : `${out}-ci`, ENVIRONMENT)]);
  });
}
