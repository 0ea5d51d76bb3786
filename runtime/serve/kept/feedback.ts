import { createHash, randomUUID } from "node:crypto";
import { newSalt } from "../../audit";
import { tryToCreate } from "../../platform/stores";
import type { Warehouse } from "../../platform/warehouse";
import type { Feedback, FeedbackGiven, Prediction } from "../schemas";
import { type KeptStore, newestFirst, TimeIndex } from "./time-index";

const FEEDBACK = "feedback/";
/** The turns that a person's feedback on one answer has taken: which one comes after which. */
const TURNS = "feedback-turns/";
/** Of one answer, that are read. */
const MOST = 100;
const MOST_TURNS = 999_999;

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

  async give(prediction: Prediction, given: FeedbackGiven, who: string): Promise<Feedback> {
    const { id, request, label } = prediction;
    for (;;) {
      const before = await this.lastTurn(id, who);
      // One that broke off between its turn and its row is in no table yet, and this one is about to name it.
      if (before) await this.write(before.feedback);
      // Whose clock is behind comes later all the same.
      const at = new Date(Math.max(Date.now(), before ? Date.parse(before.feedback.given_at) + 1 : 0));
      const feedback: Feedback = {
        feedback: randomUUID(),
        request,
        id,
        label: given.label,
        agrees: given.label === label,
        comment: given.comment ?? null,
        who,
        given_at: at.toISOString(),
        supersedes: before?.feedback.feedback ?? null,
      };
      if (!(await this.takeTurn(feedback, (before?.turn ?? 0) + 1))) continue;
      await this.write(feedback);
      return feedback;
    }
  }

  private async lastTurn(id: string, who: string) {
    const prefix = turnsOf(id, who);
    const { objects } = await this.store.list({ prefix, pageSize: 1 });
    const [newest] = objects;
    if (!newest) return undefined;
    const turn = MOST_TURNS - Number(newest.name.slice(prefix.length));
    return { turn, feedback: await this.read(newest.name) };
  }

  private takeTurn(feedback: Feedback, turn: number): Promise<boolean> {
    // The newest sorts first.
    const name = turnsOf(feedback.id, feedback.who) + String(MOST_TURNS - turn).padStart(6, "0");
    return tryToCreate(this.store, name, JSON.stringify(feedback), JSON_TYPE);
  }

  /** What was written before is left as it is. */
  private async write(feedback: Feedback): Promise<void> {
    const { agrees, ...row } = feedback;
    const at = new Date(feedback.given_at);
    await this.warehouse.append("feedback", feedback.feedback, [{ ...row, salt: newSalt() }], { unique: true });
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

  private async read(name: string): Promise<Feedback> {
    return JSON.parse((await this.store.read(name)).toString("utf8")) as Feedback;
  }
}

const JSON_TYPE = { contentType: "application/json" };
/** The address stays out of names. */
const turnsOf = (id: string, who: string) => `${TURNS}${id}/${createHash("sha256").update(who).digest("hex")}/`;
