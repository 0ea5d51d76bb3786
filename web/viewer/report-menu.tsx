import type { Prediction, ReportFormat } from "../../runtime/serve/schemas";

const NAMES: Readonly<Record<ReportFormat, string>> = {
  fhir: "FHIR R4 (JSON)",
  hl7: "HL7 v2 message",
  sr: "DICOM structured report",
  sc: "DICOM picture with the map",
};

/** The answer as files for other systems; without a study there are none of DICOM, and that is said. */
export function ReportMenu({ reports = [] }: Pick<Prediction, "reports">) {
  if (reports.length === 0) return null;
  const dicom = reports.some(({ format }) => format === "sr");
  return (
    <details class="report-menu">
      <summary>Report</summary>
      <ul>
        {reports.map(({ format, path }) => (
          <li key={format}>
            <a href={path} download>
              {NAMES[format]}
            </a>
          </li>
        ))}
      </ul>
      <p class="hint">
        Preliminary: nobody has verified it.
        {dicom ? "" : " No DICOM: the scan is none, or does not say of what study it is."}
      </p>
    </details>
  );
}
