export type { ReportedAnswer, ReportedImage, ReportedPerson, ReportedWhole } from "./answer";
export type { ColourPicture } from "./caption";
export type { ReportedStudy } from "./dicom-modules";
export { fhirBundle } from "./fhir";
export { hl7Message } from "./hl7";
export { uuidOf } from "./identifiers";
export { mayPass, storeRequest, whyNotStored } from "./receivers";
export { captureInstance, secondaryCapture } from "./secondary-capture";
export { reportInstance, structuredReport } from "./structured-report";
