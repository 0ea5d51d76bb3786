/** `maskOf` of a row that is known to show no lesion: its lesion map is taught to be empty. */
export const NO_LESION = -1;
/** `maskOf` of a row of which nobody said where its lesion is: its lesion map is not taught. */
export const UNKNOWN_LESION = -2;

export const LESIONS = {
  /**
   * Importance of the lesion map beside the label. A map's mean cross-entropy is small, for most places are no lesion:
   * with this factor both losses are of one size.
   */
  weight: 8,
  /** By what a cell's share of lesion is multiplied: half a cell of lesion is lesion. */
  fullness: 2,
} as const;
