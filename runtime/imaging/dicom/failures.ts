import { RejectedImage } from "../rejected";

/** What is said where a DICOM file contradicts itself or its standard. */
export function damaged(why: string, options?: ErrorOptions): RejectedImage {
  return new RejectedImage("damaged", `The DICOM file is damaged: ${why}. Export it again.`, options);
}

export function truncated(): RejectedImage {
  return new RejectedImage("truncated", "The DICOM file ends before its last pixel. Send it again.");
}

/** @param what the file has, as in "pixels of 12 bits in a row" */
export function unread(what: string): RejectedImage {
  return new RejectedImage(
    "unsupported-encoding",
    `The DICOM file has ${what}, which is not read. Export it as Explicit VR Little Endian.`,
  );
}
