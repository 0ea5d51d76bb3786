import { assignGroups, type Groupable } from "../runtime/dataset";
import { uniform } from "../runtime/platform/random";

/** What one grouping, in a process of its own, measures: node grouping-once.js IMAGES SEED prints it as JSON. */
export interface GroupingMeasurement {
  readonly images: number;
  readonly groups: number;
  readonly seconds: number;
  readonly peakMiB: number;
}

export const HASH_BYTES = 32;
/** Every second image is another version of the one before: re-encoded, resized. */
const VERSIONS = 2;
const FLIPPED_BITS = 16;

function syntheticImages(count: number, seed: number): Groupable[] {
  const random = uniform(seed);
  const images: Groupable[] = [];
  let hash: Buffer = Buffer.alloc(HASH_BYTES);
  for (let i = 0; i < count; i++) {
    if (i % VERSIONS === 0) hash = Buffer.from(Array.from({ length: HASH_BYTES }, () => 256 * random()));
    else hash = flipped(hash, random);
    const id = i.toString(16).padStart(64, "0");
    images.push({
      ...{ id, sha256: id, phash: hash.toString("hex"), compared: false },
      ...{ patient: null, study: null, series: null, givenSplit: null, group: null, split: null },
    });
  }
  return images;
}

/** Another version of a hash. */
export function flipped(hash: Buffer, random: () => number): Buffer {
  const result = Buffer.from(hash);
  for (let i = 0; i < FLIPPED_BITS; i++) {
    const bit = Math.floor(8 * HASH_BYTES * random());
    result[bit >> 3] = (result[bit >> 3] as number) ^ (1 << (bit & 7));
  }
  return result;
}

if (require.main === module) {
  const [count = "1000", seed = "0"] = process.argv.slice(2);
  const images = syntheticImages(Number(count), Number(seed));
  const start = performance.now();
  const { assignments } = assignGroups(images);
  const seconds = (performance.now() - start) / 1000;
  const groups = new Set([...assignments.values()].map(({ group }) => group)).size;
  const peakMiB = process.resourceUsage().maxRSS / 1024;
  const measurement: GroupingMeasurement = { images: images.length, groups, seconds, peakMiB };
  process.stdout.write(JSON.stringify(measurement));
}
