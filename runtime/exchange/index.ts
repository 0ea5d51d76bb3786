export type { ReportedAnswer, ReportedImage } from "./answer";
export type { ColourPicture } from "./caption";
export type { ReportedStudy } from "./dicom-modules";
export { fhirBundle } from "./fhir";
export { hl7Message } from "./hl7";
export { secondaryCapture } from "./secondary-capture";
export { structuredReport } from "./structured-report";
