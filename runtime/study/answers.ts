import { createHash } from "node:crypto";
import { z } from "zod";
import { verdictSchema } from "../model";
import type { ReadableStore } from "../platform/stores";

/** Where answers of studies lie, below the reports. */
export const STUDY_ANSWERS = "studies/";

const probability = z.number().min(0).max(1);
const decision = z.enum(["Cancer", "Non-Cancer", "Uncertain"]);
const whole = z.int().min(1);
const UID = /^2\.25\.[0-9]{1,39}$/;

/** Which study a pseudonym may name. */
export const isStudy = (text: string): boolean => UID.test(text);

const sliceSchema = z.object({
  instance: z.string().regex(UID),
  series: z.string().regex(UID),
  /** Frame of the instance, from 1; of a file of one frame 1. */
  page: whole,
  sequence: z.string().nullable(),
  view: z.string().nullable(),
  sha256: z.string(),
  probability,
  decision,
});
export type StudySlice = Readonly<z.infer<typeof sliceSchema>>;

/** What one model says of a study, as far as it had landed: slices and, where there is a rule, the whole. Pseudonyms alone. */
export const studyAnswerSchema = z.object({
  study: z.string().regex(UID),
  /** From 1: a later one knows more slices, or comes from another model. */
  revision: whole,
  answered_at: z.iso.datetime(),
  model: z.string(),
  model_sha256: z.string(),
  recipe: z.string(),
  synthetic: z.boolean(),
  /** Of the model, by its slices. */
  verdict: verdictSchema,
  disclaimer: z.string(),
  /** Of slices. */
  threshold: probability,
  uncertain: z.object({ low: probability, high: probability }).nullable(),
  /** The study's own answer; or why there is none. */
  whole: z.union([
    z.object({
      probability,
      decision: z.enum(["Cancer", "Non-Cancer"]),
      threshold: probability,
      rule: z.string(),
      verdict: verdictSchema,
    }),
    z.object({ reason: z.string() }),
  ]),
  /** Names the slices, whatever model answered them. */
  pictures: z.string(),
  /** The most suspicious first. */
  slices: z.array(sliceSchema).min(1),
  /** Strongest place for Cancer in the first of them, whole pixels of the upright picture. */
  peak: z.object({ x: z.int().min(0), y: z.int().min(0) }),
  /** SHA-256 of the picture of the first of them with the map over it ({@link studyOverlay}); null where none was drawn. */
  overlay: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable()
    .default(null),
});
export type StudyAnswer = Readonly<z.infer<typeof studyAnswerSchema>>;

export const studyFolder = (study: string) => `${STUDY_ANSWERS}${study}/`;
/** Named by a number, so that who may read a name and list none finds the next one. */
export const studyObject = (study: string, revision: number) => `${studyFolder(study)}${revision}.json`;

/** The picture of an answer, a colour PNG: named by its bytes, and made before the answer that names it. */
export const studyOverlay = (study: string, sha256: string) => `${studyFolder(study)}${sha256}.png`;

/** @returns undefined for what is no revision of a study */
export function revisionOf(name: string): { readonly study: string; readonly revision: number } | undefined {
  const [, study, revision] = /^studies\/(2\.25\.[0-9]{1,39})\/([1-9][0-9]{0,8})\.json$/.exec(name) ?? [];
  return study === undefined ? undefined : { study, revision: Number(revision) };
}

export function picturesKey(slices: readonly Pick<StudySlice, "instance" | "page" | "sha256">[]): string {
  const lines = slices.map(({ instance, page, sha256 }) => `${instance} ${page} ${sha256}`).sort();
  return createHash("sha256").update(lines.join("\n")).digest("hex").slice(0, 32);
}

/** An object below `studies/` that is not what it has to be. The message is a sentence. */
export class DamagedStudyAnswer extends Error {}

/** @throws {DamagedStudyAnswer} */
export function readStudyAnswer(bytes: Buffer, study: string, revision: number): StudyAnswer {
  const wrong = (cause?: unknown) =>
    new DamagedStudyAnswer(`Answer ${revision} of the study ${study} is not as it was written, and cannot be read.`, {
      cause,
    });
  let answer: StudyAnswer;
  try {
    answer = studyAnswerSchema.parse(JSON.parse(bytes.toString("utf8")));
  } catch (cause) {
    throw wrong(cause);
  }
  if (answer.study !== study || answer.revision !== revision) throw wrong();
  return answer;
}

/** The newest answer of a study; undefined where there is none. @throws {DamagedStudyAnswer} */
export async function newestStudyAnswer(reports: ReadableStore, study: string): Promise<StudyAnswer | undefined> {
  let newest = 0;
  for await (const { name } of reports.listAll(studyFolder(study)))
    newest = Math.max(newest, revisionOf(name)?.revision ?? 0);
  return newest === 0 ? undefined : readStudyAnswer(await reports.read(studyObject(study, newest)), study, newest);
}
