import { createHash, randomUUID } from "node:crypto";
import { newSalt } from "../../audit";
import { newestFirst } from "../../platform/newest-first";
import { readJson, tryToCreate } from "../../platform/stores";
import type { Warehouse } from "../../platform/warehouse";
import type { Feedback, FeedbackGiven, Prediction } from "../schemas";
import { type KeptStore, TimeIndex } from "./time-index";

const FEEDBACK = "feedback/";
/** The turns that a person's feedback on one answer has taken: which one comes after which. */
const TURNS = "feedback-turns/";
/** Of one answer, that are read. */
const MOST = 100;
/** Entries of the index that are read for {@link FeedbackBook.answersSince}. */
const AT_A_TIME = 1000;
const MOST_TURNS = 999_999;

/** An answer that somebody says something of. */
export type Answered = Pick<Prediction, "id" | "request" | "label">;

/** What somebody says of an answer's scan, or of the study that the scan is a slice of. */
export interface Said {
  readonly answer: Answered;
  readonly given: FeedbackGiven;
  readonly who: string;
  readonly scope: "study" | undefined;
}

/** What became of it: added; the person's last word already; said once, before the last word; nothing to take back. */
export type GivenOnce =
  | { readonly kind: "added" | "there" | "nothing" }
  | { readonly kind: "superseded"; readonly at: string };

interface Turn {
  /** From 1. */
  readonly turn: number;
  readonly feedback: Feedback;
}

/**
 * What people hold scans for: rows of the table `feedback`, and beside them what is shown of these. A person's feedback on
 * one answer is a chain, however many come at once and whichever instance gets them: each takes the next turn, an object
 * that only one can create, and supersedes the one whose turn was before.
 */
export class FeedbackBook {
  private readonly index: TimeIndex;

  constructor(
    private readonly store: KeptStore,
    private readonly warehouse: Warehouse,
  ) {
    this.index = new TimeIndex(store, "feedback-index");
  }

  async give(answer: Answered, given: FeedbackGiven, who: string): Promise<Feedback> {
    const chain = turnsOf(answer.id, who, undefined);
    for (;;) {
      const [before] = await this.turns(chain, 1);
      const feedback = await this.take(chain, before, { answer, given, who, scope: undefined });
      if (feedback) return feedback;
    }
  }

  /**
   * The same of what may have been said before, such as by a file that is read again: nothing is added where the person's
   * last word is the same, nor where it was the same once and is another now.
   *
   * @param dry only says what would become of it
   */
  async giveOnce(said: Said, dry = false): Promise<GivenOnce> {
    const { answer, given, who, scope } = said;
    const chain = turnsOf(answer.id, who, scope);
    for (;;) {
      const turns = await this.turns(chain, MOST);
      const [before] = turns;
      if (before && isSame(before.feedback, given)) {
        if (!dry) await this.write(before.feedback);
        return { kind: "there" };
      }
      if (given.label === "Withdrawn" && (!before || before.feedback.label === "Withdrawn")) return { kind: "nothing" };
      if (before && turns.some(({ feedback }) => isSame(feedback, given)))
        return { kind: "superseded", at: before.feedback.given_at };
      if (dry || (await this.take(chain, before, said))) return { kind: "added" };
    }
  }

  /** A person's turns, the newest first. */
  private async turns(chain: string, most: number): Promise<readonly Turn[]> {
    const { objects } = await this.store.list({ prefix: chain, pageSize: most });
    return Promise.all(
      objects.map(async ({ name }) => ({
        turn: MOST_TURNS - Number(name.slice(chain.length)),
        feedback: await this.read(name),
      })),
    );
  }

  /** Says it, unless somebody else took the next turn meanwhile. */
  private async take(
    chain: string,
    before: Turn | undefined,
    { answer, given, who, scope }: Said,
  ): Promise<Feedback | undefined> {
    // One that broke off between its turn and its row is in no table yet, and this one is about to name it.
    if (before) await this.write(before.feedback);
    // Whose clock is behind comes later all the same.
    const at = new Date(Math.max(Date.now(), before ? Date.parse(before.feedback.given_at) + 1 : 0));
    const feedback: Feedback = {
      feedback: randomUUID(),
      request: answer.request,
      id: answer.id,
      label: given.label,
      agrees: given.label === "Withdrawn" ? null : given.label === answer.label,
      comment: given.comment ?? null,
      who,
      given_at: at.toISOString(),
      supersedes: before?.feedback.feedback ?? null,
      ...(scope ? { scope } : {}),
      ...(given.confirm ? { confirmed: true as const } : {}),
    };
    // The newest sorts first.
    const name = chain + String(MOST_TURNS - ((before?.turn ?? 0) + 1)).padStart(6, "0");
    if (!(await tryToCreate(this.store, name, JSON.stringify(feedback), JSON_TYPE))) return undefined;
    await this.write(feedback);
    return feedback;
  }

  /** What was written before is left as it is. */
  private async write(feedback: Feedback): Promise<void> {
    const { agrees, scope = null, confirmed = null, ...said } = feedback;
    const at = new Date(feedback.given_at);
    const row = { ...said, scope, confirmed, salt: newSalt() };
    await this.warehouse.append("feedback", feedback.feedback, [row], { unique: true });
    const name = `${FEEDBACK}${feedback.id}/${newestFirst(at, feedback.feedback)}.json`;
    await tryToCreate(this.store, name, JSON.stringify(feedback), JSON_TYPE);
    await this.index.add(at, feedback.feedback, { id: feedback.id, agrees: String(agrees) });
  }

  /** On one answer, the newest first. */
  async of(id: string): Promise<readonly Feedback[]> {
    const { objects } = await this.store.list({ prefix: `${FEEDBACK}${id}/`, pageSize: MOST });
    return Promise.all(objects.map(({ name }) => this.read(name)));
  }

  /** On all answers, the newest first; superseded ones are among them. */
  async page(query: {
    readonly limit: number;
    readonly cursor?: string | undefined;
    readonly agrees?: boolean | undefined;
  }) {
    const { agrees, ...rest } = query;
    const wanted = ({ facts }: { readonly facts: Readonly<Record<string, string>> }) =>
      agrees === undefined || facts.agrees === String(agrees);
    const { entries, next } = await this.index.page({ ...rest, wanted });
    const items = await Promise.all(entries.map(({ name, facts }) => this.read(`${FEEDBACK}${facts.id}/${name}.json`)));
    return { items, next };
  }

  /** Ids of the answers that somebody said something of since then. */
  async answersSince(from: Date): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    for (let cursor: string | undefined; ; ) {
      const { entries, next } = await this.index.page({ limit: AT_A_TIME, cursor, from, wanted: () => true });
      for (const { facts } of entries) if (facts.id) found.add(facts.id);
      if (next === null) return found;
      cursor = next;
    }
  }

  private async read(name: string): Promise<Feedback> {
    return (await readJson(this.store, name)) as Feedback;
  }
}

const JSON_TYPE = { contentType: "application/json" };
/** The address stays out of names. */
const turnsOf = (id: string, who: string, scope: Said["scope"]) =>
  `${TURNS}${id}/${createHash("sha256")
    .update(scope === undefined ? who : `${who}\0${scope}`)
    .digest("hex")}/`;

const isSame = ({ label, comment, confirmed }: Feedback, given: FeedbackGiven) =>
  label === given.label && comment === (given.comment ?? null) && confirmed === (given.confirm || undefined);
