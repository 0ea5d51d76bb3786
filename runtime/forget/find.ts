import { decodeScan, pixelSha256, RejectedImage, readDicomHeader } from "../imaging";
import {
  classify,
  type Identities,
  LANDED_NAMES,
  LEARNT_FOLDERS,
  learntFacts,
  MANIFEST,
  maskBeside,
  namesOfLanded,
  ORIGINAL_NAME,
  objectPseudonym,
  parseManifest,
  readLearnt,
} from "../intake";
import { ObjectNotFoundError, readJson } from "../platform/stores";
import type { ImageRow } from "../platform/warehouse";
import type { Place } from "./hospital";

/** Whose, or which. */
export type Wanted = { readonly patient: string } | { readonly source: string };

/** What is to go. */
export interface Found {
  /** As it was asked for, and its pseudonym; undefined where a scan was named. */
  readonly patient: string | undefined;
  readonly pseudonym: string | undefined;
  /** Objects below landing, the lesion masks among them. */
  readonly objects: ReadonlySet<string>;
  /** What is spoken of: these, and what tables call objects that are called otherwise. */
  readonly names: ReadonlySet<string>;
  /** Of images. */
  readonly ids: ReadonlySet<string>;
  /** SHA-256 of decoded pixels that no other scan has. */
  readonly pictures: ReadonlySet<string>;
  /** Pictures that other scans have too, which stay. */
  readonly shared: number;
  /** Models that may have learnt from it. */
  readonly models: readonly string[];
}

/**
 * The scan that is meant: by the name that it has below landing, or that it had in the folder that it came from, where an
 * upload has named it anew.
 */
export async function landedAs({ buckets: { landing } }: Place, wanted: Wanted): Promise<Wanted> {
  if (!("source" in wanted) || (await landing.stat(wanted.source))) return wanted;
  for await (const { name, metadata } of landing.listAll())
    if (metadata[ORIGINAL_NAME] === wanted.source) return { source: name };
  return wanted;
}

const PAGE = /#page=\d+$/;
const objectOf = (source: string) => source.replace(PAGE, "");
/** What all rows of one landing object have in common: what stands for its name, where it is called otherwise. */
const keyOf = ({ source, landed }: ImageRow) => landed ?? objectOf(source);

/**
 * Looks for everything of a patient or of a scan: by rows of `images`; by the manifest, and by the headers of DICOM files,
 * for what has landed and not been ingested.
 */
export async function find(workspace: Place, wanted: Wanted, identities: Identities): Promise<Found> {
  const { warehouse } = workspace;
  const pseudonym = "patient" in wanted ? (await identities.of(wanted.patient)).patient : undefined;
  const rows = (await warehouse.rows("images")).map(({ row }) => row);
  const called =
    "source" in wanted
      ? new Set([wanted.source, objectPseudonym(wanted.source, await identities.of(undefined))])
      : null;
  const isIt = (row: ImageRow) =>
    called ? called.has(keyOf(row)) : pseudonym !== undefined && row.patient === pseudonym;
  const keys = new Set(rows.filter(isIt).map(keyOf));
  // What a row calls otherwise is found below, by its own name.
  const objects = new Set(rows.filter((row) => keys.has(keyOf(row)) && !row.landed).map(keyOf));
  for (const name of await notIngested(
    workspace,
    wanted,
    new Set(rows.map(({ source }) => objectOf(source))),
    identities,
    pseudonym,
  ))
    objects.add(name);
  for (const name of objects) keys.add(name);
  // What landed because of feedback is the same scan once more.
  const known = rows.filter((row) => keys.has(keyOf(row)));
  const sent = known.some(({ blanked }) => blanked) ? await asSent(workspace, objects) : [];
  const seen = new Set([...known.flatMap(({ sha256 }) => sha256 ?? []), ...sent]);
  for await (const name of learntObjects(workspace))
    if (seen.has(readLearnt(name)?.sha256 ?? "")) {
      objects.add(name);
      keys.add(name);
    }
  // Of what was painted over, its row says so too: also where the scan as it came is gone.
  for (const row of rows)
    if (readLearnt(objectOf(row.source)) && row.sha256 && seen.has(row.sha256)) {
      objects.add(objectOf(row.source));
      keys.add(keyOf(row));
    }
  // An object goes as a whole: with all of its pages and generations, whoever they were said to be of.
  const gone = rows.filter((row) => keys.has(keyOf(row)));
  const left = rows.filter((row) => !keys.has(keyOf(row)));
  // Two that landed by hand may be files of one instance, and are called alike in tables.
  const stay = new Set(left.map(({ source }) => objectOf(source)));
  const pictures = new Set([
    ...gone.flatMap(({ sha256 }) => sha256 ?? []),
    ...sent,
    ...[...objects].flatMap((name) => readLearnt(name)?.sha256 ?? []),
  ]);
  const others = new Set(left.flatMap(({ sha256 }) => sha256 ?? []));
  const masksLeft = new Set(left.flatMap(({ source, mask }) => [mask ?? "", maskBeside(objectOf(source))]));
  for (const name of [...objects, ...gone.flatMap(({ mask }) => mask ?? [])]) {
    const mask = classify(name).kind === "mask" ? name : maskBeside(name);
    if (!masksLeft.has(mask)) objects.add(mask);
  }
  const ids = new Set(gone.map(({ id }) => id));
  return {
    patient: "patient" in wanted ? wanted.patient.trim() : undefined,
    pseudonym,
    objects,
    names: new Set([...objects, ...gone.map(({ source }) => objectOf(source)).filter((name) => !stay.has(name))]),
    ids,
    pictures: new Set([...pictures].filter((sha256) => !others.has(sha256))),
    shared: [...pictures].filter((sha256) => others.has(sha256)).length,
    models: await modelsOf(workspace, ids),
  };
}

/**
 * SHA-256 of pictures as they came. What was painted over has other pixels in tables; serve knows those that it was sent, and
 * so do its answers and what landed because of feedback on them.
 */
async function asSent({ buckets: { landing } }: Place, objects: ReadonlySet<string>): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of objects) {
    if (classify(name).kind === "mask") continue;
    try {
      for await (const page of decodeScan(await landing.read(name)))
        if ("image" in page) found.push(pixelSha256(page.image));
    } catch (error) {
      if (!(error instanceof RejectedImage || error instanceof ObjectNotFoundError)) throw error;
    }
  }
  return found;
}

async function* learntObjects({ buckets: { landing } }: Place): AsyncGenerator<string> {
  for (const folder of LEARNT_FOLDERS) for await (const { name } of landing.listAll(folder)) yield name;
}

/** Names of objects that have no row and are it all the same. */
async function notIngested(
  { buckets: { landing } }: Place,
  wanted: Wanted,
  ingested: ReadonlySet<string>,
  identities: Identities,
  pseudonym: string | undefined,
): Promise<readonly string[]> {
  if ("source" in wanted) return (await landing.stat(wanted.source)) ? [wanted.source] : [];
  const patient = wanted.patient.trim();
  const found: string[] = [];
  const manifest = await landing.read(MANIFEST).catch((error: unknown) => {
    if (error instanceof ObjectNotFoundError) return undefined;
    throw error;
  });
  const said = manifest === undefined ? new Map() : parseManifest(manifest, LANDED_NAMES);
  for await (const { name, metadata } of landing.listAll()) {
    const { kind } = classify(name);
    if (kind === "manifest" || kind === "mask") continue;
    if (said.get(name)?.patientId?.trim() === patient) found.push(name);
    else if (readLearnt(name)) {
      if (!ingested.has(name) && pseudonym !== undefined && learntFacts(metadata).patient === pseudonym)
        found.push(name);
    } else if (!ingested.has(name) && (await isOf(name, await landing.read(name), identities, pseudonym)))
      found.push(name);
  }
  return found;
}

/** Whether a landed file is a patient's by its header, in which the gateway has put the pseudonym already. */
async function isOf(name: string, bytes: Buffer, identities: Identities, pseudonym: string | undefined) {
  return (
    pseudonym !== undefined && (await namesOfLanded(name, readDicomHeader(bytes), identities)).patient === pseudonym
  );
}

/**
 * Models, and what teaches them, that were published after an image was first put into the training or validation split,
 * by the same pixel recipe: a model keeps a hash of what it learnt from, and no list.
 */
async function modelsOf({ buckets: { models }, warehouse }: Place, ids: ReadonlySet<string>): Promise<string[]> {
  const first = new Map<string, number>();
  for (const { row } of await warehouse.rows("assignments")) {
    if (!ids.has(row.id) || row.split === "test") continue;
    const at = Date.parse(row.assigned_at);
    first.set(row.recipe, Math.min(first.get(row.recipe) ?? at, at));
  }
  if (first.size === 0) return [];
  const found: string[] = [];
  for await (const { name, updated } of models.listAll()) {
    if (!/^(?:[^/]+\/metadata|teachers\/[^/]+\/teacher)\.json$/.test(name)) continue;
    const { id, recipe } = (await readJson(models, name)) as { id: string; recipe: string };
    const from = first.get(recipe);
    if (from !== undefined && Date.parse(updated) >= from) found.push(id);
  }
  return found.sort();
}
