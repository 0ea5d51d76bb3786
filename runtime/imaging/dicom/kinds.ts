import { RejectedImage } from "../rejected";
import type { DicomFile } from "./parse";
import { PIXELS, TAG } from "./tags";

const STORAGE = "1.2.840.10008.5.1.4.1.1";

/** What holds no picture: by the beginning of its SOP class, the longest that fits (DICOM PS3.4, table B.5-1; PS3.6, A-1). */
const NO_PICTURES: readonly (readonly [uid: string, name: string])[] = [
  ["1.2.840.10008.1.3.10", "a DICOMDIR (the table of contents of a medium)"],
  [`${STORAGE}.88.59`, "a key object selection (KO)"],
  [`${STORAGE}.88`, "a structured report (SR)"],
  [`${STORAGE}.104.1`, "a PDF document"],
  [`${STORAGE}.104.2`, "a CDA document"],
  [`${STORAGE}.104`, "an encapsulated document or model"],
  [`${STORAGE}.11`, "a presentation state (PR)"],
  [`${STORAGE}.9`, "a waveform (such as an ECG or sound)"],
  [`${STORAGE}.66`, "a registration, a surface or raw data"],
  [`${STORAGE}.481.3`, "an RT structure set"],
  [`${STORAGE}.481.4`, "an RT treatment record"],
  [`${STORAGE}.481.5`, "an RT plan"],
  [`${STORAGE}.481.6`, "an RT treatment record"],
  [`${STORAGE}.481.7`, "an RT treatment record"],
  [`${STORAGE}.481.8`, "an RT ion plan"],
  [`${STORAGE}.481.9`, "an RT treatment record"],
  [`${STORAGE}.4.2`, "a spectroscopy, not a picture"],
  ["1.2.840.10008.5.1.4.38", "a hanging protocol"],
  ["1.2.840.10008.5.1.4.39", "a colour palette"],
  ["1.2.840.10008.5.1.4.43", "an implant template"],
];

/** SOP classes below these that hold pictures all the same. */
const PICTURES: ReadonlySet<string> = new Set([`${STORAGE}.66.4`]);

/** By a UID that is another's beginning, too: `...88` holds for `...88.11`, and not for `...881`. */
const nameOfNoPicture = (uid: string) =>
  PICTURES.has(uid) ? undefined : NO_PICTURES.find(([start]) => uid === start || uid.startsWith(`${start}.`))?.[1];

/** DICOM PS3.3, C.7.3.1.1.1, of those that come with pixels or stand where a SOP class is absent. */
const MODALITIES: Readonly<Record<string, string>> = {
  AU: "sound (AU)",
  CR: "a computed radiograph (CR)",
  CT: "a computed tomograph (CT)",
  DOC: "a document (DOC)",
  DX: "a digital radiograph (DX)",
  ECG: "an electrocardiogram (ECG)",
  ES: "an endoscopy (ES)",
  GM: "a general microscopy (GM)",
  IO: "an intra-oral radiograph (IO)",
  IVOCT: "an intravascular optical coherence tomograph (IVOCT)",
  IVUS: "an intravascular ultrasound (IVUS)",
  KO: "a key object selection (KO)",
  M3D: "a model for printing (M3D)",
  MG: "a mammograph (MG)",
  NM: "nuclear medicine (NM)",
  OCT: "an optical coherence tomograph (OCT)",
  OP: "an ophthalmic photograph (OP)",
  OPT: "an ophthalmic tomograph (OPT)",
  OT: "another modality (OT)",
  PR: "a presentation state (PR)",
  PT: "a positron emission tomograph (PT)",
  PX: "a panoramic radiograph (PX)",
  REG: "a registration (REG)",
  RF: "radio fluoroscopy (RF)",
  RTDOSE: "an RT dose (RTDOSE)",
  RTIMAGE: "an RT image (RTIMAGE)",
  RTPLAN: "an RT plan (RTPLAN)",
  RTRECORD: "an RT treatment record (RTRECORD)",
  RTSTRUCT: "an RT structure set (RTSTRUCT)",
  SC: "a secondary capture (SC)",
  SEG: "a segmentation (SEG)",
  SM: "a slide under a microscope (SM)",
  SMR: "a stereometric relationship (SMR)",
  SR: "a structured report (SR)",
  US: "an ultrasound (US)",
  XA: "an X-ray angiography (XA)",
  XC: "a photograph (XC)",
};

/** Modalities without pictures, where the file says no SOP class. */
const WITHOUT_PICTURES: ReadonlySet<string> = new Set(
  "AU DOC ECG KO PR REG RTPLAN RTRECORD RTSTRUCT SMR SR".split(" "),
);

/** MR Image, Enhanced MR, Enhanced MR Color, Legacy Converted Enhanced MR. */
export const MR_CLASSES: ReadonlySet<string> = new Set(["4", "4.1", "4.3", "4.4"].map((end) => `${STORAGE}.${end}`));

const refuse = (name: string) =>
  new RejectedImage("not-an-image", `This DICOM file is ${name}, not a picture. Send the MR images themselves.`);

/** @throws {RejectedImage} `not-an-image`, which says what the file is instead */
export function checkIsPicture({ meta, dataSet }: DicomFile): void {
  const sopClass = dataSet.text(TAG.sopClass) ?? meta.text(TAG.mediaStorageSopClass) ?? "";
  const named = nameOfNoPicture(sopClass);
  if (named) throw refuse(named);
  const modality = dataSet.text(TAG.modality) ?? "";
  if (WITHOUT_PICTURES.has(modality)) throw refuse(MODALITIES[modality] ?? "a document");
  if (![...PIXELS].some((tag) => dataSet.has(tag))) {
    const what = MODALITIES[modality];
    throw refuse(what ? `of ${what} and has no pixels` : "one without pixels");
  }
}

/** @throws {RejectedImage} `other-modality`, which says which one */
export function checkIsMr({ meta, dataSet }: DicomFile): void {
  const modality = dataSet.text(TAG.modality);
  if (modality === "MR") return;
  const sopClass = dataSet.text(TAG.sopClass) ?? meta.text(TAG.mediaStorageSopClass) ?? "";
  if (modality === undefined && MR_CLASSES.has(sopClass)) return;
  const what =
    modality === undefined
      ? "does not say of which modality it is"
      : `is of ${MODALITIES[modality] ?? "a modality that is none of the usual ones"}`;
  throw new RejectedImage("other-modality", `This DICOM file ${what}. Only MR is taken: send the MR images.`);
}
