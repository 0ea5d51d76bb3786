import { newestFirst, timeOfName } from "../../platform/newest-first";
import { tryToCreate } from "../../platform/stores";
import type { Answered } from "./feedback";
import type { KeptStore } from "./time-index";

/** Below it, by the pseudonym of an accession number, an empty object an answer whose metadata say what is needed of it. */
const ACCESSIONS = "accessions/";

/** An answer to a scan of a study. */
export interface AnswerOfStudy extends Answered {
  /** Of the page that it is about. */
  readonly sha256: string;
  /** Of Cancer. */
  readonly probability: number;
  /** ISO 8601. */
  readonly at: string;
}

/** Which answers belong to a study, by the pseudonym of its accession number. */
export class Accessions {
  constructor(private readonly store: KeptStore) {}

  async add(accession: string, { id, request, label, sha256, probability, at }: AnswerOfStudy): Promise<void> {
    const name = `${ACCESSIONS}${accession}/${newestFirst(new Date(at), request)}`;
    const metadata = { id, label, sha256, probability: String(probability) };
    await tryToCreate(this.store, name, "", { metadata, contentType: "application/octet-stream" });
  }

  /** The newest answer of each picture, the newest first. */
  async of(accession: string): Promise<readonly AnswerOfStudy[]> {
    const newest = new Map<string, AnswerOfStudy>();
    for await (const { name, metadata } of this.store.listAll(`${ACCESSIONS}${accession}/`)) {
      const at = timeOfName(name);
      const { id, label, sha256, probability } = metadata;
      if (!at || !id || !sha256 || newest.has(sha256)) continue;
      newest.set(sha256, {
        ...{ id, sha256, request: name.slice(-36), probability: Number(probability), at: at.toISOString() },
        label: label as Answered["label"],
      });
    }
    return [...newest.values()];
  }
}

/**
 * What is said of a study is said of these of its answers. Where it is free of Cancer, each slice is. Where it has Cancer, it
 * is not known which slice shows it: that is said of each all the same, as of the study, and is no label of any.
 */
export function saidOfStudy<T extends AnswerOfStudy>(answers: Iterable<T>): readonly T[] {
  const newest = new Map<string, T>();
  for (const answer of answers) {
    const known = newest.get(answer.sha256);
    if (!known || answer.at > known.at || (answer.at === known.at && answer.request > known.request))
      newest.set(answer.sha256, answer);
  }
  return [...newest.values()].sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
}
