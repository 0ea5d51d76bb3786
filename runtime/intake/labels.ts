/** The two classes. Probability is always of `Cancer`. */
export const LABELS = ["Cancer", "Non-Cancer"] as const;
export type Label = (typeof LABELS)[number];

export const isLabel = (label: string | null | undefined): label is Label => LABELS.some((one) => one === label);

/** Folders of an input directory, and prefixes of the landing bucket, that hold scans. */
export const LABEL_FOLDERS = [...LABELS, "Unlabelled"] as const;
export type LabelFolder = (typeof LABEL_FOLDERS)[number];

/** Shown wherever a prediction is shown. */
export const DISCLAIMER = "For research only. Not for diagnostic use.";
