import { REGIONS, REGIONS_AS_OF } from "../constructs/core/region-list";
import { continent, listedRegion } from "../constructs/core/regions";
import { asRecord, nearestWord } from "./sentences";

/**
 * Why a region cannot be meant, as the end of a sentence; undefined if it can.
 * @param extra regions that Google opened after the list was made, from the platform's line
 */
export function regionProblem(key: string, region: string, extra: readonly string[] = []): string | undefined {
  if (listedRegion(region) || extra.includes(region)) return undefined;
  const names = Object.keys(REGIONS);
  const there = names.filter((name) => continent(name) === continent(region));
  const nearest = nearestWord(region, there.length > 0 ? there : names);
  const place = nearest === undefined ? "" : ` The nearest name is "${nearest}" (${REGIONS[nearest]?.place}).`;
  return `"${key}" is "${region}", which is no region of the list of ${REGIONS_AS_OF}.${place} If Google has opened it since, add it to "extraRegions" of the platform's line; allowed: ${there.join(", ") || names.join(", ")}.`;
}

/** `extraRegions` of a platform's line that may have mistakes elsewhere: hospitals' own are told all the same. */
export function extraRegionsOf(platform: unknown): readonly string[] {
  const { extraRegions } = asRecord(platform);
  return Array.isArray(extraRegions) ? extraRegions : [];
}
