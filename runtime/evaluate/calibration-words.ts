import { describeCalibration } from "../model";
import type { CalibrationReport } from "./evaluation";

/** What calibration does to the log odds, and why, in sentences. */
export function calibrationInWords({ temperature, offset, check }: CalibrationReport): string {
  const why = check ? ` ${describeCalibration(check)}` : "";
  if (temperature === 1 && offset === 0) return `The network's own log odds are answered with.${why}`;
  return `Log odds are divided by the temperature ${temperature.toFixed(3)}, and ${offset.toFixed(3)} is added; both were fitted to validation images alone.${why}`;
}
