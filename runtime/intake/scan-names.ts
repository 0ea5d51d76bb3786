import type { DicomHeader, ReplacementNames } from "../imaging";
import type { Identities } from "./identities";
import { LABELS, type Label } from "./labels";
import { classify, lookAlike } from "./names";

/** Metadata of a landed object whose name was replaced: what it was called, below the folder that it came from. */
export const ORIGINAL_NAME = "original-name";

/** Below it lies what the gateway sent, and nobody else can create: its identifiers are pseudonyms already. */
export const GATEWAY_FOLDER = "Unlabelled/gateway/";

/**
 * Below them lies, by the SHA-256 of its pixels, what landed because people agree on its label, and nobody else's scans. What
 * is known of such a picture beside its pixels stands in the object's metadata, in pseudonyms.
 */
export const LEARNT_FOLDERS = LABELS.map((label) => `${label}/feedback/`);

/** The name below landing of a picture on whose label people agree. */
export const learntObject = (label: Label, sha256: string): string => `${label}/feedback/${sha256}.png`;

/** The label and the picture that such a name is of; undefined for all others. */
export function readLearnt(object: string): { readonly label: Label; readonly sha256: string } | undefined {
  const [, folder, sha256] = /^([^/]+)\/feedback\/([0-9a-f]{64})\.png$/.exec(object) ?? [];
  const label = LABELS.find((one) => one === folder);
  return label && sha256 !== undefined ? { label, sha256 } : undefined;
}

/** What metadata say of such a picture: what the scan was known by from which it was taken. */
export interface LearntFacts {
  readonly patient?: string;
  readonly study?: string;
  readonly series?: string;
  readonly instance?: string;
  readonly accession?: string;
  readonly collection?: string;
}

/** Reads them; what does not look like a pseudonym is none. */
export function learntFacts(metadata: Readonly<Record<string, string>>): LearntFacts {
  const known = Object.entries(LEARNT).filter(([name, like]) => like.test(metadata[name] ?? ""));
  return Object.fromEntries(known.map(([name]) => [name, metadata[name]]));
}

/** Stands for a folder whose name says no label, and perhaps a patient's. */
const ELSEWHERE = "Elsewhere";

/** Where a DICOM file belongs, in pseudonyms: UIDs, `2.25.` and digits. */
export interface DicomPlace {
  readonly study: string;
  readonly series: string;
  readonly instance: string;
}

const PSEUDONYM = {
  patient: /^[0-9a-f]{64}$/,
  uid: /^2\.25\.(0|[1-9][0-9]{0,38})$/,
  accession: /^[0-9A-F]{16}$/,
} as const;

const LEARNT: Readonly<Record<keyof LearntFacts, RegExp>> = {
  patient: PSEUDONYM.patient,
  study: PSEUDONYM.uid,
  // Pages of one file share the id of its first.
  series: /^(2\.25\.(0|[1-9][0-9]{0,38})|[0-9a-f]{64})$/,
  instance: PSEUDONYM.uid,
  accession: PSEUDONYM.accession,
  collection: /./,
};

/**
 * What stands for the identifiers of a landed DICOM file. Below {@link GATEWAY_FOLDER} they are taken as given where they
 * look like what the gateway writes; a tag that says so anywhere else proves nothing.
 */
export async function namesOfLanded(
  object: string,
  { patientId }: Pick<DicomHeader, "patientId">,
  identities: Identities,
): Promise<ReplacementNames> {
  if (!object.startsWith(GATEWAY_FOLDER)) return identities.of(patientId);
  const isGiven = patientId !== undefined && PSEUDONYM.patient.test(patientId);
  const names = await identities.of(isGiven ? undefined : patientId);
  return {
    patient: isGiven ? patientId : names.patient,
    uid: (uid) => (PSEUDONYM.uid.test(uid) ? uid : names.uid(uid)),
    accession: (value) => (PSEUDONYM.accession.test(value) ? value : names.accession(value)),
    dayShift: 0,
  };
}

/**
 * Study, series and instance of a file. Of what it does not say something stands in that keeps together what may belong
 * together: for an instance the file's bytes, for a series its study, for a study its series, else the bytes.
 *
 * @param sha256 of the file
 */
export function placeOf(
  { studyUid, seriesUid, instanceUid }: Pick<DicomHeader, "studyUid" | "seriesUid" | "instanceUid">,
  sha256: string,
  { uid }: ReplacementNames,
): DicomPlace {
  return {
    study: uid(studyUid ?? (seriesUid === undefined ? `study of ${sha256}` : `study of ${seriesUid}`)),
    series: uid(seriesUid ?? `series of ${studyUid ?? sha256}`),
    instance: uid(instanceUid ?? `instance of ${sha256}`),
  };
}

/**
 * The name below landing of a DICOM file: `Cancer/<study>/<series>/<instance>.dcm`.
 *
 * @param object its name there by what it is called; of that the label's folder alone stays
 */
export function dicomObject(object: string, { study, series, instance }: DicomPlace): string {
  return `${folderOf(object)}/${study}/${series}/${instance}.dcm`;
}

/** The name of another file of the same instance, of other bytes. */
export function otherDicomObject(object: string, place: DicomPlace, sha256: string): string {
  return dicomObject(object, place).replace(/\.dcm$/, `-${sha256.slice(0, OTHER)}.dcm`);
}

const OTHER = 16;

/** Whether an object is called by its pseudonyms. */
export function isDicomObject(object: string, place: DicomPlace, sha256: string): boolean {
  return object === dicomObject(object, place) || object === otherDicomObject(object, place, sha256);
}

/** What stands for the name of an object whose bytes do not say what it is. */
export function unreadObject(object: string, { uid }: ReplacementNames): string {
  return `${folderOf(object)}/${objectPseudonym(object, { uid })}`;
}

/** Stands for an object that is called otherwise than its `source`. */
export const objectPseudonym = (object: string, { uid }: Pick<ReplacementNames, "uid">): string =>
  uid(`object ${object}`);

/** Whether a name is one that other pictures have: DICOM files end in .dcm, .ima, .dicom, digits, or in nothing. */
export const isCalledPicture = (object: string): boolean =>
  /\.(png|jpe?g|jfif|tiff?|bmp|webp|gif|nii|nii\.gz)$/i.test(object);

function folderOf(object: string): string {
  if (object.startsWith(GATEWAY_FOLDER)) return GATEWAY_FOLDER.slice(0, -1);
  const input = classify(object);
  if (input.kind === "scan") return input.folder;
  const slash = object.indexOf("/");
  const folder = object.slice(0, Math.max(0, slash));
  return lookAlike(folder) === undefined ? ELSEWHERE : folder;
}
