import { ConfigurationError } from "../platform/config";
import { LABELS, type Label } from "./labels";
import { reviewColumns, shortened, type TableKind } from "./manifest-columns";
import { readTable } from "./manifest-table";
import { ANY_CASE, labelOf } from "./names";

/** What a person may say of a scan; the last takes back what was said before. */
export const FEEDBACK_LABELS = [...LABELS, "Withdrawn"] as const;
export type FeedbackLabel = Label | "Withdrawn";

/** A row of a table of feedback that can be used. */
export interface FeedbackLine {
  /** Where it ends in the file. */
  readonly line: number;
  readonly about:
    | { readonly request: string }
    /** Of a study, in the clear: it names a patient's visit, and stands in no sentence. */
    | { readonly accession: string };
  readonly label: FeedbackLabel;
  readonly comment: string | undefined;
}

export interface BadLine {
  readonly line: number;
  /** Why, as a sentence without what stands in the row's cells for accession number and comment. */
  readonly reason: string;
}

export interface FeedbackTable {
  readonly lines: readonly FeedbackLine[];
  readonly bad: readonly BadLine[];
  /** Columns that mean nothing here. */
  readonly ignored: readonly string[];
}

const COLUMNS = ["request", "accession", "label", "comment"] as const;

const TABLE: TableKind<(typeof COLUMNS)[number]> = {
  name: "The table of feedback",
  columns: COLUMNS,
  required: ["request", "accession"],
  synonyms: {
    request: "requestid answer answerid predictionrequest",
    accession: "accessionno accessionnr accessionnum accessionnumber acc accno accnr accnumber acn",
    label: "diagnosis class classlabel labelname groundtruth truth",
    comment: "comments remark remarks note notes",
  },
};

/** Characters, as the service takes them. */
const LONGEST_COMMENT = 2000;
/** DICOM's Short String has 16; some systems take more. */
const LONGEST_ACCESSION = 64;
/** What a terminal or a table would act on; line breaks and tabs are text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]|\p{Cs}/u;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Reads a table of feedback: columns `label` and one or both of `request` and `accession`, and if wanted `comment`; see
 * {@link readTable} for what a table may look like. Rows that cannot be used are named, and the others are used.
 *
 * @throws {ConfigurationError} where a column is missing or misspelt, or it is no table
 */
export function parseFeedback(content: Buffer | string): FeedbackTable {
  const table = readTable(content, TABLE);
  const review = reviewColumns(table.header, TABLE);
  const problems = review.problems.map((text) => `line 1: ${text}`);
  const isEmpty = table.header.length === 0;
  if (isEmpty) problems.push("it is empty: its first line names the columns request or accession, label, and comment.");
  else if (!table.header.includes("label") && !problems.some((text) => text.includes("looks like label")))
    problems.push('line 1: there is no column "label", which says what the person holds the scan for.');
  if (problems.length > 0) throw new ConfigurationError(TABLE.name, problems);
  const bad: BadLine[] = table.problems.map(({ line, text }) => ({ line, reason: text }));
  const misplaced = new Set(bad.map(({ line }) => line));
  const lines = table.rows.flatMap(({ line, row }): FeedbackLine[] => {
    if (misplaced.has(line)) return [];
    const read = readLine(line, row);
    if ("reason" in read) {
      bad.push(read);
      return [];
    }
    return [read];
  });
  return { lines, bad: bad.sort((a, b) => a.line - b.line), ignored: review.ignored.map(shortened) };
}

function readLine(line: number, row: Readonly<Record<string, string>>): FeedbackLine | BadLine {
  const said = (column: (typeof COLUMNS)[number]) => row[column]?.trim() ?? "";
  const [request, accession, comment] = [said("request").toLowerCase(), said("accession"), said("comment")];
  const problem = (reason: string): BadLine => ({ line, reason });
  if (request === "" && accession === "") return problem("it names neither a request nor an accession number.");
  if (request !== "" && accession !== "")
    return problem("it names a request and an accession number: a slice, or a whole study? Give one of both.");
  if (request !== "" && !UUID.test(request)) {
    const isId = /^[0-9a-f]{64}$/.test(request);
    return problem(
      `"${shortened(request)}" is no request${isId ? " but the id of a prediction, which several answers share" : ""}. An answer says its request: 36 characters, such as 1b4e28ba-2fa1-41d2-883f-0016d3cca427.`,
    );
  }
  if (accession.length > LONGEST_ACCESSION || CONTROL.test(accession))
    return problem(
      `its accession number is none: it has more than ${LONGEST_ACCESSION} characters, or control characters.`,
    );
  const label = feedbackLabel(said("label"));
  if (label === undefined)
    return problem(
      said("label") === ""
        ? `it has no label: write ${WRITTEN}.`
        : `its label is "${shortened(said("label"))}": write ${WRITTEN}.`,
    );
  if (comment.length > LONGEST_COMMENT) return problem(`its comment has more than ${LONGEST_COMMENT} characters.`);
  if (CONTROL.test(comment)) return problem("its comment is no text: it holds a control character or half of one.");
  const about = request === "" ? { accession } : { request };
  return { line, about, label, comment: comment === "" ? undefined : comment };
}

const WRITTEN = `${LABELS.join(" or ")}, or Withdrawn to take back what was said`;

/** In any case; no other word stands for a label, which is too dear to be guessed. */
function feedbackLabel(text: string): FeedbackLabel | undefined {
  if (text.toLowerCase() === "withdrawn") return "Withdrawn";
  return labelOf(text, ANY_CASE) ?? undefined;
}
