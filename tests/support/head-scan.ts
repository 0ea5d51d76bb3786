import {
  bytesOfSlice,
  type Elements,
  mrElements,
  writeElements,
  writeFile,
} from "../runtime/imaging/dicom/dicom-writer";
import { headPixels } from "./head";

/** A drawn head as a DICOM file that names a patient. */

export const [COLUMNS, ROWS] = [160, 128];
export const SPOT = { x: 100, y: 44, radius: 14 };
export const PATIENT = "DOE^JANE-4711";
export const ACCESSION = "ACC-0815";
export const [STUDY_UID, SERIES_UID, INSTANCE_UID] = ["1.2.840.4711.1", "1.2.840.4711.2", "1.2.840.4711.3"];
/** What must stand nowhere. */
export const IDENTIFIERS = ["DOE", "JANE", "4711", ACCESSION, STUDY_UID, SERIES_UID, INSTANCE_UID];

export interface HeadScan {
  readonly orientation?: string;
  readonly spacing?: string;
  readonly frames?: readonly Uint16Array[];
  readonly more?: Elements;
}

/** A frame of 12 bits; with null, without a spot. */
export const head = (variant = 0, spot: typeof SPOT | null = SPOT) =>
  Uint16Array.from(headPixels(COLUMNS, ROWS, spot ?? undefined, variant), (value) => 16 * value);

export function headScan({
  orientation = "1\\0\\0\\0\\1\\0",
  spacing = "1\\1",
  frames,
  more = [],
}: HeadScan = {}): Buffer {
  const slices = frames ?? [head()];
  return writeFile(
    writeElements([
      ...mrElements(ROWS, COLUMNS, [
        [0x0008_0018, "UI", INSTANCE_UID],
        [0x0008_0050, "SH", ACCESSION],
        [0x0010_0010, "PN", "DOE^JANE"],
        [0x0010_0020, "LO", PATIENT],
        [0x0020_000d, "UI", STUDY_UID],
        [0x0020_000e, "UI", SERIES_UID],
        [0x0020_0037, "DS", orientation],
        ...(frames ? ([[0x0028_0008, "IS", String(frames.length)]] as const) : []),
        [0x0028_0030, "DS", spacing],
        [0x0028_0101, "US", [16]],
        [0x0028_0102, "US", [15]],
        ...more,
      ]),
      [0x7fe0_0010, "OW", Buffer.concat(slices.map(bytesOfSlice))],
    ]),
  );
}
