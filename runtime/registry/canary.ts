import { z } from "zod";
import { PreconditionFailedError, tryToCreate } from "../platform/stores";
import type { PointerReader, PointerStore } from "./current";

/** What is said of the canary now; below the folder, each thing that was said of one. */
export const CANARY = "canary.json";
export const CANARIES_FOLDER = "canaries/";

const time = z.iso.datetime();

/** What the change plan's test said when somebody had the canary advanced. */
const lookSchema = z.object({
  at: time,
  /** `hold`: not yet. */
  outcome: z.enum(["advance", "hold", "rollback"]),
  findings: z.array(
    z.object({
      /** Of the change plan. */
      clause: z.string(),
      /** `held` and `broken` are shown; `open`: neither is. */
      state: z.enum(["held", "broken", "open"]),
      /** Scans or answers until it is shown, about; null where nobody can say. */
      missing: z.int().nullable(),
      sentence: z.string(),
    }),
  ),
});
export type CanaryLook = Readonly<z.infer<typeof lookSchema>>;

const canarySchema = z.object({
  /** What is tried out, and what it is compared with: the model that was current when it began. */
  candidate: z.string(),
  stable: z.string(),
  /** `shadow`: the candidate is asked beside the stable model; `traffic`: it answers a share of the requests. */
  mode: z.enum(["shadow", "traffic"]),
  /** `starting`: what answers with the candidate is being made. */
  state: z.enum(["starting", "running", "promoted", "rolled-back", "aborted"]),
  /** Percent of requests that the candidate answers; 0 as a shadow. */
  share: z.int().min(0).max(100),
  /** What answers with the candidate; null as a shadow. */
  revision: z.string().nullable(),
  startedAt: time,
  /** When the present share began. */
  shareSince: time,
  /** How often people's labels were put to the test, and how many there were then. */
  looks: z.int(),
  labelled: z.int(),
  /** Why it is as it is: sentences for people. */
  reason: z.string(),
  /** Version of the change plan. */
  plan: z.int(),
  /** The last one; null where nobody looked, as an earlier program never wrote down. */
  look: lookSchema.nullable().default(null),
});

/** A model that is tried out beside the current one. */
export type Canary = Readonly<z.infer<typeof canarySchema>>;
export type SeenCanary = Canary & { readonly generation: number };

/** Whether it goes on. */
export const isOpen = ({ state }: Pick<Canary, "state">): boolean => state === "starting" || state === "running";

/** The canary that there is, or was last; undefined before the first. */
export async function currentCanary(models: PointerReader): Promise<SeenCanary | undefined> {
  const info = await models.stat(CANARY);
  if (!info) return undefined;
  const content = await models.read(CANARY, { generation: info.generation });
  return { ...canarySchema.parse(JSON.parse(content.toString("utf8"))), generation: info.generation };
}

/**
 * Says something else of the canary, unless another process has meanwhile; and puts down what was said, once more before the
 * next, so that a process which is killed in between leaves no gap.
 *
 * @returns undefined if another process was quicker
 */
export async function setCanary(
  models: PointerStore,
  next: Canary,
  seen: SeenCanary | undefined,
): Promise<SeenCanary | undefined> {
  if (seen) await record(models, seen);
  const said = await replace(models, next, seen);
  if (said) await record(models, said);
  return said;
}

/**
 * Says what the last look at a canary came to, where nothing else is said of it: that is put down with what is said next,
 * and of a hundred looks that change nothing the last. Where another process said something meanwhile, that stays.
 */
export async function noteLook(
  models: PointerStore,
  seen: SeenCanary,
  looked: Pick<Canary, "look">,
): Promise<SeenCanary> {
  const { generation: _, ...canary } = seen;
  return (await replace(models, { ...canary, look: looked.look }, seen)) ?? seen;
}

async function replace(
  models: PointerStore,
  next: Canary,
  seen: SeenCanary | undefined,
): Promise<SeenCanary | undefined> {
  const said = canarySchema.parse(next);
  try {
    const { generation } = await models.write(CANARY, jsonOf(said), {
      ifGenerationMatch: seen?.generation ?? 0,
      ...JSON_TYPE,
    });
    return { ...said, generation };
  } catch (error) {
    if (error instanceof PreconditionFailedError) return undefined;
    throw error;
  }
}

async function record(models: PointerStore, { generation, ...said }: SeenCanary): Promise<void> {
  const started = said.startedAt.replace(/[^0-9TZ]/g, "-");
  const name = `${CANARIES_FOLDER}${started}-${said.candidate}/${String(generation).padStart(20, "0")}.json`;
  await tryToCreate(models, name, jsonOf(said), JSON_TYPE);
}

const JSON_TYPE = { contentType: "application/json" };
const jsonOf = (said: Canary) => `${JSON.stringify(said, null, 2)}\n`;
