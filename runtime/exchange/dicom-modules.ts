import { type ReportedAnswer, type ReportedImage, SYSTEM } from "./answer";
import { type Element, sequence, text } from "./dicom-file";

/** An answer of which the study is known. */
export type ReportedStudy = ReportedAnswer & { readonly image: ReportedImage };

/** Date and time of DICOM, UTC. */
export function timeOf(iso: string): { readonly date: string; readonly time: string } {
  const [date = "", time = ""] = iso.split("T");
  return { date: date.replaceAll("-", ""), time: time.replace("Z", "").replaceAll(":", "") };
}

/** A coded term: PS3.3, 8.8. */
export interface Code {
  readonly value: string;
  readonly scheme: string;
  readonly meaning: string;
}

export const dcm = (value: string, meaning: string): Code => ({ value, scheme: "DCM", meaning });

export const codeItem = ({ value, scheme, meaning }: Code): readonly Element[] => [
  text(0x0008_0100, "SH", value),
  text(0x0008_0102, "SH", scheme),
  text(0x0008_0104, "LO", meaning),
];

/** An instance, and its frame where it has several. */
export const instanceItem = ({ sopClass, instance, frame }: ReportedImage): readonly Element[] => [
  text(0x0008_1150, "UI", sopClass),
  text(0x0008_1155, "UI", instance),
  ...(frame === undefined ? [] : [text(0x0008_1160, "IS", String(frame))]),
];

/** A text of at most so many characters. */
export const cut = (value: string, most: number) => {
  const characters = [...value];
  return characters.length <= most ? value : `${characters.slice(0, most - 3).join("")}...`;
};

/** What both kinds of objects say of patient, study, series and equipment: of the patient the pseudonyms, and no more, unless names were put back. */
export function commonModules(
  { image, answeredAt, model, modelSha256 }: ReportedStudy,
  series: { readonly uid: string; readonly number: number; readonly modality: string; readonly description: string },
): readonly Element[] {
  const { date, time } = timeOf(answeredAt);
  const { person } = image;
  return [
    text(0x0008_0012, "DA", date),
    text(0x0008_0013, "TM", time),
    text(0x0008_0020, "DA", person?.studyDate ?? ""),
    text(0x0008_0023, "DA", date),
    text(0x0008_0030, "TM", person?.studyTime ?? ""),
    text(0x0008_0033, "TM", time),
    text(0x0008_0050, "SH", image.accession ?? ""),
    text(0x0008_0060, "CS", series.modality),
    text(0x0008_0070, "LO", SYSTEM),
    text(0x0008_0090, "PN", ""),
    text(0x0008_0201, "SH", "+0000"),
    text(0x0008_103e, "LO", series.description),
    text(0x0008_1090, "LO", model),
    text(0x0010_0010, "PN", person?.name ?? ""),
    text(0x0010_0020, "LO", image.patient ?? ""),
    text(0x0010_0030, "DA", person?.birthDate ?? ""),
    text(0x0010_0040, "CS", person?.sex ?? ""),
    // PS3.3, C.12.1.1.8: whoever puts names back says so.
    ...(person
      ? []
      : [
          text(0x0012_0062, "CS", "YES"),
          text(0x0012_0063, "LO", "Identifiers are keyed pseudonyms, dates are left out"),
        ]),
    text(0x0018_1020, "LO", modelSha256),
    text(0x0020_000d, "UI", image.study),
    text(0x0020_000e, "UI", series.uid),
    text(0x0020_0010, "SH", person?.studyId ?? ""),
    text(0x0020_0011, "IS", String(series.number)),
    text(0x0020_0013, "IS", "1"),
  ];
}

/** The evidence of a document: PS3.3, C.17.2. */
export const evidence = (image: ReportedImage): Element =>
  sequence(0x0040_a375, [
    sequence(0x0008_1115, [
      sequence(0x0008_1199, [text(0x0008_1150, "UI", image.sopClass), text(0x0008_1155, "UI", image.instance)]),
      text(0x0020_000e, "UI", image.series),
    ]),
    text(0x0020_000d, "UI", image.study),
  ]);
