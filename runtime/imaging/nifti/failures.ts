import { RejectedImage } from "../rejected";

/** What is said where a NIfTI file contradicts itself or its standard. */
export function damaged(why: string, options?: ErrorOptions): RejectedImage {
  return new RejectedImage("damaged", `The NIfTI file is damaged: ${why}. Export it again.`, options);
}

export function truncated(): RejectedImage {
  return new RejectedImage("truncated", "The NIfTI file ends before its last voxel. Send it again.");
}

/** @param what the file has, as in "colours" */
export function unread(what: string): RejectedImage {
  return new RejectedImage(
    "unsupported-encoding",
    `The NIfTI file has ${what}, which is not read. Save it as one grey volume in one file (.nii or .nii.gz).`,
  );
}
