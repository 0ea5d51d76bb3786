import { z } from "zod";
import { ANSWERS, keptAnswerName, keptPageName } from "../../dataset";
import { framePlaceSchema, type Geometry, type StoredFramePlace } from "../../imaging";
import type { ScoredScan } from "../../model";
import { DAY_MS } from "../../platform/day";
import { timeOfName } from "../../platform/newest-first";
import { ObjectNotFoundError, tryToCreate } from "../../platform/stores";
import { type Prediction, predictionSchema } from "../schemas";
import { DamagedPage, openPage, type StoredPage } from "./stored-page";
import type { KeptStore } from "./time-index";

/** A signed map on a layer's grid, row by row. */
export interface KeptMap {
  readonly rows: number;
  readonly columns: number;
  readonly values: readonly number[];
}

/** The DICOM instance that was answered; identifiers are pseudonyms. */
export interface KeptStudy {
  readonly study: string;
  readonly series: string;
  readonly instance: string;
  readonly sopClass: string;
  /** Null where the file says nothing of frames, of patient or accession number, or of text in its pixels. */
  readonly frame: number | null;
  readonly patient: string | null;
  readonly accession: string | null;
  readonly burnedIn: "YES" | "NO" | null;
  /** Where in the file the upright page came from. */
  readonly place: StoredFramePlace;
}

/** One answer as it is kept: with the pages beside it, all that is needed to show it and to give it again. */
export interface KeptAnswer {
  readonly prediction: Prediction;
  /** Of the most suspicious page. */
  readonly map: KeptMap;
  readonly geometry: Geometry;
  readonly who: string;
  /** What the model saw in that page, as numbers; absent in answers that earlier versions kept. */
  readonly features?: readonly number[] | undefined;
  /** Absent where the scan was no DICOM or does not say of what study it is, and in answers that earlier versions kept. */
  readonly study?: KeptStudy | undefined;
}

/** A page that was kept. */
export interface KeptPage {
  readonly page: number;
  readonly sha256: string;
  readonly width: number;
  readonly height: number;
  readonly depth: 8 | 16;
}

/** A page to be kept. */
export interface EncodedPage extends Omit<KeptPage, "sha256"> {
  readonly png: Uint8Array;
}

/** Something that is kept of an answer is not as it was written. The message is a sentence that names answer and page. */
export class DamagedAnswer extends Error {}
/** It is not there any more. */
export class GoneAnswer extends DamagedAnswer {}

const number = z.number();
const keptSchema = z.object({
  prediction: predictionSchema,
  map: z.object({ rows: z.int(), columns: z.int(), values: z.array(number) }),
  geometry: z.object({
    left: number,
    top: number,
    width: number,
    height: number,
    scale: number,
    padLeft: number,
    padTop: number,
  }),
  who: z.string(),
  features: z.array(number).optional(),
  study: z
    .object({
      study: z.string(),
      series: z.string(),
      instance: z.string(),
      sopClass: z.string(),
      frame: z.int().nullable(),
      patient: z.string().nullable(),
      accession: z.string().nullable(),
      burnedIn: z.enum(["YES", "NO"]).nullable(),
      place: framePlaceSchema,
    })
    .optional(),
});

/**
 * What is kept of answers, below `answers/<id>/` of the bucket of reports: `<time>-<request>.json` an answer, and
 * `pages-<day>/<sha256>.png` a page, once a day however often it is sent.
 */
export class Answers {
  /** @param days from the beginning of the day (UTC) of an answer */
  constructor(
    private readonly store: KeptStore,
    private readonly days: number,
  ) {}

  /** Until when everything of an answer is there, whoever else removes what is so many days old. */
  keptUntil(at: Date): Date {
    return new Date(startOfDay(at) + this.days * DAY_MS);
  }

  /**
   * Keeps every page that was answered: grey, lossless, at its full size and depth, without metadata.
   *
   * @param encoded gives them one after the other, so that all of a scan is never in memory
   */
  async keepPages(
    scored: Pick<ScoredScan, "id" | "slices">,
    encoded: AsyncIterable<EncodedPage>,
    at: Date,
  ): Promise<readonly KeptPage[]> {
    const answered = new Map(scored.slices.map(({ page, sha256 }) => [page, sha256]));
    const kept: KeptPage[] = [];
    for await (const { png, ...page } of encoded) {
      const sha256 = answered.get(page.page);
      if (sha256 === undefined) continue;
      const name = keptPageName(scored.id, sha256, at);
      // The same whoever stores it.
      if (!(await this.store.stat(name))) await tryToCreate(this.store, name, png, { contentType: "image/png" });
      kept.push({ sha256, ...page });
    }
    return kept;
  }

  async keep(answer: KeptAnswer, at: Date): Promise<void> {
    const { id, request } = answer.prediction;
    const name = keptAnswerName(id, request, at);
    await this.store.create(name, JSON.stringify(answer), { contentType: "application/json" });
  }

  /** The newest answer of an id whose days are not over. */
  async newest(id: string): Promise<KeptAnswer | undefined> {
    const { objects } = await this.store.list({ prefix: `${ANSWERS}${id}/`, pageSize: 1 });
    return this.readIfKept(objects[0]?.name);
  }

  /** Whether an answer of an id is there whose days are over. */
  async isOver(id: string): Promise<boolean> {
    const { objects } = await this.store.list({ prefix: `${ANSWERS}${id}/`, pageSize: 1 });
    return objects.length > 0 && (await this.readIfKept(objects[0]?.name)) === undefined;
  }

  /** One answer, if its days are not over. */
  async find(id: string, request: string, at: Date): Promise<KeptAnswer | undefined> {
    return this.readIfKept(keptAnswerName(id, request, at));
  }

  private async readIfKept(name: string | undefined): Promise<KeptAnswer | undefined> {
    if (name === undefined || !timeOfName(name)) return undefined;
    const bytes = await this.store.read(name).catch((error: unknown) => {
      if (!(error instanceof ObjectNotFoundError)) throw error;
      return undefined;
    });
    if (!bytes) return undefined;
    const answer = readAnswer(name, bytes);
    return Date.parse(answer.prediction.receipt.kept_until) > Date.now() ? answer : undefined;
  }

  /**
   * Does something with a page of an answer.
   *
   * @param use throws {@link DamagedPage} where it is not the page that was answered, as {@link openPage} does
   * @throws {DamagedAnswer} then, and where the page is gone
   */
  async withPage<T>(
    { prediction: { id, request, receipt } }: KeptAnswer,
    { page, sha256 }: Pick<KeptPage, "page" | "sha256">,
    use: (stored: StoredPage) => Promise<T>,
  ): Promise<T> {
    const at = new Date(receipt.answered_at);
    try {
      return await use({ png: await this.store.read(keptPageName(id, sha256, at)), sha256 });
    } catch (cause) {
      const gone = cause instanceof ObjectNotFoundError;
      if (!gone && !(cause instanceof DamagedPage)) throw cause;
      const what = gone ? "is not there any more" : cause.message;
      const kind = gone ? GoneAnswer : DamagedAnswer;
      throw new kind(`Page ${page} of the answer ${request} ${what}. ${sendAgain(at)}`, { cause });
    }
  }

  /** A page of an answer, as it is stored and decoded. @throws {DamagedAnswer} */
  page(answer: KeptAnswer, slice: Pick<KeptPage, "page" | "sha256">) {
    return this.withPage(answer, slice, async (stored) => ({ png: stored.png, image: await openPage(stored) }));
  }
}

/** A page is kept once a day, and what is kept is never replaced. */
const sendAgain = (at: Date) =>
  startOfDay(at) === startOfDay(new Date())
    ? "Send the scan again from 0:00 UTC on: until then it would find the same page."
    : "Send the scan again.";

/** @throws {DamagedAnswer} */
function readAnswer(name: string, bytes: Buffer): KeptAnswer {
  try {
    return keptSchema.parse(JSON.parse(bytes.toString("utf8")));
  } catch (cause) {
    const request = /-(?<request>[^/]+)\.json$/.exec(name)?.groups?.request;
    const problem = `What is kept of the answer ${request} is not as it was written, and cannot be read.`;
    throw new DamagedAnswer(`${problem} Send the scan again.`, { cause });
  }
}

const startOfDay = (at: Date) => Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate());
