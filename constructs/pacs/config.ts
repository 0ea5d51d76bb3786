import { z } from "zod";
import { inEveryTier, linePart, type Tier } from "../core/hospital-line";
import { MEMBERS } from "../core/members";

/** What a hospital's line says of its stores in the Cloud Healthcare API. */
export const pacsLine = linePart({
  schema: z.strictObject({
    pacs: z.enum(["healthcare-api"]).optional().describe('"healthcare-api"'),
    pacsSenders: MEMBERS.optional(),
  }),
  purpose: {
    pacs: "Gives the hospital a DICOM store, whose MR images are ingested as they come, and a FHIR store for results, in the Cloud Healthcare API. Without it there are neither. In tiers prod and test, in a region that the API has.",
    pacsSenders:
      "Who may store into the DICOM store, and do nothing else there. They are let in once the function that ingests from it listens.",
  },
  defaults: inEveryTier({ pacsSenders: [] }),
});

/** Where the Cloud Healthcare API keeps datasets. https://cloud.google.com/healthcare-api/docs/requirements, read in 2026-11 */
const REGIONS = new Set([
  ...["asia-east1", "asia-east2", "asia-northeast1", "asia-northeast2", "asia-northeast3", "asia-south1"],
  ...["asia-southeast1", "asia-southeast2", "australia-southeast1", "australia-southeast2"],
  ...["europe-north1", "europe-west2", "europe-west3", "europe-west4", "europe-west6"],
  ...["me-central1", "me-central2", "me-west1", "northamerica-northeast1", "northamerica-northeast2"],
  ...["southamerica-east1", "us-central1", "us-east1", "us-east4", "us-west1", "us-west2", "us-west3"],
]);

type PacsLine = { readonly pacs?: string | undefined; readonly pacsSenders?: readonly string[] | undefined };

/**
 * Rules over several values, as ends of sentences that begin with the hospital.
 * @param extraRegions that Google opened after lists were made
 */
export function pacsProblems(
  { pacs, pacsSenders }: PacsLine,
  tier: Tier | undefined,
  region: string | undefined,
  extraRegions: readonly string[] = [],
): string[] {
  if (pacs === undefined)
    return (pacsSenders ?? []).length > 0
      ? ['"pacsSenders" names who may store, and there is no store; allowed: together with "pacs".']
      : [];
  const problems: string[] = [];
  if (tier === "ephemeral")
    problems.push(
      `"pacs" is "${pacs}" in tier ephemeral; allowed: in tiers prod and test, as environments share a project whose APIs, keys and roles belong to none of them.`,
    );
  if (region !== undefined && !REGIONS.has(region) && !extraRegions.includes(region))
    problems.push(
      `"pacs" is "${pacs}" in region "${region}", where the Cloud Healthcare API keeps nothing; allowed: ${[...REGIONS].join(", ")}.`,
    );
  return problems;
}

/** The Google APIs that a hospital needs beside the others for what its line says. */
export const pacsServices = ({ pacs }: PacsLine): readonly string[] =>
  pacs === undefined ? [] : ["healthcare.googleapis.com"];
