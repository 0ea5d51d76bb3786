import { currentImages } from "../dataset";
import { type FolderNames, MANIFEST, parseManifest, patientsKnown } from "../intake";
import type { StepContext, StepCounts } from "../platform/step";
import { ingestAll } from "./ingest-all";
import { type UploadCounts, uploadFolder } from "./upload";

/** Counts of a step that takes files from an input folder, with a sentence for each that it refused to take. */
export interface LandedCounts extends StepCounts {
  readonly refused: readonly string[];
}

/** A folder of scans, and what of it is taken; see {@link UploadOptions}. */
export interface Selection {
  readonly data: string;
  readonly limit?: number;
  readonly names?: FolderNames;
}

/** Uploads an input folder into the workspace's landing folder. */
export async function uploadStep(
  { workspace, signal, progress }: StepContext,
  options: Selection,
): Promise<UploadCounts> {
  return uploadFolder({ ...options, store: workspace.buckets.landing, signal, progress });
}

/** Ingests what has landed; with `data`, lands that folder first. */
export async function ingestStep(
  context: StepContext,
  options: Partial<Selection> & { readonly concurrency?: number } = {},
): Promise<LandedCounts> {
  const { data, concurrency, ...rest } = options;
  const landed = data === undefined ? undefined : await uploadStep(context, { ...rest, data });
  const counts = await ingestAll(context, concurrency === undefined ? {} : { concurrency });
  const notes = [...(landed?.notes ?? []), ...(counts.notes ?? [])];
  if (counts.items + counts.skipped === 0) {
    notes.push(`nothing has landed in ${context.workspace.directory}. Give a folder of scans with --data DIR.`);
  }
  return { ...counts, refused: landed?.refused ?? [], notes: [...notes, ...(await patientNotes(context))] };
}

/** How many patients are known, and whether the manifest knows more by now: rows of images are written once. */
async function patientNotes({ workspace }: StepContext): Promise<string[]> {
  const { landing } = workspace.buckets;
  const rows = await currentImages(workspace.warehouse);
  if (rows.length === 0) return [];
  const strangers = rows.filter(({ patient }) => patient === null);
  const notes = [patientsKnown(rows.length - strangers.length, rows.length)];
  if (strangers.length === 0 || !(await landing.stat(MANIFEST))) return notes;
  const manifest = parseManifest(await landing.read(MANIFEST));
  const late = strangers.filter(
    ({ source }) => manifest.get(source.replace(/#page=\d+$/, ""))?.patientId !== undefined,
  );
  if (late.length > 0) {
    notes.push(
      `${MANIFEST} names the patients of ${late.length} of these images now, which were ingested before it did. They stay strangers in this workspace: start over in another (--out DIR).`,
    );
  }
  return notes;
}
