import { GPUS, type Gpu, type ListedRegion, REGIONS } from "./region-list";

/** A region that has something, seen from another. */
export interface NearRegion {
  readonly name: string;
  readonly place: string;
  /** To the ten: coordinates are no better. */
  readonly km: number;
  /** Whether the same law holds there: the same country, or the European Union for both. */
  readonly sameLaw: boolean;
  readonly sameContinent: boolean;
}

/** Of the countries of the list. */
const EUROPEAN_UNION = new Set(["BE", "DE", "ES", "FI", "FR", "IT", "NL", "PL", "SE"]);
const EARTH_RADIUS_KM = 6371;

/** A region's entry; undefined for one that the list does not have, which may be newer. */
export function listedRegion(name: string): ListedRegion | undefined {
  return Object.hasOwn(REGIONS, name) ? REGIONS[name] : undefined;
}

/** Names of the zones of a region that have a GPU: none if there is none, undefined if the region is not listed. */
export function zonesWith(region: string, gpu: Gpu): readonly string[] | undefined {
  const found = listedRegion(region);
  return found && [...(found.gpus[gpu] ?? "")].map((letter) => `${region}-${letter}`);
}

/** The GPUs of a region; undefined if it is not listed. */
export function gpusOf(region: string): readonly Gpu[] | undefined {
  const found = listedRegion(region);
  return found && GPUS.filter((gpu) => found.gpus[gpu] !== undefined);
}

/**
 * The region to go to for a GPU: where the same law holds if there is one, otherwise on the same continent, otherwise
 * anywhere; of these the nearest on the globe.
 * @returns undefined if the region is not listed, so that nobody knows where it lies
 */
export function nearestWith(region: string, gpu: Gpu): NearRegion | undefined {
  const from = listedRegion(region);
  if (!from) return undefined;
  const near = Object.entries(REGIONS)
    .filter(([, { gpus }]) => gpus[gpu] !== undefined)
    .map(([name, to]) => ({
      name,
      place: to.place,
      km: 10 * Math.round(distance(from.at, to.at) / 10),
      sameCountry: from.country === to.country,
      sameLaw: law(from) === law(to),
      sameContinent: continent(region) === continent(name),
    }));
  const strangeness = (one: (typeof near)[number]) =>
    [one.sameCountry, one.sameLaw, one.sameContinent].filter((same) => !same).length;
  return near.sort((a, b) => strangeness(a) - strangeness(b) || a.km - b.km)[0];
}

const law = ({ country }: ListedRegion) => (EUROPEAN_UNION.has(country) ? "EU" : country);

/** What the name of a region begins with; `us` lies in North America. */
export const continent = (region: string) => region.replace(/-.*/, "").replace(/^us$/, "northamerica");

/** Along a great circle, km. */
function distance(a: readonly [number, number], b: readonly [number, number]): number {
  const [[latA, lonA], [latB, lonB]] = [radians(a), radians(b)];
  const half = (angle: number) => Math.sin(angle / 2) ** 2;
  const chord = half(latB - latA) + Math.cos(latA) * Math.cos(latB) * half(lonB - lonA);
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.sqrt(chord));
}

const radians = ([latitude, longitude]: readonly [number, number]): [number, number] => [
  (latitude * Math.PI) / 180,
  (longitude * Math.PI) / 180,
];
