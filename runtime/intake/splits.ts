/** Parts of a data set: what a model learns from, what calibrates it, and what it is measured on. */
export const SPLITS = ["train", "validation", "test"] as const;
export type Split = (typeof SPLITS)[number];

/** A split by its name; null for anything else. */
export function asSplit(value: string | null | undefined): Split | null {
  return SPLITS.find((split) => split === value) ?? null;
}
