import type { RejectedImage, RejectionCode } from "../../imaging";
import type { StoreInstancesResponse } from "../schemas";

/**
 * Why an instance was not stored: Failure Reason (0008,1197). PS3.18, table I.2-2; PS3.7, annex C, for what that table
 * leaves to other codes.
 */
export const FAILURE = {
  /** The landing bucket's disk is full or away, or there was no time left. */
  outOfResources: 0xa700,
  /** What every instance has is missing: its study, series, instance or SOP class, or it is no UID. */
  noStorageInstance: 0xa900,
  /** It is of another study than the one that the path names. */
  otherStudy: 0xa901,
  /** Its SOP Instance UID is none by PS3.5, 9.1: PS3.7, annex C. */
  invalidInstance: 0x0117,
  /** It is no DICOM, or contradicts itself. */
  notUnderstood: 0xc000,
  /** Reading it took too long. */
  tooLong: 0xc001,
  transferSyntax: 0xc122,
  processing: 0x0110,
  /** An instance of this UID is here already, with other bytes. */
  duplicate: 0x0111,
  sopClass: 0x0122,
} as const;

export type FailureReason = (typeof FAILURE)[keyof typeof FAILURE];

/** What became of one part of a request. */
export interface Outcome {
  /** As its sender calls it; undefined where that cannot be read. */
  readonly instance: { readonly sopClass: string; readonly uid: string } | undefined;
  /** The study's pseudonym. */
  readonly study: string | undefined;
  /** Undefined where it was stored. */
  readonly reason: FailureReason | undefined;
}

const REASONS: Partial<Record<RejectionCode, FailureReason>> = {
  "not-an-image": FAILURE.sopClass,
  "other-modality": FAILURE.sopClass,
  "unsupported-encoding": FAILURE.transferSyntax,
};

/** Why the reader of pictures refuses a file, in DICOM's words. */
export const reasonOf = ({ code }: RejectedImage): FailureReason => REASONS[code] ?? FAILURE.notUnderstood;

const ui = (value: string) => ({ vr: "UI" as const, Value: [value] });
const us = (value: number) => ({ vr: "US" as const, Value: [value] });
/** Nothing can be retrieved here: the attribute is there, and empty. */
const NO_URL = { vr: "UR" } as const;

/** The Store Instances Response Module (PS3.18, table I.1-1) as DICOM JSON. */
export function responseOf(outcomes: readonly Outcome[]): StoreInstancesResponse {
  const stored = [];
  const failed = [];
  const others = [];
  for (const { instance, reason } of outcomes) {
    const named = instance && { "00081150": ui(instance.sopClass), "00081155": ui(instance.uid) };
    if (named && reason === undefined) stored.push({ ...named, "00081190": NO_URL });
    else if (named && reason !== undefined) failed.push({ ...named, "00081197": us(reason) });
    else if (reason !== undefined) others.push({ "00081197": us(reason) });
  }
  return {
    "00081190": NO_URL,
    ...(stored.length > 0 ? { "00081199": { vr: "SQ", Value: stored } } : {}),
    ...(failed.length > 0 ? { "00081198": { vr: "SQ", Value: failed } } : {}),
    ...(others.length > 0 ? { "0008119A": { vr: "SQ", Value: others } } : {}),
  };
}
