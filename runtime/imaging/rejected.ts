/**
 * Why a file or a page is not taken. The keys are stable: they stand in tables, in `reason.json` and in API answers,
 * and are never renamed. The text says when each is given.
 */
export const REJECTION_CODES = {
  "empty-file": "The file has no bytes.",
  "file-too-large": "The file has more bytes than the limit.",
  "unsupported-format":
    "The bytes are not JPEG, PNG, TIFF, BMP, WebP, DICOM or NIfTI, whatever name and content type say.",
  "unsupported-encoding": "The format is taken, but not this way of storing pixels in it.",
  "not-an-image":
    "The DICOM file is no picture: a report, a document, a plan, a table of contents, or one without pixels.",
  "other-modality": "The DICOM file is of another modality than MR, or does not say of which.",
  truncated: "The file ends before its last pixel.",
  damaged: "The file contradicts its own format, so its pixels cannot be trusted.",
  "too-many-pixels":
    "The decoded page would have more pixels, or need more memory, than the limit; or all pages together would.",
  "too-small": "A side of the page is shorter than the limit.",
  "too-many-pages": "The file has more pages than the limit.",
  animated: "The file is an animation, not a still picture.",
  "blank-image": "All pixels of the page are equal.",
  "not-a-brain-scan": "The page was read, but a model's input guard finds that it does not look like a brain MRI scan.",
} as const;

export type RejectionCode = keyof typeof REJECTION_CODES;

/** A file or a page that is not taken. The message is a sentence for the person who sent it. */
export class RejectedImage extends Error {
  constructor(
    readonly code: RejectionCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = "RejectedImage";
  }
}
