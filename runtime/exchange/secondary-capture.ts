import { cautionsOf, SYSTEM, summaryOf } from "./answer";
import { type ColourPicture, captioned } from "./caption";
import { bytes, dicomFile, sequence, shorts, text } from "./dicom-file";
import { codeItem, commonModules, cut, dcm, instanceItem, type ReportedStudy } from "./dicom-modules";
import { uidOf } from "./identifiers";

const SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7";
/** Short enough to be read in a thumbnail. */
const WARNING = "NOT FOR DIAGNOSTIC USE";

/** The SOP Instance UID of an answer's capture. @param request of the answer */
export const captureInstance = (request: string) => uidOf("sc", request);

/**
 * The overlay as a Secondary Capture, with a caption below it that goes wherever the pixels go. It is derived, in a series of
 * its own, and of modality OT: no archive takes it for the scan, and neither does the way in of this project. The same
 * answer and overlay give the same bytes.
 */
export function secondaryCapture(answer: ReportedStudy, overlay: ColourPicture): Buffer {
  const { request, image, model, modelSha256, verdict, decision, probability } = answer;
  const { width, height, rgb } = captioned(overlay, [
    WARNING,
    ...(verdict.fit ? [] : ["MODEL IS NOT FIT FOR USE"]),
    `DECISION ${decision}: CANCER ${(100 * probability).toFixed(1)} %`,
    `MODEL ${model}`,
  ]);
  const series = {
    uid: uidOf("sc-series", request),
    number: 902,
    modality: "OT",
    description: "Map of a model over the scan, not for diagnostic use",
  };
  return dicomFile(SECONDARY_CAPTURE, captureInstance(request), [
    ...commonModules(answer, series),
    text(0x0008_0008, "CS", "DERIVED", "SECONDARY"),
    text(0x0008_0064, "CS", "WSD"),
    text(0x0008_2111, "ST", cut(`8 bits, upright, with the map of model ${model} and a caption.`, 1024)),
    sequence(0x0008_2112, [
      ...instanceItem(image),
      sequence(0x0040_a170, codeItem(dcm("121322", "Source image for image processing operation"))),
    ]),
    text(0x0018_0015, "CS", "BRAIN"),
    text(0x0018_1016, "LO", SYSTEM),
    text(0x0018_1018, "LO", model),
    text(0x0018_1019, "LO", modelSha256),
    text(0x0020_0020, "CS", ""),
    text(0x0020_4000, "LT", cut([...cautionsOf(answer), summaryOf(answer)].join("\r\n"), 10_240)),
    shorts(0x0028_0002, 3),
    text(0x0028_0004, "CS", "RGB"),
    shorts(0x0028_0006, 0),
    shorts(0x0028_0010, height),
    shorts(0x0028_0011, width),
    shorts(0x0028_0100, 8),
    shorts(0x0028_0101, 8),
    shorts(0x0028_0102, 7),
    shorts(0x0028_0103, 0),
    // Whether pixels tell who and when (PS3.3, C.7.6.1.1): the caption does not, so it is what the scan says of its own.
    ...(image.burnedIn === undefined ? [] : [text(0x0028_0301, "CS", image.burnedIn)]),
    bytes(0x7fe0_0010, rgb),
  ]);
}
