import { createHash } from "node:crypto";
import { type DicomHeader, isDicom, readDicomHeader } from "../imaging";
import { DAY_MS } from "../platform/day";
import type { Identities } from "./identities";
import type { ManifestEntry } from "./manifest";
import { type DicomPlace, namesOfLanded, placeOf } from "./scan-names";

/** What is known of a file beside its pixels, without an identifier. What nobody says is undefined. */
export interface ScanFacts extends Partial<DicomPlace> {
  /** Pseudonym: 64 hex digits. */
  readonly patient: string | undefined;
  /** Pseudonym: 16 hex digits. */
  readonly accession: string | undefined;
  readonly sequence: string | undefined;
  readonly bodyPart: string | undefined;
  /** Manufacturer, model and tesla, such as `Siemens Skyra 3T`. */
  readonly scanner: string | undefined;
  /** `YYYY-MM-DD`, some days earlier than it was: the same for all of a patient's. */
  readonly acquiredOn: string | undefined;
  /** How a page lies in the patient, from 1. */
  readonly viewOf: (page: number) => string | undefined;
}

/** A DICOM file's header, and what stands for the file where the header does not say it. */
export interface ScannedHeader {
  readonly header: DicomHeader;
  /** Of all its bytes. */
  readonly sha256: string;
}

/** @returns undefined for what is no DICOM file */
export function scannedHeader(bytes: Buffer, sha256 = sha256Of(bytes)): ScannedHeader | undefined {
  return isDicom(bytes) ? { header: readDicomHeader(bytes), sha256 } : undefined;
}

const sha256Of = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

/**
 * Merges what manifest and header say. The manifest wins where it says something (patient, view): it is what a person wrote
 * of these scans, a header may be what a scanner was left at. All else is the header's.
 *
 * @param object name below landing
 */
export async function factsOf(
  object: string,
  entry: Pick<ManifestEntry, "patientId" | "view"> | undefined,
  scanned: ScannedHeader | undefined,
  identities: () => Promise<Identities>,
): Promise<ScanFacts> {
  // In the form that headers are read in: how a file writes é makes no other patient.
  const id = entry?.patientId?.normalize("NFC");
  const said = id === undefined ? undefined : (await (await identities()).of(id)).patient;
  const view = entry?.view;
  if (scanned === undefined) {
    return {
      ...{ patient: said, accession: undefined, sequence: undefined, bodyPart: undefined, scanner: undefined },
      ...{ acquiredOn: undefined, viewOf: () => view },
    };
  }
  const { header, sha256 } = scanned;
  const names = await namesOfLanded(object, header, await identities());
  const date = header.acquisitionDate ?? header.studyDate;
  return {
    ...placeOf(header, sha256, names),
    patient: said ?? names.patient,
    accession: header.accession && names.accession(header.accession),
    sequence: header.sequence,
    bodyPart: header.bodyPart,
    scanner: scannerOf(header),
    acquiredOn: date && daysEarlier(date, names.dayShift),
    viewOf: (page) => view ?? (header.frameViews ? header.frameViews[page - 1] : header.view),
  };
}

/** Manufacturer, model and tesla, such as `Siemens Skyra 3T`; undefined where the header says none. */
export function scannerOf({
  manufacturer,
  model,
  fieldStrength,
}: Pick<DicomHeader, "manufacturer" | "model" | "fieldStrength">): string | undefined {
  const field = fieldStrength === undefined ? undefined : `${fieldStrength}T`;
  return [manufacturer, model, field].filter((part) => part !== undefined).join(" ") || undefined;
}

function daysEarlier(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) - days * DAY_MS).toISOString().slice(0, 10);
}
