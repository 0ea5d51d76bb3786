/** An answer as it is told to other systems: what every format is made of, and nothing else. */
export interface ReportedAnswer {
  /** UUID of this answer alone: every identifier in a report follows from it. */
  readonly request: string;
  /** ISO 8601, UTC. */
  readonly answeredAt: string;
  readonly model: string;
  /** 64 hex digits: names the model's bytes. */
  readonly modelSha256: string;
  readonly recipe: string;
  /** Of Cancer, 0 to 1, as are threshold and band. */
  readonly probability: number;
  readonly decision: "Cancer" | "Non-Cancer" | "Uncertain";
  readonly threshold: number;
  readonly uncertain: { readonly low: number; readonly high: number } | null;
  /** The page that the answer is about, from 1, and how many were answered. */
  readonly page: number;
  readonly pages: number;
  /** Strongest place for Cancer, whole pixels of the upright page. */
  readonly peak: { readonly x: number; readonly y: number };
  readonly verdict: { readonly fit: boolean; readonly sentence: string };
  /** Whether the model learnt from drawn phantoms alone. */
  readonly synthetic: boolean;
  readonly disclaimer: string;
  /** Undefined where the scan was no DICOM, or does not say what study it is of. */
  readonly image: ReportedImage | undefined;
  /** Of the whole study, where the answer above is that of its most suspicious slice. */
  readonly whole?: ReportedWhole | undefined;
}

/** What is said of a study beside its slices. */
export interface ReportedWhole {
  /** Slices that are answered, and that were sent. */
  readonly slices: number;
  readonly sent: number;
  /** The study's own answer; or why there is none, a sentence. */
  readonly told:
    | {
        readonly probability: number;
        readonly decision: "Cancer" | "Non-Cancer";
        readonly threshold: number;
        /** How it follows from the slices: a sentence. */
        readonly rule: string;
        readonly verdict: { readonly fit: boolean; readonly sentence: string };
      }
    | { readonly reason: string };
}

/** Whom a study is of, where identifiers are the hospital's own: as DICOM writes them, empty where it says nothing. */
export interface ReportedPerson {
  readonly name: string;
  /** YYYYMMDD. */
  readonly birthDate: string;
  readonly sex: string;
  readonly studyDate: string;
  readonly studyTime: string;
  readonly studyId: string;
}

/** The DICOM instance that was answered. Identifiers are pseudonyms, or, with `person`, the hospital's own. */
export interface ReportedImage {
  /** UIDs. */
  readonly study: string;
  readonly series: string;
  readonly instance: string;
  readonly sopClass: string;
  /** From 1; undefined where the instance has one frame and says so of none. */
  readonly frame: number | undefined;
  /** Undefined where the file says none. */
  readonly patient: string | undefined;
  readonly accession: string | undefined;
  /** The middle of the strongest place in stored pixels: the first pixel reaches from 0 to 1 (PS3.3, C.18.6). */
  readonly point: { readonly column: number; readonly row: number };
  /** What the file says of text in its pixels that tells who and when; undefined: nothing. */
  readonly burnedIn: "YES" | "NO" | undefined;
  readonly person?: ReportedPerson | undefined;
}

/** What stands beside every number, the gravest first: in all formats the same sentences. */
export function cautionsOf({ verdict, disclaimer }: Pick<ReportedAnswer, "verdict" | "disclaimer">): readonly string[] {
  return verdict.fit ? [disclaimer, verdict.sentence] : [verdict.sentence, disclaimer];
}

/** A share as a decimal number of percent: at most six digits after the point, no exponent. */
export function percentOf(share: number): string {
  return (100 * share).toFixed(6).replace(/\.?0+$/, "");
}

const inPercent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** All of an answer in sentences: one, and for a study's own answer more. */
export function summaryOf({ decision, probability, threshold, model, page, pages, whole }: ReportedAnswer): string {
  const where = whole
    ? ` in the most suspicious of ${whole.slices} slices`
    : pages > 1
      ? ` on page ${page}, the most suspicious of ${pages}`
      : "";
  const slice = `Model ${model} says ${decision}: probability of Cancer ${inPercent(probability)}${where}, threshold ${inPercent(threshold)}.`;
  return whole ? `${slice} ${wholeInWords(whole)}` : slice;
}

function wholeInWords({ slices, sent, told }: ReportedWhole): string {
  const missing = sent > slices ? ` ${sent - slices} of ${sent} slices that were sent are not answered.` : "";
  if ("reason" in told) return `The study as a whole is not answered: ${told.reason}${missing}`;
  const { decision, probability, threshold, rule, verdict } = told;
  return `For the whole study: ${decision}, probability of Cancer ${inPercent(probability)}, threshold ${inPercent(threshold)}. ${rule} Answers of studies: ${verdict.sentence}${missing}`;
}

/** Who writes, in every format. */
export const SYSTEM = "brain-tumor-stack";

/** What UTF-8 can carry: half of a character becomes U+FFFD. */
export const wellFormed = (text: string) => text.replace(/\p{Cs}/gu, "\ufffd");
