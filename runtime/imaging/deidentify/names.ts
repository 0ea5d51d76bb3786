/** What stands for the identifiers in a file: always the same for the same. */
export interface ReplacementNames {
  /** For Patient ID, at most 64 characters; undefined where the patient is not known. */
  readonly patient: string | undefined;
  /** A UID, at most 64 characters. It does not depend on the patient. */
  uid(uid: string): string;
  /** At most 16 characters (SH). */
  accession(value: string): string;
  /** Whole days that dates lie earlier, 1 to 3,652. */
  readonly dayShift: number;
}
