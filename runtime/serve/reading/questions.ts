import type { ImageLimits, RejectionCode, ScanOutline } from "../../imaging";
import type { ExaminedInstance } from "../dicomweb/examine";
import type { StudyFacts } from "../studies";

/** What can be asked about a file, beside its bytes. */
export interface Asked {
  /** What its headers announce. */
  readonly outline: { readonly limits: Partial<ImageLimits> };
  /** Of what study a DICOM file is, and how a frame (from 1) lies in it. */
  readonly study: { readonly frame: number };
  /** What is stored of a part of a request. */
  readonly instance: Readonly<Record<never, never>>;
}

export interface Told {
  readonly outline: ScanOutline;
  readonly study: StudyFacts | undefined;
  readonly instance: ExaminedInstance;
}

export type Kind = keyof Asked;

export type Question = { readonly [K in Kind]: { readonly kind: K; readonly bytes: Uint8Array } & Asked[K] }[Kind];

/** Errors lose their class on the way out of a thread. */
export type Answer =
  | { readonly told: Told[Kind] }
  | { readonly rejected: { readonly code: RejectionCode; readonly message: string } }
  | { readonly failed: string };
