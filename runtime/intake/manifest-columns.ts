import { MANIFEST } from "./names";

/** What a table that people write is called and holds. */
export interface TableKind<C extends string = string> {
  /** For sentences about it. */
  readonly name: string;
  /** Columns that mean something. */
  readonly columns: readonly C[];
  /** One of these must be there. */
  readonly required: readonly C[];
  /** Other words for a column, as {@link bare} writes them, with spaces between. */
  readonly synonyms: Readonly<Partial<Record<C, string>>>;
}

/** Columns of `manifest.csv` that mean something. `path` must be there. */
const COLUMNS = ["path", "label", "patient_id", "source", "subtype", "view", "mask", "split"] as const;
type ColumnName = (typeof COLUMNS)[number];

/**
 * Other words for a column whose loss changes what a model is worth: patients become strangers, a lesion or a split is
 * not known. As {@link bare} writes them.
 */
const SYNONYMS: Readonly<Partial<Record<ColumnName, string>>> = {
  path: "file filename filepath image imagefile imagefilename imagename imagepath img imgpath pathname relativepath relpath scan scanpath",
  label: "classlabel labelname",
  patient_id:
    "case caseid mrn participant participantid patid patient patientcode patienthash patientidentifier patientids " +
    "patientkey patientname patientno patientnr patientnum patientnumber patients person personid pid ptid subject " +
    "subjectid subj subjid",
  mask: "lesionmask maskfile maskname maskpath seg segmentation segmentationpath segpath",
  split: "datasplit partition splitname",
};

export const MANIFEST_TABLE: TableKind<ColumnName> = {
  name: MANIFEST,
  columns: COLUMNS,
  required: ["path"],
  synonyms: SYNONYMS,
};

/** What is to be said of a header. */
export interface ColumnReview {
  readonly problems: readonly string[];
  /** Columns that mean nothing here, in their order. */
  readonly ignored: readonly string[];
}

/** Tells a misspelt column, which would be lost in silence, from one that is somebody's own. */
export function reviewColumns(header: readonly string[], kind: TableKind = MANIFEST_TABLE): ColumnReview {
  const problems: string[] = [];
  const ignored: string[] = [];
  for (const [i, column] of header.entries()) {
    if (column === "") continue;
    if (kind.columns.includes(column)) {
      if (header.indexOf(column) < i) problems.push(`the column "${column}" stands there twice.`);
      continue;
    }
    const meant = misspelt(column, header, kind);
    if (meant === undefined) ignored.push(column);
    else {
      problems.push(
        `the column "${shortened(column)}" looks like ${meant}. Call it ${meant}; or, if it means something else, give it a name that is less like it.`,
      );
    }
  }
  if (header.length > 0 && !kind.required.some((column) => header.includes(column))) {
    const wanted = kind.required.map((column) => `"${column}"`).join(" or ");
    problems.unshift(`there is no column ${wanted}; the columns are ${header.map(shortened).join(", ")}.`);
  }
  return { problems, ignored };
}

/** The known column that another one's name looks like; none where the known one stands beside it. */
export function misspelt<C extends string>(
  column: string,
  header: readonly string[],
  kind: TableKind<C>,
): C | undefined {
  if ((kind.columns as readonly string[]).includes(column)) return undefined;
  const name = bare(column);
  const missing = kind.columns.filter((known) => !header.includes(known));
  const synonyms = (known: C) => kind.synonyms[known]?.split(" ") ?? [];
  return (
    kind.columns.find((known) => bare(known) === name) ??
    missing.find((known) => synonyms(known).includes(name)) ??
    missing.find((known) => isSlip(name, bare(known))) ??
    missing.find((known) => synonyms(known).some((word) => word.length > 6 && slips(name, word) === 1))
  );
}

/** Without case, spaces and punctuation: Patient-ID and patientid are one. */
function bare(column: string): string {
  return column.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
}

/**
 * Whether one is the other with a slip of the fingers. The shorter the word, the less of one: mass and task are no masks,
 * and of what begins like patient_id only its last letter is in doubt (patient_age, patient_kg).
 */
function isSlip(name: string, known: string): boolean {
  if (known.length < 5) return name.length !== known.length ? slips(name, known) === 1 : isSwap(name, known);
  const allowed = known.length < 7 || name.startsWith("patient") ? 1 : 2;
  return slips(name, known) <= allowed;
}

function isSwap(name: string, known: string): boolean {
  return slips(name, known) === 1 && [...name].sort().join() === [...known].sort().join();
}

/**
 * Letters that were left out, put in, replaced, or swapped with the next (optimal string alignment). Words that differ in
 * length by more than two count as far apart.
 */
function slips(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  const rows: number[][] = Array.from({ length: a.length + 1 }, (_, i) => [i]);
  const at = (i: number, j: number) => rows[i]?.[j] ?? Number.POSITIVE_INFINITY;
  for (let i = 0; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const cost = Math.min(
        at(i - 1, j) + 1,
        at(i, j - 1) + 1,
        at(i - 1, j - 1) + (same ? 0 : 1),
        swapped ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY,
      );
      (rows[i] as number[])[j] = cost;
    }
  }
  return at(a.length, b.length);
}

/** For sentences: a cell may be of any size. */
export function shortened(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}
