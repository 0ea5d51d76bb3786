import { besideInWords, COST_OF_A_MISS, type ModelMetadata, type Views, viewsOf } from "../model";
import type { Estimate, Metric } from "../platform/metric";
import { calibrationInWords } from "./calibration-words";
import type { Evaluation, Part } from "./evaluation";
import { sizeInWords } from "./lesions";
import { codeSpan, escapeMarkdown } from "./markdown";
import type { MetricName } from "./metrics";

/** What others' network it owes something to, and by which licence. */
function backboneInWords({ backbone, sha256, licence, source }: NonNullable<ModelMetadata["fineTuned"]>): string {
  const from = source === undefined ? "" : `, ${escapeMarkdown(source)}`;
  return `${escapeMarkdown(backbone)} (SHA-256 ${codeSpan(sha256)}, ${escapeMarkdown(licence)}${from})`;
}

/** Whose pupil a model is. */
function pupilInWords({ beside, ...teacher }: NonNullable<ModelMetadata["teacher"]>): string {
  const words = beside ? besideInWords(beside) : "";
  const compared = words && ` ${words[0]?.toUpperCase()}${words.slice(1)}.`;
  return `A pupil of ${escapeMarkdown(teacher.id)}, which was trained on the same training split, and was made of ${backboneInWords(teacher)}.${compared} The teacher answers nobody.`;
}

/** Which teacher a model is. */
const teacherInWords = (teacher: NonNullable<ModelMetadata["fineTuned"]>): string =>
  `It is the teacher ${escapeMarkdown(teacher.id)} itself, and not the compact network: ${backboneInWords(teacher)}, fine-tuned on the training split, with a lesion map.`;

const METRIC_NAMES: readonly (readonly [MetricName, string])[] = [
  ["auc", "AUC"],
  ["accuracy", "Accuracy"],
  ["recall", "Sensitivity"],
  ["specificity", "Specificity"],
  ["precision", "Precision"],
  ["f1", "F1"],
  ["ece", "ECE"],
];

const VIEWS_IN_WORDS: Readonly<Record<Views, string>> = {
  plain: "the image itself",
  mirrored: "the image and its mirror images",
  "mirrored-two-sizes": "the image and its mirror images, each a tenth larger and a tenth smaller",
};

/**
 * `model-card.md` (Mitchell et al. 2019): what a model is for, what it learnt from, how it decides and how it did, out
 * of the run itself. Nothing in it is written by hand. Names that others gave (models, collections, subtypes) are text in
 * it, never markup.
 */
export function renderModelCard(metadata: ModelMetadata, evaluation: Evaluation, subject: string): string {
  const { test, selective, guard, shortcuts, baselines, calibration, study, headline, lesions, quota } = evaluation;
  const { counts } = metadata;
  const lines = [
    `# Model ${escapeMarkdown(metadata.id)}`,
    `**${escapeMarkdown(evaluation.verdict.sentence)}**`,
    `**${evaluation.disclaimer}**`,
    ...(metadata.synthetic
      ? [
          "**Synthetic:** trained on drawn phantoms. Its numbers show that the program works and say nothing about medicine.",
        ]
      : []),
    "## What it is",
    bullets([
      `A convolutional network with ${metadata.parameters.toLocaleString("en-US")} trainable parameters that gives one slice of a brain MRI a probability of Cancer.`,
      `Input: ${escapeMarkdown(metadata.recipe)}, 128 x 128 grey. Trained with the ${escapeMarkdown(metadata.backend)} backend, seed ${metadata.seed}.`,
      `Data set ${escapeMarkdown(metadata.dataset.slice(0, 16))}: ${counts.train} images to learn from, ${counts.validation} to choose by, ${counts.test} kept for the test. Patients and near-duplicates never cross.`,
      ...(metadata.teacher ? [pupilInWords(metadata.teacher)] : []),
      ...(metadata.fineTuned ? [teacherInWords(metadata.fineTuned)] : []),
      `Configuration: ${codeSpan(JSON.stringify(metadata.configuration))}.`,
    ]),
    "## For what, and for what not",
    bullets([
      "For research on slices of the kind that it was trained on. A label is a statement about one slice, not about a patient.",
      "Not for diagnosis, not for other organs or for CT, and not for a hospital on whose scans it has not been measured.",
    ]),
    "## How it decides",
    bullets([
      `It is shown ${VIEWS_IN_WORDS[metadata.views ?? "plain"]}, and answers with the mean of their log odds (${viewsOf(metadata.views).length} in all).`,
      calibrationInWords(calibration),
      `From ${metadata.threshold.toFixed(3)} on the label is Cancer: at the threshold a missed tumour counts as much as ${COST_OF_A_MISS} false alarms, were both classes as frequent.`,
      metadata.uncertain
        ? `From ${metadata.uncertain.low.toFixed(3)} to ${metadata.uncertain.high.toFixed(3)} it refers to a person. On validation that was ${share(metadata.uncertain.validation.referred)} of the images, and accuracy on the rest ${metadata.uncertain.validation.kept.toFixed(3)} instead of ${metadata.uncertain.validation.all.toFixed(3)}.`
        : "It decides every image: it has no uncertain band.",
      metadata.guard
        ? `An input guard, fitted to ${metadata.guard.scans} scans, refuses pictures that do not look like them.`
        : "It has no input guard: it answers for any picture.",
    ]),
    `## Results on ${escapeMarkdown(subject)}`,
    `${test.n} images (${test.cancer} Cancer) in ${test.groups} groups; ${evaluation.intervals}.`,
    table(
      ["metric", "value", "95 % interval"],
      METRIC_NAMES.flatMap(([key, name]) => [
        ...(key === "recall" && test.tumours
          ? [["Sensitivity, refused tumours counted as missed", ...value(headline.sensitivity)]]
          : []),
        [key === "recall" && test.tumours ? "Sensitivity, guard left aside" : name, ...value(test[key])],
      ]),
    ),
    ...(selective
      ? [
          `With the uncertain band: ${text(selective.referred)} of the images are referred, accuracy on the others is ${text(selective.accuracyKept)}.`,
        ]
      : []),
    `Were just the ${share(quota.referred)} referred that lie nearest to the threshold, accuracy on the others would be ${text(quota.accuracyKept)}.`,
    ...(guard ? [`The input guard refuses ${text(guard.refused)} of ${guard.scans} scans of this set.`] : []),
    ...(test.tumours
      ? [
          `Of ${test.tumours.scans} tumours it refuses ${test.tumours.refused}; with those counted as missed, sensitivity is ${text(test.tumours.found)}.`,
        ]
      : []),
    ...groups("collection", evaluation.collections),
    ...groups("subtype", evaluation.subtypes),
    ...groups("view", evaluation.views),
    ...groups("sequence", evaluation.sequences),
    ...groups("scanner", evaluation.scanners),
    ...(lesions
      ? [
          "### By size of the lesion",
          "Tumours with an outline, by the share that the lesion takes of the square around the head. A map points where its maximum lies in the lesion, widened by 3 of 128 pixels.",
          table(
            ["lesion", "tumours", "sensitivity", "map points", "by chance"],
            [...lesions.bins, lesions.all].map((bin) => [
              bin === lesions.all ? "all" : sizeInWords(bin),
              ...[String(bin.images), text(bin.sensitivity), text(bin.pointing)],
              bin.chance === null ? "not defined" : share(bin.chance),
            ]),
          ),
        ]
      : []),
    "### Whole studies",
    bullets(
      "rule" in study
        ? [
            study.verdict.sentence,
            study.sentence,
            `${study.test.n} test studies (${study.test.cancer} with Cancer): AUC ${text(study.test.auc)}, sensitivity ${text(study.test.recall)}, specificity ${text(study.test.specificity)}.`,
            `Its own calibration takes the ECE of studies from ${number(study.calibration.before)} to ${number(study.calibration.after)}.`,
          ]
        : [`Studies get no answer of their own. ${study.reason}`],
    ),
    ...(baselines.length > 0
      ? ["### Baselines", bullets(baselines.map(({ name, auc }) => `${name}: AUC ${text(auc)}`))]
      : []),
    ...(shortcuts
      ? [
          "### Shortcuts",
          bullets([
            ...shortcuts.probes.map(({ name, auc }) => `a probe that sees only the ${name}: AUC ${text(auc)}`),
            `this model when border and histogram tell nothing: AUC ${reasoned(shortcuts.matched.auc)}`,
            ...shortcuts.matchedByCollection.map(
              ({ name, auc }) => `the same within ${escapeMarkdown(name)}: AUC ${reasoned(auc)}`,
            ),
          ]),
        ]
      : []),
    "## What the numbers do not say",
    bullets([
      "They hold for these groups, as far as none of these images was used to train: nothing in a folder can tell. Intervals do not cover the step to another hospital, scanner or population.",
      "Grad-CAM shows where evidence was found. It is a hint, not a contour; `npm run explain` measures how often it points into lesion masks.",
    ]),
  ];
  return `${lines.join("\n\n")}\n`;
}

function groups(kind: string, parts: readonly Part[]): string[] {
  if (parts.length === 0) return [];
  const rows = parts.map((part) => [
    escapeMarkdown(part.name),
    ...[`${part.n} (${part.cancer})`, text(part.auc), text(part.headline.sensitivity), text(part.specificity)],
    text(part.ece),
    part.guard ? text(part.guard.refused) : "no guard",
    part.referral ? `${text(part.referral.referred)}; ${text(part.referral.accuracyKept)}` : "no band",
    text(part.quota.accuracyKept),
  ]);
  const head = [kind, "images (Cancer)", "AUC", "sensitivity, refused ones missed", "specificity", "ECE"];
  const more = ["refused", "referred; accuracy on the rest", "accuracy on the rest, were 15 % referred"];
  return [`### By ${kind}`, table([...head, ...more], rows)];
}

const number = (estimate: Estimate) => (estimate.value === null ? "not defined" : estimate.value.toFixed(3));
const share = (part: number) => `${Math.round(100 * part)} %`;

function value(metric: Metric): [string, string] {
  if (metric.value === null) return ["not defined", metric.reason];
  return [metric.value.toFixed(3), `${metric.low.toFixed(3)} to ${metric.high.toFixed(3)}`];
}

function text(metric: Metric): string {
  const [point, range] = value(metric);
  return metric.value === null ? point : `${point} (${range})`;
}

const reasoned = (metric: Metric) => (metric.value === null ? `not defined: ${metric.reason}` : text(metric));

const bullets = (items: readonly string[]) => items.map((item) => `- ${item}`).join("\n");

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}
