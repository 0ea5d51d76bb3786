import { PERCEPTUAL_HASH } from "../imaging";
import { maskBeside } from "../intake";
import {
  ChecksumMismatchError,
  type CreatableStore,
  type CreateOptions,
  type ObjectContent,
  PreconditionFailedError,
  tryToCreate,
} from "../platform/stores";
import { DifferentRowsError, type ImageRow } from "../platform/warehouse";
import { blankedFact } from "./burned-in-text";
import type { IngestContext } from "./context";
import { batchName, type Examined, type ExaminedPage, PageReader } from "./examine";
import { curateMask } from "./lesion-mask";

type ExaminedScan = Extract<Examined, { kind: "scan" }>;
type CuratedPage = Exclude<ExaminedPage["result"], { readonly reason: unknown }>;

/** Rows that a commit wrote. */
export interface Committed {
  readonly curated: number;
  readonly quarantined: number;
  /** A sentence for each curated page that is left without its lesion mask, where there is one. */
  readonly maskless?: readonly string[];
}

/** Pages that were written, and the rows that say so. */
export interface Kept {
  readonly rows: readonly ImageRow[];
  readonly counts: Committed;
}

const NOTHING: Committed = { curated: 0, quarantined: 0 };

/**
 * Writes what {@link examine} found: curated pages, quarantined files with their reasons, and, last, the rows. Every
 * write can be repeated, and an object counts as ingested when its rows exist; dying in between loses nothing.
 */
export async function commit(context: IngestContext, examined: Examined): Promise<Committed> {
  const kept = await keep(context, examined);
  if (kept.rows.length === 0) return kept.counts;
  const { name, generation } = examined.event;
  try {
    await context.warehouse.append("images", batchName(name, generation), kept.rows);
  } catch (error) {
    if (!(error instanceof DifferentRowsError)) throw error;
    context.log.warn({ source: name, generation }, error.message);
    return NOTHING;
  }
  return kept.counts;
}

/** All of {@link commit} but its rows. There are none where there is nothing to ingest. */
export async function keep(context: IngestContext, examined: Examined): Promise<Kept> {
  if (examined.kind === "nothing") {
    const { name: source, generation } = examined.event;
    context.log.debug({ source, generation, why: examined.why }, "nothing to ingest");
    return { rows: [], counts: NOTHING };
  }
  // Another delivery may have been faster: its rows stand, and the manifest may have changed since.
  if (await context.isDone(examined.event)) return { rows: [], counts: NOTHING };

  const rows: ImageRow[] = [];
  const maskless: string[] = [];
  const again = new PageReader(context, examined.object);
  let copy: string | undefined;
  try {
    for (const page of examined.pages) {
      if ("reason" in page.result) {
        copy ??= await copyToQuarantine(context, examined, page.id);
        await explain(context, examined, page, copy);
      }
      rows.push(await rowOf(context, examined, page, again, maskless));
    }
  } finally {
    await again.close();
  }
  const { name, generation } = examined.event;
  const quarantined = rows.filter(({ status }) => status === "quarantined").length;
  const { reason, message } = rows.find(({ status }) => status === "quarantined") ?? {};
  const counts = { curated: rows.length - quarantined, quarantined };
  context.log.debug({ source: name, generation, ...counts, ...(reason ? { reason, why: message } : {}) }, "ingested");
  return { rows, counts: { ...counts, ...(maskless.length > 0 ? { maskless } : {}) } };
}

async function rowOf(
  context: IngestContext,
  scan: ExaminedScan,
  page: ExaminedPage,
  again: PageReader,
  maskless: string[],
): Promise<ImageRow> {
  const { facts, object } = scan;
  const { result } = page;
  const common = {
    id: page.id,
    source: page.source,
    generation: object.generation,
    label: facts.label ?? null,
    format: scan.format ?? null,
    bytes: object.size,
    patient: facts.patient ?? null,
    ingested_at: context.now().toISOString(),
    given_split: facts.givenSplit ?? null,
    collection: facts.collection ?? null,
    subtype: facts.subtype ?? null,
    view: facts.viewOf(page.page) ?? null,
    // A mask is called as its scan is.
    mask: (facts.mask !== undefined && scan.landed !== undefined ? maskBeside(scan.source) : facts.mask) ?? null,
    landed: scan.landed ?? null,
    study: facts.study ?? null,
    // Pages of one file are slices of one head: whoever is tested on one must not learn from another.
    series: facts.series ?? (scan.pages.length > 1 ? scan.pages[0]?.id : undefined) ?? null,
    instance: facts.instance ?? null,
    accession: facts.accession ?? null,
    sequence: facts.sequence ?? null,
    body_part: facts.bodyPart ?? null,
    scanner: facts.scanner ?? null,
    acquired_on: facts.acquiredOn ?? null,
  };
  if ("reason" in result) {
    const { code: reason, message } = result.reason;
    const nothing = {
      width: null,
      height: null,
      sha256: null,
      phash: null,
      hash: null,
      recipe: null,
      duplicate_of: null,
    };
    return { ...common, ...nothing, status: "quarantined", reason, message };
  }
  const { width, height, sha256, phash } = result;
  const first = await storeCurated(context, page, result, again);
  const blanked = blankedFact(result.blanked);
  const problem = facts.mask === undefined ? facts.maskProblem : await storeMask(context, scan, page, facts.mask);
  if (problem !== undefined) {
    const sentence = `The lesion mask of ${page.source} is left out: ${problem}`;
    context.log.warn({ image: page.id, source: page.source, mask: facts.mask }, sentence);
    maskless.push(sentence);
  }
  const duplicate_of = first === page.id ? null : first;
  const { id: hash, recipe } = PERCEPTUAL_HASH;
  const made = { width, height, sha256, phash, hash, recipe, duplicate_of };
  return { ...common, ...made, status: "curated", reason: null, message: null, ...(blanked ? { blanked } : {}) };
}

/** Stores a page unless its pixels are stored already. Returns the id of the first image with these pixels. */
async function storeCurated(
  context: IngestContext,
  page: ExaminedPage,
  { sha256, png, blanked }: CuratedPage,
  again: PageReader,
): Promise<string> {
  const { curated } = context;
  const name = `images/${sha256}.png`;
  for (;;) {
    const stored = await curated.stat(name);
    if (stored) return stored.metadata.id ?? page.id;
    try {
      await curated.create(name, png ?? (await again.encode(page.page, blanked)), {
        contentType: "image/png",
        metadata: { id: page.id },
      });
      return page.id;
    } catch (error) {
      if (!(error instanceof PreconditionFailedError)) throw error;
    }
  }
}

/** Stores a page's lesion mask as `masks/<id>.png`. Returns why a mask that cannot be used is left out. */
async function storeMask(
  context: IngestContext,
  scan: ExaminedScan,
  page: ExaminedPage,
  name: string,
): Promise<string | undefined> {
  const mask =
    scan.pages.length > 1
      ? `the scan has ${scan.pages.length} pages, and ${name} does not say which of them it belongs to.`
      : await curateMask(context, name, page.result as { width: number; height: number });
  if (typeof mask === "string") return mask;
  await createOnce(context.curated, `masks/${page.id}.png`, async () => ({
    content: mask,
    options: { contentType: "image/png" },
  }));
  return undefined;
}

/** Copies the file, untouched, to `<id>/<what it is called>`. Returns that, or undefined where its bytes are damaged. */
async function copyToQuarantine(
  context: IngestContext,
  { object, source }: ExaminedScan,
  id: string,
): Promise<string | undefined> {
  const basename = source.slice(source.lastIndexOf("/") + 1);
  const name = `${id}/${basename === REASON ? `original-${REASON}` : basename}`;
  try {
    await createOnce(context.quarantine, name, async () => {
      const content = await context.landing.createReadStream(object.name, { generation: object.generation });
      return { content, options: { crc32c: object.crc32c, contentType: "application/octet-stream" } };
    });
    return name;
  } catch (error) {
    if (error instanceof ChecksumMismatchError) return undefined;
    throw error;
  }
}

const REASON = "reason.json";

async function explain(
  context: IngestContext,
  scan: ExaminedScan,
  page: ExaminedPage,
  copy: string | undefined,
): Promise<void> {
  const { reason } = page.result as { reason: { code: string; message: string } };
  const document = {
    ...reason,
    id: page.id,
    source: page.source,
    ...(page.source === scan.source ? {} : { page: page.page }),
    generation: scan.object.generation,
    bytes: scan.object.size,
    crc32c: scan.object.crc32c,
    /** Where the file lies in quarantine; a file of several bad pages lies there once. */
    file: copy ?? null,
  };
  await createOnce(context.quarantine, `${page.id}/${REASON}`, async () => ({
    content: `${JSON.stringify(document, null, 2)}\n`,
    options: { contentType: "application/json" },
  }));
}

/** Creates an object that, when it exists, has this content already: its name holds a hash of where it comes from. */
async function createOnce(
  store: CreatableStore,
  name: string,
  make: () => Promise<{ content: ObjectContent; options: CreateOptions }>,
): Promise<void> {
  const { content, options } = await make();
  await tryToCreate(store, name, content, options);
}
