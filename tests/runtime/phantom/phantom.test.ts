import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { drawPhantom, drawPhantomFolder, PHANTOM_COLLECTION } from "../../../runtime/phantom";

const SLICES = Array.from({ length: 30 }, (_, patient) => ({ seed: 5, patient, slice: 0.1, size: 96 }));

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

describe("drawn phantoms", () => {
  it("are the same for the same seed and differ between patients", () => {
    const options = { seed: 1, patient: 2, slice: 0.2, size: 96, lesion: true };
    expect(drawPhantom(options).pixels).toEqual(drawPhantom(options).pixels);
    expect(drawPhantom({ ...options, patient: 3 }).pixels).not.toEqual(drawPhantom(options).pixels);
  });

  it("show a mass as a place in the head that stands out from the same head without one", () => {
    // Exposure is drawn anew for every file, so places are compared by their rank among the pixels of the file.
    for (const options of SLICES.slice(0, 5)) {
      const [sick, healthy] = [true, false].map((lesion) => drawPhantom({ ...options, lesion }).pixels);
      const changed = Array.from(sick as Uint8Array, (value, i) =>
        Math.abs(value - ((healthy as Uint8Array)[i] as number)),
      );
      const spread = changed.filter((difference) => difference > 2.5 * mean(changed)).length / changed.length;
      expect(spread).toBeGreaterThan(0.005);
      expect(spread).toBeLessThan(0.35);
    }
  });

  it("do not give the label away by their mean brightness", () => {
    const brightness = [true, false].map((lesion) =>
      SLICES.map((options) => mean(drawPhantom({ ...options, lesion }).pixels)),
    ) as [number[], number[]];
    const pairs = brightness[0].flatMap((sick) => brightness[1].map((healthy) => Number(sick > healthy)));
    expect(Math.abs(mean(pairs) - 0.5)).toBeLessThan(0.12);
  });

  it("come as a labelled folder that is drawn once, says that it is synthetic, and holds files that are not scans", async () => {
    const directory = mkdtempSync(join(tmpdir(), "phantoms-"));
    try {
      const folder = await drawPhantomFolder(directory, 3, { patients: 5 });
      const manifest = readFileSync(join(folder, "manifest.csv"), "utf8").trim().split("\n").slice(1);
      expect(manifest.every((line) => line.endsWith(`,${PHANTOM_COLLECTION}`))).toBe(true);
      const scans = ["Cancer", "Non-Cancer"].map((label) => readdirSync(join(folder, label)));
      expect(scans.flat()).toHaveLength(manifest.length + 2);
      expect(new Set(scans.flat().map((name) => name.split(".").at(-1)))).toEqual(new Set(["png", "jpg", "tif"]));
      const before = readFileSync(join(folder, "Cancer", scans[0]?.[0] as string));
      await drawPhantomFolder(directory, 3, { patients: 5 });
      expect(readFileSync(join(folder, "Cancer", scans[0]?.[0] as string))).toEqual(before);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
