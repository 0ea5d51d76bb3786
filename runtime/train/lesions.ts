/** `maskOf` of a row that is known to show no lesion: its lesion map is taught to be empty. */
export const NO_LESION = -1;
/** `maskOf` of a row of which nobody said where its lesion is: its lesion map is not taught. */
export const UNKNOWN_LESION = -2;

/**
 * Importance of the lesion map beside the label. A map's mean cross-entropy is small, for most places are no lesion: with
 * this factor both losses are of one size.
 */
export const LESION_WEIGHT = 8;
