import { z } from "zod";
import { linePart, type Tier } from "../core/hospital-line";
import { MODELS_FOLDER, modelsFolderProblem } from "../core/models-folder";
import { GPUS, type Gpu, REGIONS_AS_OF } from "../core/region-list";
import { gpusOf, nearestWith, zonesWith } from "../core/regions";

/** What a machine takes where the line names no GPU: the first of these that the region has. */
const BY_DEFAULT = ["nvidia-l4", "nvidia-tesla-t4"] as const satisfies readonly Gpu[];
export const DEFAULT_GPU = BY_DEFAULT[0];

/** Machines with a single one of these are had as Spot machines alone. https://cloud.google.com/compute/docs/gpus#a3-high */
const SPOT_ONLY: readonly Gpu[] = ["nvidia-h100-80gb"];

/** `train` of a hospital's line. */
export const trainLine = linePart({
  schema: z.strictObject({
    gpu: z.enum(GPUS).optional().describe(GPUS.join(", ")),
    spot: z.boolean().optional().describe("true or false"),
    zones: z
      .array(
        z
          .string()
          .regex(/^[a-z]+-[a-z]+\d+-[a-z][a-z0-9]*$/)
          .describe("a zone such as europe-west4-a"),
      )
      .min(1)
      .max(10)
      .refine((list) => new Set(list).size === list.length)
      .optional()
      .describe("a list of zones of the hospital's region such as europe-west4-a, each once"),
    teacher: MODELS_FOLDER.optional(),
    serves: z.enum(["pupil", "teacher"]).optional().describe('"pupil" or "teacher"'),
    epochs: z.int().min(1).max(99_999).optional().describe("a whole number from 1 to 99999"),
  }),
  purpose: {
    gpu: "The accelerator of the training machine. The project needs quota for it in the region. Without it nvidia-tesla-t4 in a region that has no nvidia-l4; in one that has neither, training is left out, and a synth says so.",
    spot: "A Spot machine: about a third of the price, and taken away when Google needs it; training then goes on later. A machine with one nvidia-h100-80gb is had in no other way.",
    zones:
      "Where the machine may be started: the output `train_zones`. Without it the region's zones that have the GPU, by a dated list; with it nobody looks into that list.",
    teacher:
      "Where a pretrained network and its backbone.json lie, which learns first and teaches the model (docs/commands.md). Without it the model learns of labels and masks alone.",
    serves:
      'Which of the two becomes the model where there is a teacher: the compact network that it teaches ("pupil", without it), or the teacher itself, for 2.5 times the processor time of an answer with EfficientNet-Lite0 (docs/model-evaluation.md).',
    epochs: "Times that every training image is seen. Without it the trainer's own number.",
  },
  defaults: {
    prod: { gpu: DEFAULT_GPU, spot: false },
    test: { gpu: DEFAULT_GPU, spot: true },
    ephemeral: { gpu: DEFAULT_GPU, spot: true },
  },
});

type TrainLine = Partial<z.output<typeof trainLine.schema>>;

/** What a hospital's line says of its training machine, in its region. */
export interface Training {
  /** Undefined where the region has none of those that are taken without being named. */
  readonly gpu: Gpu | undefined;
  readonly spot: boolean;
  /** Zones that have the GPU; undefined in a region that is not listed. */
  readonly zones: readonly string[] | undefined;
  /** Folder of the network that teaches. */
  readonly teacher: string | undefined;
  /** Which of the two becomes the model; undefined: the pupil. */
  readonly serves: "pupil" | "teacher" | undefined;
  readonly epochs: number | undefined;
}

/**
 * Rules over several values of the part, as ends of sentences that begin with the hospital.
 *
 * @param models the hospital's bucket of models
 */
export function trainProblems(
  { gpu, spot, zones, teacher, serves }: TrainLine,
  { tier, region, models }: { readonly tier?: Tier; readonly region?: string; readonly models?: string },
): string[] {
  const problems: string[] = [];
  const foreign = modelsFolderProblem("train.teacher", teacher, models, "the training machine");
  if (foreign) problems.push(foreign);
  if (serves === "teacher" && teacher === undefined)
    problems.push(
      `"train.serves" is "teacher", and "train.teacher" names none; allowed: "teacher" beside "train.teacher", else "pupil" or nothing.`,
    );
  const strange = region && zones?.find((zone) => !zone.startsWith(`${region}-`));
  if (strange)
    problems.push(
      `"train.zones" has "${strange}", which lies outside ${region}; allowed: zones of the hospital's own region.`,
    );
  if (gpu && region && !zones && zonesWith(region, gpu)?.length === 0)
    problems.push(
      `"train.gpu" is "${gpu}", which ${region} does not have by the list of ${REGIONS_AS_OF}. ${whereElse(region, gpu)} If Google has it there since, name the zones in "train.zones"; allowed in ${region}: ${gpusOf(region)?.join(", ") || "none"}.`,
    );
  if (gpu && SPOT_ONLY.includes(gpu) && tier && !(spot ?? trainLine.defaults[tier].spot))
    problems.push(
      `"train.spot" is ${spot === undefined ? `false by default in tier ${tier}` : "false"} with "${gpu}"; allowed: true, as Google gives a machine with a single one as a Spot machine only.`,
    );
  return problems;
}

/** @param line what the line says, and the defaults of its tier where it says nothing of them */
export function training(line: TrainLine, spot: boolean, region: string): Training {
  const has = (one: Gpu) => zonesWith(region, one)?.length !== 0;
  const chosen = line.gpu ?? (line.zones ? DEFAULT_GPU : BY_DEFAULT.find(has));
  const { teacher, serves, epochs } = line;
  return { gpu: chosen, spot, zones: line.zones ?? (chosen && zonesWith(region, chosen)), teacher, serves, epochs };
}

/** Why a hospital has no training, and what can be done: sentences. */
export function noTraining({ name, region }: { readonly name: string; readonly region: string }): string {
  const others = gpusOf(region) ?? [];
  const here = others.length > 0 ? ` It has ${others.join(", ")}: name one in "train.gpu".` : "";
  return `Hospital "${name}": ${region} has neither ${BY_DEFAULT.join(" nor ")} by the list of ${REGIONS_AS_OF}, so the stacks leave training out.${here} ${whereElse(region, DEFAULT_GPU)} If Google has one there since, name its zones in "train.zones".`;
}

function whereElse(region: string, wanted: Gpu): string {
  const near = nearestWith(region, wanted);
  if (!near) return "No region has it.";
  const law = near.sameLaw ? "" : near.sameContinent ? ", under another law" : ", on another continent";
  return `The nearest region with ${wanted} is ${near.name} (${near.place}, about ${near.km} km${law}).`;
}
