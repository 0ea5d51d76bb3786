import { z } from "zod";
import type { Tier } from "../constructs/core/hospital-line";

/** `.github/workflows/deliver.yml` has a job for each wave, and GitHub makes no jobs while it runs. */
export const LAST_WAVE = 5;

export const WAVE = z.int().min(1).max(LAST_WAVE).describe(`a whole number from 1 to ${LAST_WAVE}`);

/** What is only tried comes before what is relied upon. */
const WAVES: Readonly<Record<Tier, number | undefined>> = { prod: 2, test: 1, ephemeral: undefined };

/** The wave of a line: what it says, or its tier's; undefined for an ephemeral environment, which no roll-out meets. */
export function waveOf({
  tier,
  wave,
}: {
  readonly tier: Tier;
  readonly wave?: number | undefined;
}): number | undefined {
  return wave ?? WAVES[tier];
}

/** Who is rolled out together, the first wave first; within one, in the order of the lines. */
export function byWave<T extends { readonly wave?: number | undefined }>(hospitals: readonly T[]): Map<number, T[]> {
  const waves = new Map<number, T[]>();
  for (const hospital of hospitals)
    if (hospital.wave !== undefined) waves.set(hospital.wave, [...(waves.get(hospital.wave) ?? []), hospital]);
  return new Map([...waves].sort(([a], [b]) => a - b));
}
