import type { ExplainReport } from "./folder";

/** A map that points no better than this many times chance, or hides no more than this share of places, is no help. */
const TIMES_CHANCE = 3;
const PEAK = 0.75;
/** Rank correlation from which two maps are much the same. */
const ALIKE = 0.7;
/** A share of fewer true positives says too little to doubt by. */
const ENOUGH = 10;

/** Why the maps of a model should not be shown to anyone, in sentences; none where nothing speaks against them. */
export function doubts({ pointing, sanity }: Pick<ExplainReport, "pointing" | "sanity">): string[] {
  const { hits, chance, scans } = pointing;
  const found: string[] = [];
  if (scans >= ENOUGH && hits !== null && chance !== null && hits < TIMES_CHANCE * chance) {
    found.push("the maps hardly point into lesions more often than chance does.");
  }
  if (sanity.hidingThePeak !== null && sanity.hidingThePeak < PEAK) {
    found.push("hiding a map's maximum costs Cancer hardly more than hiding another place.");
  }
  if (sanity.randomisedWeights !== null && sanity.randomisedWeights > ALIKE) {
    found.push("the maps hardly change when the weights are random: they show the picture, not what was learnt.");
  }
  return found;
}
