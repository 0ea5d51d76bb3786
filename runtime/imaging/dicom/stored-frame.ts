import type { Photometric } from "./description";

export type StoredValues =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** The samples of a frame as they were stored, before any table, rescaling or window; row by row, those of a pixel side by side. */
export interface StoredFrame {
  readonly values: StoredValues;
  /** What the samples mean; colours of JPEG 2000 are handed out as RGB. */
  readonly photometric: Photometric;
}
