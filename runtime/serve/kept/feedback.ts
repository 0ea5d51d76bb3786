import { randomUUID } from "node:crypto";
import type { Warehouse } from "../../platform/warehouse";
import type { Feedback, FeedbackGiven, Prediction } from "../schemas";
import { type KeptStore, newestFirst, TimeIndex } from "./time-index";

const FEEDBACK = "feedback/";
/** Of one answer, that are read. */
const MOST = 100;

/** What people hold scans for: rows of the table `feedback`, and beside them what is shown of these. */
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
    const at = new Date();
    const before = (await this.of(id)).find((earlier) => earlier.who === who);
    const feedback: Feedback = {
      feedback: randomUUID(),
      request,
      id,
      label: given.label,
      agrees: given.label === label,
      comment: given.comment ?? null,
      who,
      given_at: at.toISOString(),
      supersedes: before?.feedback ?? null,
    };
    const { agrees, ...row } = feedback;
    await this.warehouse.append("feedback", feedback.feedback, [row], { unique: true });
    const name = newestFirst(at, feedback.feedback);
    await this.store.create(`${FEEDBACK}${id}/${name}.json`, JSON.stringify(feedback), {
      contentType: "application/json",
    });
    await this.index.add(at, feedback.feedback, { id, agrees: String(agrees) });
    return feedback;
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
