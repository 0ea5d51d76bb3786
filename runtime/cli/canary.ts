import { randomUUID } from "node:crypto";
import { writeAct } from "../audit";
import {
  abortCanary,
  advanceCanary,
  type CanaryContext,
  CanaryRefused,
  type CanaryStep,
  canaryStatus,
  type Promoting,
  startCanary,
} from "../canary";
import { readEvaluation } from "../evaluate";
import { CloudRunShares, runEndpointsOf } from "../platform/cloud-run";
import { changePlan, contenderOf, previewPromotion, readReference } from "../promotion";
import { currentCanary, currentModel } from "../registry";
import { type ModelShelves, NotMoved, notComparable, promoteModel, tryOut } from "../serve";
import { byHand, type ModelPlace, onShelves, requireModels } from "./models";

/** Where a canary is: its models, and the Cloud Run service whose requests it shares, if any. */
export interface CanaryPlace {
  readonly place: ModelPlace;
  readonly service: string | undefined;
  /** Ends waiting for Cloud Run. */
  readonly signal?: AbortSignal;
}

/** @throws {CanaryRefused} with the reason; {ConfigurationError} if there is no such model */
export function start(at: CanaryPlace, model: string, share: number | undefined): Promise<CanaryStep> {
  const named = async ({ models }: CanaryContext) => {
    await requireModels(models, model);
    return model;
  };
  return written(at, "canary-start", named, (context) => startCanary(context, model, share));
}

/** Undefined where there never was one. */
export async function status(at: CanaryPlace): Promise<CanaryStep | undefined> {
  return inContext(at, (context) => canaryStatus(context));
}

/** @throws {CanaryRefused} with the reason */
export function advance(at: CanaryPlace, options: { readonly finish: boolean }): Promise<CanaryStep> {
  const action = options.finish ? "canary-finish" : "canary-advance";
  return written(at, action, triedOut, (context) => advanceCanary(context, options));
}

/**
 * Advances again and again until it is promoted or taken back. What was asked for is written down once, and each change;
 * looks that change nothing are not.
 *
 * @param pause waits between two looks, and is told of the one before; where it, or a wait for Cloud Run, is ended by the
 *   place's signal, that is what is written down at the end
 * @throws {CanaryRefused} with the reason
 */
export function advanceUntilOver(at: CanaryPlace, pause: (step: CanaryStep) => Promise<void>): Promise<CanaryStep> {
  return written(at, "canary-advance", triedOut, async (context, changed) => {
    for (;;) {
      const step = await advanceCanary(context);
      if (step.canary.state !== "running") return step;
      if (step.changed) await changed(step);
      await pause(step);
    }
  });
}

/** @throws {CanaryRefused} where there is none */
export function abort(at: CanaryPlace, reason: string): Promise<CanaryStep> {
  return written(at, "canary-abort", triedOut, (context) => abortCanary(context, reason));
}

/** The model that is tried out, or was last; null where none ever was. */
const triedOut = async ({ models }: CanaryContext) => (await currentCanary(models))?.candidate ?? null;

/**
 * Does a step: written down before anything is changed, and what came of it afterwards. A step that waits may have put a
 * share right, and one that fails may have moved requests before it did.
 */
function written(
  at: CanaryPlace,
  action: string,
  subjectOf: (context: CanaryContext) => Promise<string | null>,
  work: (context: CanaryContext, changed: (step: CanaryStep) => Promise<void>) => Promise<CanaryStep>,
): Promise<CanaryStep> {
  return inContext(at, async (context, write) => {
    const subject = await subjectOf(context);
    await write(action, subject, "asked");
    const came = ({ canary: { state, mode, share, candidate } }: CanaryStep) =>
      write(action, candidate, state === "running" && mode === "traffic" ? `${share} %` : state);
    const step = await work(context, came).catch(async (error: unknown) => {
      // Why it failed is more than that this cannot be written down either: that it was asked for is there.
      await write(action, subject, resultOf(error)).catch(() => undefined);
      throw error;
    });
    await came(step);
    return step;
  });
}

function resultOf(error: unknown): string {
  if (error instanceof CanaryRefused) return error.code;
  return error instanceof Error && error.name === "AbortError" ? "interrupted" : "failed";
}

type Write = (action: string, subject: string | null, result: string) => Promise<void>;

function inContext<T>(
  { place, service, signal }: CanaryPlace,
  work: (context: CanaryContext, write: Write) => Promise<T>,
): Promise<T> {
  return onShelves(place, (shelves, warehouse) => {
    if (!warehouse)
      throw new CanaryRefused(
        "no-canary",
        "A canary is judged by the hospital's tables: name them with --warehouse (or WAREHOUSE).",
      );
    const request = randomUUID();
    const write: Write = async (action, subject, result) => {
      await writeAct(warehouse, byHand({ request, action, subject, result }));
    };
    const context = {
      ...{ models: shelves.pointer, warehouse, plan: changePlan() },
      promoting: promotingOn(shelves, write),
      shares:
        service === undefined ? undefined : new CloudRunShares(service, runEndpointsOf(process.env), undefined, signal),
    };
    return work(context, write);
  });
}

function promotingOn(shelves: ModelShelves, write: Write): Promoting {
  const { pointer, reports } = shelves;
  return {
    tryOut: (model) => tryOut(pointer, model),
    preview: async (model) => {
      const stable = (await currentModel(pointer))?.model ?? "";
      const evaluated = async (id: string) => {
        const evaluation = await readEvaluation(reports, id);
        if (evaluation) return contenderOf(reports, evaluation);
        throw new NotMoved("not-evaluated", `No evaluation of ${id} is stored, so the rule cannot compare it.`);
      };
      const [challenger, champion] = await Promise.all([evaluated(model), evaluated(stable)]);
      const { promoted, reason, clause } = await previewPromotion({
        models: pointer,
        challenger,
        champion,
        reference: await readReference(reports).catch(notComparable),
        asker: "person",
      }).catch(notComparable);
      return { promotes: promoted, reason, clause };
    },
    promote: async (model) => {
      await write("promote", model, "asked");
      try {
        const { current, reason } = await promoteModel(shelves, model);
        await write("promote", model, current);
        return { promoted: true, reason };
      } catch (error) {
        if (!(error instanceof NotMoved)) throw error;
        return { promoted: false, reason: error.message };
      }
    },
  };
}
