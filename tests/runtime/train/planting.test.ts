import { type Donor, type PlantedLesion, plantLesion } from "../../../runtime/train/planting";
import { drawLesion } from "../../../runtime/train/planting/draw-lesion";
import { transplantLesion } from "../../../runtime/train/planting/transplant-lesion";

const SIDE = 128;
const [MIDDLE, RADIUS] = [64, 56];
const fromCentre = (i: number) => Math.hypot((i % SIDE) - MIDDLE, Math.floor(i / SIDE) - MIDDLE);
const picture = (value: (i: number) => number) => Uint8Array.from({ length: SIDE * SIDE }, (_, i) => value(i));

const head = picture((i) => (fromCentre(i) < RADIUS ? 90 + (i % 7) : 0));

/** Darker than `head` all over, with a lesion that is 60 brighter than its own tissue. */
const donor: Donor = (() => {
  const lesion = (i: number) => Math.hypot((i % SIDE) - 50, (Math.floor(i / SIDE) - 80) / 1.6) < 9;
  return {
    pixels: picture((i) => (fromCentre(i) < RADIUS ? 50 + (lesion(i) ? 60 : 0) : 0)),
    mask: picture((i) => (lesion(i) ? 255 : 0)),
  };
})();

const KINDS = [
  { kind: "drawn", plant: (pixels: Uint8Array, seed: number) => drawLesion(pixels, SIDE, seed) },
  { kind: "transplanted", plant: (pixels: Uint8Array, seed: number) => transplantLesion(pixels, donor, SIDE, seed) },
];

describe.each(KINDS)("a $kind lesion", ({ plant }) => {
  it("differs from the head inside its mask and hardly elsewhere, and lies in the head", () => {
    const seen = new Set<number>();
    for (let seed = 1; seed <= 30; seed++) {
      const planted = plant(head, seed);
      if (!planted) continue;
      const { pixels, mask } = planted;
      let [inside, changed, beyond] = [0, 0, 0];
      mask.forEach((value, i) => {
        if (value) {
          inside++;
          changed += Math.abs((pixels[i] as number) - (head[i] as number));
        }
        if (fromCentre(i) > 62) beyond += value + (pixels[i] as number);
      });
      expect(beyond).toBe(0);
      expect(inside).toBeGreaterThan(20);
      expect(changed / inside).toBeGreaterThan(14);
      seen.add(mask.indexOf(255));
    }
    expect(seen.size).toBeGreaterThan(15);
  });

  it("depends on the seed alone and leaves the head as it was", () => {
    const before = Uint8Array.from(head);
    expect(plant(head, 7)).toEqual(plant(head, 7));
    expect(head).toEqual(before);
  });

  it("is not planted where there is no head", () => {
    expect(plant(new Uint8Array(SIDE * SIDE), 1)).toBeUndefined();
  });
});

describe("a transplanted lesion", () => {
  it("differs from the tissue around it as it did at home, times .7 to 1.8, to either side", () => {
    const changes = Array.from({ length: 60 }, (_, seed) => transplantLesion(head, donor, SIDE, seed)).flatMap(
      (planted) => {
        if (!planted) return [];
        const inside = [...planted.mask.keys()].filter((i) => planted.mask[i] && head[i]);
        return inside.reduce((sum, i) => sum + (planted.pixels[i] as number) - (head[i] as number), 0) / inside.length;
      },
    );
    for (const change of changes) {
      expect(Math.abs(change)).toBeGreaterThan(0.5 * 60);
      expect(Math.abs(change)).toBeLessThan(1.9 * 60);
    }
    const brighter = changes.filter((change) => change > 0).length / changes.length;
    expect(brighter).toBeGreaterThan(0.6);
    expect(brighter).toBeLessThan(1);
  });

  it("keeps the shape of its mask", () => {
    const area = (mask: Uint8Array) => mask.filter((value) => value > 127).length;
    const shares = Array.from({ length: 40 }, (_, seed) => transplantLesion(head, donor, SIDE, seed)).flatMap(
      (planted) => (planted ? [area(planted.mask) / area(donor.mask)] : []),
    );
    expect(Math.min(...shares)).toBeGreaterThan(0.6 ** 2 * 0.85);
    expect(Math.max(...shares)).toBeLessThan(1.3 ** 2 * 1.1);
    expect(Math.max(...shares) / Math.min(...shares)).toBeGreaterThan(2);
  });

  it("is refused where it cannot be seen, or is too small to be one", () => {
    const invisible = { ...donor, pixels: picture((i) => (fromCentre(i) < RADIUS ? 50 : 0)) };
    const speck = { ...donor, mask: picture((i) => (i === MIDDLE * SIDE + MIDDLE ? 255 : 0)) };
    for (let seed = 0; seed < 20; seed++) {
      expect(transplantLesion(head, invisible, SIDE, seed)).toBeUndefined();
      expect(transplantLesion(head, speck, SIDE, seed)).toBeUndefined();
    }
  });
});

describe("planting", () => {
  const from = (chance: number, count = 1) => ({ count, chance, at: () => donor });
  const planted = (donors: ReturnType<typeof from>, seed: number) =>
    plantLesion(head, SIDE, donors, seed) as PlantedLesion;

  it("draws the lesion where there is no donor, or none is wanted", () => {
    for (const donors of [from(1, 0), from(0)]) expect(planted(donors, 3)).toEqual(drawLesion(head, SIDE, 3));
  });

  it("takes lesions of donors as often as asked", () => {
    const drawn = Array.from({ length: 40 }, (_, seed) => {
      const { pixels } = planted(from(0.5), seed);
      return Buffer.from(pixels).equals(Buffer.from((drawLesion(head, SIDE, seed) as PlantedLesion).pixels));
    });
    const share = drawn.filter(Boolean).length / drawn.length;
    expect(share).toBeGreaterThan(0.25);
    expect(share).toBeLessThan(0.75);
  });

  it("tries other donors where the lesion of one does not fit, and draws one where none does", () => {
    const speck = { ...donor, mask: picture((i) => (i === MIDDLE * SIDE + MIDDLE ? 255 : 0)) };
    const asked: number[] = [];
    const at = (number: number) => {
      asked.push(number);
      return number === 0 ? donor : speck;
    };
    plantLesion(head, SIDE, { count: 2, chance: 1, at }, 5);
    expect(asked.length).toBeGreaterThan(0);
    expect(plantLesion(head, SIDE, { count: 1, chance: 1, at: () => speck }, 5)).toEqual(drawLesion(head, SIDE, 5));
  });
});
