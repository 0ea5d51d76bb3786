import { type Hashed, uniteNearDuplicates } from "../../../runtime/dataset/near-duplicates";
import { hashDistance, NEAR_DUPLICATE_DISTANCE, packHashes, SAME_PICTURE_DISTANCE } from "../../../runtime/imaging";
import { uniform } from "../../../runtime/platform/random";

/** Connected components by the definition, pair by pair. Old pairs count as united. */
function byEveryPair(images: readonly Hashed[]): string {
  return components(images, (unite) => {
    images.forEach((a, i) => {
      images.slice(0, i).forEach((b, j) => {
        if (areNear(a, b)) unite(i, j);
      });
    });
  });
}

function areNear(a: Hashed, b: Hashed): boolean {
  const distance = hashDistance(a.phash, b.phash);
  const strangers = a.patient !== null && b.patient !== null && a.patient !== b.patient;
  return distance <= (strangers ? SAME_PICTURE_DISTANCE : NEAR_DUPLICATE_DISTANCE);
}

function byIndex(images: readonly Hashed[]): string {
  return components(images, (unite) => {
    images.forEach((a, i) => {
      images.slice(0, i).forEach((b, j) => {
        if (!a.isNew && !b.isNew && areNear(a, b)) unite(i, j);
      });
    });
    uniteNearDuplicates(images, unite);
  });
}

/** The smallest position of everyone's component, after what groups do with patients. */
function components(images: readonly Hashed[], unions: (unite: (a: number, b: number) => void) => void): string {
  const parent = images.map((_, i) => i);
  const find = (i: number): number => (parent[i] === i ? i : find(parent[i] as number));
  const unite = (a: number, b: number) => {
    const [x, y] = [find(a), find(b)];
    parent[Math.max(x, y)] = Math.min(x, y);
  };
  images.forEach(({ patient }, i) => {
    const first = images.findIndex((other) => patient !== null && other.patient === patient);
    if (first >= 0) unite(first, i);
  });
  unions(unite);
  return images.map((_, i) => find(i)).join();
}

const random = uniform(20);
const below = (limit: number) => Math.floor(random() * limit);
const randomHash = () => Array.from({ length: 64 }, () => below(16).toString(16)).join("");

/** The hash with exactly `count` bits inverted. */
function withErrors(hash: string, count: number): string {
  const bytes = Buffer.from(hash, "hex");
  const bits = Array.from({ length: 256 }, (_, bit) => bit);
  for (let left = count; left > 0; left--) {
    const [bit = 0] = bits.splice(below(bits.length), 1);
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
  }
  return bytes.toString("hex");
}

/** The hash of the mirrored picture: two of the last three quarters inverted. */
function mirrored(hash: string, axis: number): string {
  const quarters = [[], [1, 3], [2, 3], [1, 2]][axis] as number[];
  const bytes = Buffer.from(hash, "hex");
  for (const quarter of quarters) for (let i = 8 * quarter; i < 8 * quarter + 8; i++) bytes[i] = ~(bytes[i] as number);
  return bytes.toString("hex");
}

/** Of two of many packed hashes, however one is mirrored: by the definition, without text. */
function distanceOf(packed: Uint32Array, i: number, j: number): number {
  // By quarters of 64 bits: mirrored, a quarter has the bits that it had not.
  const quarters = [0, 2, 4, 6].map(
    (w) =>
      countOnes((packed[8 * i + w] as number) ^ (packed[8 * j + w] as number)) +
      countOnes((packed[8 * i + w + 1] as number) ^ (packed[8 * j + w + 1] as number)),
  ) as [number, number, number, number];
  const [q0, q1, q2, q3] = quarters;
  return q0 + Math.min(q1 + q2 + q3, 64 - q1 + q2 + 64 - q3, q1 + 64 - q2 + 64 - q3, 64 - q1 + 64 - q2 + q3);
}

function countOnes(word: number): number {
  let ones = 0;
  for (let rest = word; rest !== 0; rest &= rest - 1) ones++;
  return ones;
}

describe("near-duplicates by multi-index hashing", () => {
  test.each([
    0,
    SAME_PICTURE_DISTANCE,
    SAME_PICTURE_DISTANCE + 1,
    NEAR_DUPLICATE_DISTANCE,
    NEAR_DUPLICATE_DISTANCE + 1,
  ])("pairs at distance %i are found exactly when it is within the limit, however mirrored", (distance) => {
    // Many at once, since what a call costs hardly depends on them. Random hashes are far from each other.
    const trials = Array.from({ length: 60 }, (_, trial) => trial);
    const pairs = trials.map((trial) => {
      const hash = randomHash();
      return [hash, mirrored(withErrors(hash, distance), trial % 4)];
    });
    const found = (patientsOf: (trial: number) => (string | null)[]) => {
      const images = pairs.flatMap((hashes, trial) =>
        hashes.map((phash, i) => ({ phash, patient: patientsOf(trial)[i] ?? null, isNew: i === trial % 2 })),
      );
      const united = new Set<string>();
      uniteNearDuplicates(images, (a, b) => united.add([a, b].sort((x, y) => x - y).join()));
      return [...united].sort();
    };
    const all = trials.map((trial) => `${2 * trial},${2 * trial + 1}`).sort();
    expect(found((trial) => [null, `p${trial}`])).toEqual(distance <= NEAR_DUPLICATE_DISTANCE ? all : []);
    expect(found((trial) => [`q${trial}`, `p${trial}`])).toEqual(distance <= SAME_PICTURE_DISTANCE ? all : []);
  });

  test("groups are those of a comparison of all pairs, with patients, mirrorings, and new images among old ones", () => {
    for (let trial = 0; trial < 8; trial++) {
      const bases = Array.from({ length: 12 }, randomHash);
      const images = Array.from({ length: 90 }, () => ({
        phash: mirrored(withErrors(bases[below(12)] as string, below(30)), below(4)),
        patient: random() < 0.8 ? null : `p${below(40)}`,
        isNew: trial === 0 || random() < 0.5,
      }));
      expect(byIndex(images)).toBe(byEveryPair(images));
      expect(new Set(byIndex(images).split(",")).size).toBeGreaterThan(1);
    }
  });

  test("none is missed among many: HASHES of them, of which a third share a band and a tenth is new", () => {
    const count = Number(process.env.HASHES ?? 2000);
    const bases = Array.from({ length: count / 4 }, randomHash);
    // Every 13th bit, from the first on, is of the first band.
    const withoutFirstBand = (hash: string) => {
      const bytes = Buffer.from(hash, "hex");
      for (let bit = 0; bit < 256; bit += 13) bytes[bit >> 3] = (bytes[bit >> 3] as number) & ~(128 >> (bit & 7));
      return bytes.toString("hex");
    };
    const hashes = new Set<string>();
    while (hashes.size < count) {
      const version = mirrored(withErrors(bases[below(bases.length)] as string, below(24)), below(4));
      hashes.add(hashes.size % 3 === 0 ? withoutFirstBand(version) : version);
    }
    const images = Array.from(hashes, (phash, i) => {
      return { phash, patient: below(2) === 0 ? `p${below(count)}` : null, isNew: i % 10 === 0 };
    });
    const packed = packHashes(images.map(({ phash }) => phash));
    const expected: (readonly [number, number])[] = [];
    const near = (i: number, j: number) => {
      const [a, b] = [images[i] as Hashed, images[j] as Hashed];
      // What is not new was looked at by an earlier run.
      if (!a.isNew && !b.isNew) return false;
      const strangers = a.patient !== null && b.patient !== null;
      return distanceOf(packed, i, j) <= (strangers ? SAME_PICTURE_DISTANCE : NEAR_DUPLICATE_DISTANCE);
    };
    for (let i = 0; i < count; i++) for (let j = 0; j < i; j++) if (near(i, j)) expected.push([i, j]);
    const sets = () => {
      const parent = images.map((_, i) => i);
      const find = (i: number): number => {
        let at = i;
        while (parent[at] !== at) at = parent[at] = parent[parent[at] as number] as number;
        return at;
      };
      const unite = (a: number, b: number) => {
        parent[find(a)] = find(b);
      };
      return { find, unite, count: () => new Set(images.map((_, i) => find(i))).size };
    };
    const [found, all] = [sets(), sets()];
    uniteNearDuplicates(images, found.unite);
    for (const [i, j] of expected) all.unite(i, j);
    expect(expected.filter(([i, j]) => found.find(i) !== found.find(j))).toEqual([]);
    expect(found.count()).toBe(all.count());
    expect(found.count()).toBeLessThan(count);
  });

  test("equal hashes are one picture: many names of it cost no pairs", () => {
    const [one, other] = [randomHash(), randomHash()];
    let calls = 0;
    const images = Array.from({ length: 4000 }, (_, i) => ({
      phash: i % 2 ? one : other,
      patient: `p${i}`,
      isNew: true,
    }));
    uniteNearDuplicates(images, () => calls++);
    expect(calls).toBe(3998);
  });
});
