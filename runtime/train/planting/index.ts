import { mixSeed, uniform } from "../../platform/random";
import { DRAWN, drawLesion, type PlantedLesion } from "./draw-lesion";
import { HEAD } from "./head";
import { type Donor, TRANSPLANTED, transplantLesion } from "./transplant-lesion";

export type { PlantedLesion } from "./draw-lesion";
export type { Donor } from "./transplant-lesion";

/** All that decides a planted lesion beside head, donors and seed. */
export const PLANTING = {
  /** Donors that are tried, until the lesion of one fits. */
  tries: 6,
  head: HEAD,
  drawn: DRAWN,
  transplanted: TRANSPLANTED,
} as const;

/** The scans of other patients whose lesions may be planted. */
export interface Donors {
  readonly count: number;
  /** Chance that a lesion is one of theirs, if there are any; else it is drawn. */
  readonly chance: number;
  at(number: number): Donor;
}

/**
 * Shows a healthy head with a lesion: one of another patient, or a drawn one.
 *
 * @param pixels side x side grey values, uint8; they stay as they are
 * @param seed the same seed gives the same lesion
 * @returns undefined where there is no head to plant it in
 */
export function plantLesion(pixels: Uint8Array, side: number, donors: Donors, seed: number): PlantedLesion | undefined {
  const random = uniform(mixSeed(seed, 1));
  if (donors.count > 0 && random() < donors.chance) {
    for (let attempt = 0; attempt < PLANTING.tries; attempt++) {
      const donor = donors.at(Math.floor(random() * donors.count));
      const planted = transplantLesion(pixels, donor, side, mixSeed(seed, 2, attempt));
      if (planted) return planted;
    }
  }
  return drawLesion(pixels, side, seed);
}
