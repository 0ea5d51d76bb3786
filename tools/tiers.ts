import { buildApp } from "../stacks/app";
import type { HospitalLine } from "../stacks/config";
import { readStacks, type SynthesizedStack, withScratch } from "./synthesized";

/** One hospital of every tier: what golden files, verification, costs and documents are made from. */
export const TIER_HOSPITALS: readonly HospitalLine[] = [
  { name: "prod", tier: "prod", project: "example-prod", projectNumber: "100000000001", region: "europe-west4" },
  { name: "test", tier: "test", project: "example-test", projectNumber: "100000000002", region: "europe-west4" },
  {
    name: "ephemeral",
    tier: "ephemeral",
    project: "example-ci",
    projectNumber: "100000000003",
    region: "europe-west4",
    expiresAt: "2027-01-31",
  },
];

/** Synthesizes a hospital of every tier. */
export function withTierStacks<T>(out: string | undefined, work: (stacks: readonly SynthesizedStack[]) => T): T {
  const synthesizeTo = (outdir: string) => {
    buildApp(TIER_HOSPITALS, { outdir, subject: "The hospitals of tools/tiers.ts" }).synth();
    return work(readStacks(outdir));
  };
  return out === undefined ? withScratch(synthesizeTo) : synthesizeTo(out);
}
