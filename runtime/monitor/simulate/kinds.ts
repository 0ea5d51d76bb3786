import { PICTURE_DRIFTS, type PictureDrift } from "./drifts";

/** What a simulated hospital may go through. */
export const DRIFT_KINDS = [...PICTURE_DRIFTS, "prevalence", "accuracy"] as const;
export type DriftKind = (typeof DRIFT_KINDS)[number];

export interface Drift {
  readonly kind: DriftKind;
  /** The first day with it; days count from 0. */
  readonly day: number;
  /** Of pictures: the share of scans that it concerns; else the prevalence or accuracy from then on. */
  readonly to: number;
}

const USUAL: Readonly<Record<DriftKind, number>> = {
  ...(Object.fromEntries(PICTURE_DRIFTS.map((kind) => [kind, 1])) as Record<PictureDrift, number>),
  prevalence: 0.7,
  accuracy: 0.8,
};

/**
 * Reads KIND@DAY, or KIND@DAY:VALUE.
 *
 * @throws {RangeError} a sentence for a person
 */
export function parseDrift(text: string): Drift {
  const [, kind = "", day = "", to] = /^([a-z]+)@(\d{1,5})(?::(0?\.\d+|0|1|1\.0*))?$/.exec(text) ?? [];
  const known = DRIFT_KINDS.find((one) => one === kind);
  if (!known)
    throw new RangeError(
      `"${text}" is not KIND@DAY or KIND@DAY:SHARE, with one of ${DRIFT_KINDS.join(", ")}, such as contrast@40 or prevalence@40:0.7`,
    );
  return { kind: known, day: Number(day), to: to === undefined ? USUAL[known] : Number(to) };
}
