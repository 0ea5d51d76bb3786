import type { HospitalLine } from "../stacks/config";

/** As many hospitals as one asks for, each in a project of its own, of prod and test in turn. */
export function hospitalsOf(count: number): HospitalLine[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `hospital-${index + 1}`,
    tier: index % 2 === 0 ? "prod" : "test",
    project: `bench-hospital-${index + 1}`,
    projectNumber: String(200_000_000_000 + index),
    region: "europe-west4",
  }));
}
