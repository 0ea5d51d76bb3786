import { createHash } from "node:crypto";
import {
  decodeCurated,
  hashDistance,
  NEAR_DUPLICATE_DISTANCE,
  PERCEPTUAL_HASH,
  perceptualHash,
  pixelSha256,
} from "../imaging";
import { type LearntFacts, learntObject, readLearnt } from "../intake";
import { DAY_MS } from "../platform/day";
import { type CreatableStore, type ReadableStore, tryToCreate } from "../platform/stores";
import {
  CURRENT_ASSIGNMENTS,
  CURRENT_IMAGES,
  type CurrentImage,
  FEEDBACK_ON_PICTURES,
  type ImageRow,
  LANDED_FEEDBACK,
  type Warehouse,
} from "../platform/warehouse";
import { type AgreedLabel, type Agreement, agreedLabels } from "./agreed-labels";
import { curatedName, readCuratedObject } from "./curated-object";
import { historyName, keptAnswerName, keptPageName } from "./kept-answers";

/** What learning from feedback reads and adds to: rights that retraining has, and that nobody has who answers. */
export interface LearningStores {
  /** Below {@link LEARNT_FOLDERS} alone. */
  readonly landing: CreatableStore;
  readonly curated: ReadableStore;
  /** What is kept of answers. */
  readonly reports: ReadableStore;
  /** Tables `feedback`, `predictions`, `images` and `assignments`; rows are added to `images`. */
  readonly warehouse: Pick<Warehouse, "ask" | "append">;
}

export interface LearningOptions {
  /** Whether the hospital consents to learning from feedback: `retraining.learnFromFeedback` of its line. Else nothing is learnt from it. */
  readonly consent: boolean;
  /** Lists of addresses that belong to one person each. @default none */
  readonly samePerson?: readonly (readonly string[])[] | undefined;
  readonly now: Date;
  readonly signal: AbortSignal;
}

/** Why an agreed label is not learnt from. */
export const NOT_LEARNT = {
  labelled: "The data set has this label already.",
  contradicts: "It lies in the folder of the other label: look at it, and move the file if the folder is wrong.",
  "held-out": "It, its patient or a near-duplicate is among the scans that are tested or chosen by.",
  joins: "It is a near-duplicate of scans of two groups, which would become one.",
  "several-pages": "It was said of a file of several pages, and not of one of them.",
  gone: "Its picture is kept no longer.",
  damaged: "Its picture is not as it was answered.",
} as const;
export type NotLearnt = keyof typeof NOT_LEARNT;

export interface Learning extends Omit<Agreement, "agreed"> {
  /** Labels that count. */
  readonly agreed: number;
  /** Objects below landing that are learnt from, landed now or before: ascending. */
  readonly counting: readonly string[];
  /** Objects that landed now, and are to be ingested. */
  readonly landed: readonly string[];
  /** Objects that had landed, and are learnt from no longer, or again. */
  readonly withdrawn: readonly string[];
  readonly restored: readonly string[];
  readonly left: readonly (Pick<AgreedLabel, "sha256" | "label"> & { readonly reason: NotLearnt })[];
}

/** `reason` of a picture whose label people no longer agree on. */
export const LABEL_WITHDRAWN = "label-withdrawn";
const WITHDRAWN =
  "It landed because people agreed on its label, and they no longer do, or the hospital no longer learns from feedback.";

/** The labels that count now. @param samePerson as {@link agreedLabels} takes it */
export async function labelsOfFeedback(
  warehouse: Pick<Warehouse, "ask">,
  now: Date,
  samePerson: LearningOptions["samePerson"] = [],
): Promise<Agreement> {
  return agreedLabels(await warehouse.ask(FEEDBACK_ON_PICTURES, { before: tomorrow(now) }), samePerson);
}

/** Clocks differ: after all that was said. */
const tomorrow = (now: Date) => new Date(now.getTime() + 2 * DAY_MS).toISOString().slice(0, 10);

/**
 * Lands the pictures on whose label people agree below the folder of that label, once, so that ingest takes them in as it
 * takes all scans; and takes those out of the data set on which they no longer agree, by a row of `images`. Nothing is
 * overwritten or deleted. Done again, or by two at once, it does nothing that is done.
 *
 * The split of no scan is changed: a picture of a group that is held out, or that is near one, does not land. What has landed
 * and was taken in has a group and a split like any scan, and stays, whichever that is.
 */
export async function learnFromFeedback(stores: LearningStores, options: LearningOptions): Promise<Learning> {
  const { consent, samePerson, now, signal } = options;
  const said = await stores.warehouse.ask(FEEDBACK_ON_PICTURES, { before: tomorrow(now) });
  const { agreed: agreements, ...open } = agreedLabels(said, samePerson);
  const agreed = consent ? agreements : [];
  const answers = new Map<string, typeof said>();
  for (const one of said) answers.set(one.sha256, [...(answers.get(one.sha256) ?? []), one]);
  const known = await KnownImages.read(stores.warehouse);
  const left: { sha256: string; label: AgreedLabel["label"]; reason: NotLearnt }[] = [];
  const landed: string[] = [];
  const counting = new Set<string>();
  for (const label of agreed) {
    signal.throwIfAborted();
    const object = learntObject(label.label, label.sha256);
    const picture = await pictureOf(stores, known, label, answers.get(label.sha256) ?? []);
    if (typeof picture === "string") {
      left.push({ sha256: label.sha256, label: label.label, reason: picture });
      continue;
    }
    counting.add(object);
    const { png, facts } = picture;
    const metadata = Object.fromEntries(
      Object.entries({ ...facts, ...provenance(label, answers.get(label.sha256) ?? []) }).filter(
        (entry): entry is [string, string] => entry[1] !== undefined,
      ),
    );
    if (await tryToCreate(stores.landing, object, png, { contentType: "image/png", metadata })) landed.push(object);
  }
  const moved = await settle(stores.warehouse, counting, now);
  return { agreed: agreed.length, ...open, counting: [...counting].sort(), landed, ...moved, left };
}

/** How it came that it landed: ids of feedback and of an answer, and no person's name. */
function provenance({ by, since, feedback }: AgreedLabel, answers: readonly { readonly request: string }[]) {
  return {
    "landed-by": "feedback",
    "agreed-by": by,
    "agreed-since": since,
    // Metadata of an object have 8 KiB.
    feedback: feedback.slice(0, 40).join(" "),
    request: answers.at(-1)?.request,
  };
}

interface Picture {
  readonly png: Buffer;
  readonly facts: LearntFacts;
}

type Answer = { readonly request: string; readonly id: string; readonly predicted_at: string };

/** The curated page where there is one, else the page that is kept of an answer; or why it is not to land. */
async function pictureOf(
  { curated, reports }: LearningStores,
  known: KnownImages,
  { sha256, label }: AgreedLabel,
  answers: readonly Answer[],
): Promise<Picture | NotLearnt> {
  const object = learntObject(label, sha256);
  const images = known.ofPicture(sha256);
  const labelled = images.filter((image) => image.label !== null && !readLearnt(image.source));
  if (labelled.length > 0) return labelled.every((image) => image.label === label) ? "labelled" : "contradicts";
  for (const answer of answers) if (await hasSeveralPages(reports, answer)) return "several-pages";
  const [original] = images.filter(({ source }) => !readLearnt(source));
  if (original) {
    const png = await readCuratedObject(curated, curatedName(sha256));
    if ("reason" in png) return png.reason === "curated-missing" ? "gone" : "damaged";
    const { patient, study, series, instance, accession, collection } = original;
    const facts = withoutNulls({ patient, study, series, instance, accession, collection });
    return admitted(known, { sha256, png, facts }, object);
  }
  for (const { id, request, predicted_at } of answers) {
    const at = new Date(predicted_at);
    const name = keptPageName(id, sha256, at);
    if (!(await reports.stat(name))) continue;
    const kept = keptAnswerName(id, request, at);
    const facts = (await reports.stat(kept)) ? studyOf(await reports.read(kept)) : {};
    return admitted(known, { sha256, png: await reports.read(name), facts }, object);
  }
  // What landed before stays, though nothing else is kept of it.
  const [before] = images;
  if (!before) return "gone";
  const png = await readCuratedObject(curated, curatedName(sha256));
  if ("reason" in png) return png.reason === "curated-missing" ? "gone" : "damaged";
  const { patient, study, series } = before;
  return admitted(known, { sha256, png, facts: withoutNulls({ patient, study, series }) }, object);
}

/** Where its group is known, that decides; else what it would be grouped with. @param object as which it lands, or has landed */
async function admitted(
  known: KnownImages,
  { sha256, png, facts }: Picture & { readonly sha256: string },
  object: string,
): Promise<Picture | NotLearnt> {
  const image = await decodeCurated(png).catch(() => undefined);
  if (!image || pixelSha256(image) !== sha256) return "damaged";
  // Its own split, which it was given since, does not speak against it.
  if (known.hasLanded(object)) return { png, facts };
  const kin = known.kinOf(sha256, perceptualHash(image), facts);
  if (kin.some(({ split }) => split !== "train")) return "held-out";
  if (new Set(kin.map(({ group }) => group)).size > 1) return "joins";
  return { png, facts };
}

/** Scored scans of the data set are pages; what was sent to the service says how many it had. */
async function hasSeveralPages(reports: ReadableStore, { request, predicted_at }: Answer): Promise<boolean> {
  const pages = (await reports.stat(historyName(new Date(predicted_at), request)))?.metadata.pages;
  return pages !== undefined && pages !== "1";
}

function studyOf(kept: Buffer): LearntFacts {
  const { study } = JSON.parse(kept.toString("utf8")) as {
    readonly study?: Readonly<Record<"patient" | "study" | "series" | "instance" | "accession", string | null>>;
  };
  if (!study) return {};
  const { patient, series, instance, accession } = study;
  return withoutNulls({ patient, study: study.study, series, instance, accession });
}

const withoutNulls = (facts: Readonly<Record<string, string | null>>): LearntFacts =>
  Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== null));

interface Kin {
  readonly group: string;
  readonly split: string;
}

/** The images that are there, and what they are grouped by. */
class KnownImages {
  private readonly pictures = new Map<string, CurrentImage[]>();

  private constructor(
    private readonly images: readonly CurrentImage[],
    private readonly hashed: readonly (Kin & { readonly phash: string })[],
    /** Objects that landed by feedback and were taken in, withdrawn ones among them. */
    private readonly landed: ReadonlySet<string>,
  ) {
    for (const image of images) {
      const same = this.pictures.get(image.sha256);
      if (same) same.push(image);
      else this.pictures.set(image.sha256, [image]);
    }
  }

  static async read(warehouse: Pick<Warehouse, "ask">): Promise<KnownImages> {
    const images = await warehouse.ask(CURRENT_IMAGES, {});
    // Those that are no longer current are among them: a model may have been tested on these.
    const assignments = await warehouse.ask(CURRENT_ASSIGNMENTS, {});
    const hashed = assignments.flatMap(({ group, split, hash, phash }) =>
      hash === PERCEPTUAL_HASH.id && phash !== null ? [{ group, split, phash }] : [],
    );
    const landed = await warehouse.ask(LANDED_FEEDBACK, {});
    const takenIn = landed.filter(({ status, reason }) => status === "curated" || reason === LABEL_WITHDRAWN);
    return new KnownImages(images, hashed, new Set(takenIn.map(({ source }) => source)));
  }

  hasLanded(object: string): boolean {
    return this.landed.has(object);
  }

  ofPicture(sha256: string): readonly CurrentImage[] {
    return this.pictures.get(sha256) ?? [];
  }

  /** Group and split of all that a picture is, or would be, grouped with. */
  kinOf(sha256: string, phash: string, { patient, study, series }: LearntFacts): readonly Kin[] {
    const same = (a: string | null, b: string | undefined) => a !== null && a === b;
    const kin = this.images.flatMap((image): Kin[] => {
      const { group, split } = image;
      if (group === null || split === null) return [];
      const isKin =
        image.sha256 === sha256 ||
        same(image.patient, patient) ||
        same(image.study, study) ||
        same(image.series, series);
      return isKin ? [{ group, split }] : [];
    });
    const near = this.hashed.filter((other) => hashDistance(other.phash, phash) <= NEAR_DUPLICATE_DISTANCE);
    return [...kin, ...near];
  }
}

/** Takes out of the data set what no longer counts, and back in what counts again: by a further row, the newest. */
async function settle(
  warehouse: LearningStores["warehouse"],
  counting: ReadonlySet<string>,
  now: Date,
): Promise<Pick<Learning, "withdrawn" | "restored">> {
  const withdrawn: string[] = [];
  const restored: string[] = [];
  for (const row of await warehouse.ask(LANDED_FEEDBACK, {})) {
    if (!readLearnt(row.source)) continue;
    const counts = counting.has(row.source);
    if (row.status === "curated" && !counts) {
      await again(warehouse, { ...row, status: "quarantined", reason: LABEL_WITHDRAWN, message: WITHDRAWN }, row, now);
      withdrawn.push(row.source);
    } else if (row.reason === LABEL_WITHDRAWN && counts) {
      await again(warehouse, { ...row, status: "curated", reason: null, message: null }, row, now);
      restored.push(row.source);
    }
  }
  return { withdrawn, restored };
}

async function again(
  warehouse: Pick<Warehouse, "append">,
  row: ImageRow,
  { source, generation, status, ingested_at }: ImageRow,
  now: Date,
): Promise<void> {
  const before = Date.parse(ingested_at);
  // The same step from the same row, whoever takes it, is one batch.
  const batch = createHash("sha256").update(`${source} ${generation} ${status} ${before}`).digest("hex").slice(0, 32);
  const at = new Date(Math.max(now.getTime(), before + 1)).toISOString();
  await warehouse.append("images", `label-${batch}`, [{ ...row, ingested_at: at }]);
}
