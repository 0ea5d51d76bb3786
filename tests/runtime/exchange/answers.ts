import type { ReportedAnswer, ReportedImage, ReportedStudy } from "../../../runtime/exchange";

export const STUDY: ReportedImage = {
  study: "2.25.111",
  series: "2.25.222",
  instance: "2.25.333",
  sopClass: "1.2.840.10008.5.1.4.1.1.4.1",
  frame: 2,
  patient: "b".repeat(64),
  accession: "0123456789ABCDEF",
  point: { column: 10.5, row: 20.25 },
  burnedIn: "NO",
};

/** An answer of an unfit model for a frame of an Enhanced MR. */
export const ANSWER: ReportedStudy = {
  request: "11111111-2222-4333-8444-555555555555",
  answeredAt: "2026-03-01T10:11:12.345Z",
  model: "m-20260101-abcdef",
  modelSha256: "a".repeat(64),
  recipe: "r-128-abc",
  probability: 0.8312345678,
  decision: "Cancer",
  threshold: 0.41,
  uncertain: { low: 0.35, high: 0.5 },
  page: 2,
  pages: 3,
  peak: { x: 10, y: 20 },
  verdict: { fit: false, sentence: "Not fit for use: trained for 2 epochs only." },
  synthetic: true,
  disclaimer: "For research. Not for diagnostic use.",
  image: STUDY,
};

/** The same of a picture that is no DICOM. */
export const PLAIN: ReportedAnswer = { ...ANSWER, image: undefined };
