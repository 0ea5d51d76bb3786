import { drawPhantom } from "../../../runtime/phantom";
import { AUGMENTATION } from "../../../runtime/train/augment";
import { type Batch, drawBatch, type TrainingImages } from "../../../runtime/train/batch";
import { NO_LESION, UNKNOWN_LESION } from "../../../runtime/train/lesions";

const SIDE = 128;
const AREA = SIDE * SIDE;
const [HEALTHY, DONOR, NOT_OUTLINED] = [0, 1, 2];

/** A healthy head, a tumour that is outlined, and one that is not. */
const images: TrainingImages = (() => {
  const pixels = new Uint8Array(3 * AREA);
  const masks = new Uint8Array(AREA);
  for (const row of [HEALTHY, DONOR, NOT_OUTLINED]) {
    const phantom = drawPhantom({ seed: 1, patient: row, slice: 0.5, size: SIDE, lesion: false });
    pixels.set(phantom.pixels, row * AREA);
  }
  for (let i = 0; i < AREA; i++) {
    if (Math.hypot((i % SIDE) - 64, Math.floor(i / SIDE) - 56) > 9) continue;
    masks[i] = 255;
    pixels[DONOR * AREA + i] = Math.min(255, (pixels[DONOR * AREA + i] as number) + 90);
  }
  return {
    side: SIDE,
    pixels,
    masks,
    labels: Uint8Array.of(0, 1, 1),
    maskOf: Int32Array.of(NO_LESION, 0, UNKNOWN_LESION),
    donors: Int32Array.of(DONOR),
    classWeights: [0.75, 1.5],
  };
})();

const EPOCHS = 200;
const epochs = Array.from({ length: EPOCHS }, (_, epoch) => epoch);
const withoutDonors = { ...images, donors: new Int32Array() };
const draw = (row: number, epoch: number, from = images) => drawBatch(from, Int32Array.of(row), epoch);
const samePicture = (a: Batch, b: Batch) => Buffer.from(a.pixels.buffer).equals(Buffer.from(b.pixels.buffer));

describe("a batch", () => {
  let healthy: Batch[];

  beforeAll(() => {
    healthy = epochs.map((epoch) => draw(HEALTHY, epoch));
  });

  it("shows some healthy heads with a lesion, as Cancer, and says where it lies", () => {
    let planted = 0;
    for (const { labels, importance, lesions, lesionImportance } of healthy) {
      planted += labels[0] as number;
      expect(importance[0]).toBe(labels[0] ? 1.5 : 0.75);
      expect(lesions.some((share) => share > 0)).toBe(labels[0] === 1);
      expect(lesionImportance[0]).toBeGreaterThan(0);
    }
    // Five standard deviations of a share of .15 over 200 draws.
    expect(Math.abs(planted / EPOCHS - AUGMENTATION.lesionChance)).toBeLessThan(0.13);
  });

  it("takes some of these lesions from outlined tumours, and draws the others", () => {
    const planted = epochs.filter((epoch) => healthy[epoch]?.labels[0] === 1);
    const taken = planted.filter((epoch) => !samePicture(healthy[epoch] as Batch, draw(HEALTHY, epoch, withoutDonors)));
    expect(taken.length / planted.length).toBeGreaterThan(0.2);
    expect(taken.length / planted.length).toBeLessThan(0.8);
  });

  it("plants nothing where there is a tumour, and teaches no map where nobody outlined it", () => {
    for (const epoch of epochs.slice(0, 40)) {
      const outlined = draw(DONOR, epoch);
      const notOutlined = draw(NOT_OUTLINED, epoch);
      expect(samePicture(outlined, draw(DONOR, epoch, withoutDonors))).toBe(true);
      expect(samePicture(notOutlined, draw(NOT_OUTLINED, epoch, withoutDonors))).toBe(true);
      expect([outlined.labels[0], notOutlined.labels[0]]).toEqual([1, 1]);
      expect(notOutlined.lesionImportance[0]).toBe(0);
      expect(outlined.lesions.some((share) => share > 0)).toBe(true);
    }
  });
});
