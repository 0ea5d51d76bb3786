import { DILATION_IN_SQUARE } from "../explain";
import type { Estimate, Metric } from "../platform/metric";
import {
  type Content,
  count,
  type Html,
  html,
  metricCell,
  metricText,
  percentage,
  type Row,
  type Section,
  table,
  whole,
} from "../report";
import { calibrationInWords } from "./calibration-words";
import type { Evaluation, Part } from "./evaluation";
import { sizeInWords } from "./lesions";
import type { Operation } from "./operating-points";
import { QUOTA } from "./risk-coverage";

/** The test images again, by what manifest or header says of them. */
export function groupTables({ collections, subtypes, views, sequences, scanners }: Evaluation): readonly Html[] {
  return [
    ...partTables(
      "Collection",
      "by collection: a model that is good on one and bad on another has learnt the collection",
      collections,
    ),
    ...partTables(
      "Subtype",
      "by tumour subtype: a subtype of tumours alone has a sensitivity and no specificity",
      subtypes,
    ),
    ...partTables("View", "by view", views),
    ...partTables("Sequence", "by how it was scanned, as DICOM headers say", sequences),
    ...partTables("Scanner", "by manufacturer, model and field strength, as DICOM headers say", scanners),
  ];
}

function partTables(head: string, caption: string, parts: readonly Part[]): readonly Html[] {
  if (parts.length === 0) return [];
  return [
    table(
      `The test images again, ${caption}. Tumours that the guard refuses count as missed`,
      [{ head }, ...numbers("Images", "Cancer", "Groups", "AUC", "Sensitivity", "Specificity", "ECE")],
      parts.map((part) => ({
        cells: [
          ...[part.name, part.n, part.cancer, part.groups, metricCell(part.auc)],
          ...[metricCell(part.headline.sensitivity), metricCell(part.specificity), metricCell(part.ece)],
        ],
      })),
    ),
    table(
      `The same: what is refused and what is referred`,
      [
        { head },
        ...numbers("Refused by the guard", "Referred", "Accuracy on the rest"),
        ...numbers(`Accuracy on the rest, were ${percentage(QUOTA)} referred`),
      ],
      parts.map(({ name, guard, referral, quota }) => ({
        cells: [
          ...[name, guard ? metricCell(guard.refused) : "no guard"],
          ...(referral ? [metricCell(referral.referred), metricCell(referral.accuracyKept)] : ["no band", "–"]),
          metricCell(quota.accuracyKept),
        ],
      })),
    ),
  ];
}

export function lesionSection({ lesions }: Evaluation): Section | undefined {
  if (!lesions) return undefined;
  return {
    id: "lesions",
    title: "Small lesions",
    content: html`<p class="prose">Tumours whose outline is known, by the share of the picture that the lesion takes: the 128 x 128 square around the head, as the model sees it. A tumour that the guard refuses counts as missed. A map points where its maximum lies in the lesion, widened by ${DILATION_IN_SQUARE} of the 128 pixels; only tumours that are found are asked.</p>
${table(
  "What is found, and whether the maps point, by size of the lesion",
  [{ head: "Lesion" }, ...numbers("Tumours", "Groups", "Refused", "Sensitivity", "Map points", "By chance")],
  [...lesions.bins, lesions.all].map((bin) => ({
    cells: [
      ...[bin === lesions.all ? "All" : sizeInWords(bin), bin.images, bin.groups, bin.refused],
      ...[metricCell(bin.sensitivity), metricCell(bin.pointing), bin.chance === null ? "–" : percentage(bin.chance)],
    ],
  })),
)}`,
  };
}

/** Calibration, thresholds and what is referred. */
export function decisionSection({ calibration, operatingPoints, selective, quota }: Evaluation): Section {
  const { before, after, bins } = calibration;
  const sets = before.validation && after.validation ? (["test", "validation"] as const) : (["test"] as const);
  return {
    id: "decisions",
    title: "From probability to decision",
    content: html`<p class="prose">${calibrationInWords(calibration)} The order of images, and with it the AUC, stays.</p>
${table(
  `Calibration error (ECE) over ${bins} equally wide bins of the probability of Cancer`,
  [{ head: "Set" }, ...numbers("Before", "After")],
  sets.map((set) => ({
    cells: [set === "test" ? "Test" : "Validation", estimate(before[set]), estimate(after[set])],
  })),
)}
${table(
  "Sensitivity where false alarms are held down",
  [
    { head: "Specificity aimed at" },
    { head: "Threshold", kind: "number" },
    { head: "Chosen", kind: "quiet" },
    ...numbers("Sensitivity", "Specificity"),
  ],
  operatingPoints.flatMap(({ specificity, inHindsight, fromValidation }) => [
    ...operationRow(specificity, "on the validation split", fromValidation),
    ...operationRow(specificity, "on these images, in hindsight", inHindsight),
  ]),
)}
${referral(selective)}
<p class="prose">The band is a fixed interval of probability, so that the share that is referred differs from one set of images to the next. Were just the ${percentage(quota.referred)} of these images referred that lie nearest to the threshold, accuracy on the rest would be ${metricText(quota.accuracyKept)}: what a band would give that was chosen for them.</p>`,
  };
}

function referral(selective: Evaluation["selective"]): Html {
  if (!selective) return html`<p>This model has no uncertain band: it decides every image.</p>`;
  const { low, high, referred, accuracyKept, cancer } = selective;
  return html`<p class="prose">Probabilities from ${low.toFixed(3)} to ${high.toFixed(3)} are <em>Uncertain</em>: a person decides. The band reaches equally far on both sides of the threshold in log odds, as far as it took to refer a fifth of the validation images. The metrics at the top count every image at the threshold.</p>
${values("With the uncertain band", [
  ["Referred as Uncertain", referred],
  ["Accuracy on what is decided", accuracyKept],
  ["Of Cancer: called Cancer", cancer.found],
  ["Of Cancer: called Non-Cancer", cancer.missed],
  ["Of Cancer: referred", cancer.referred],
])}`;
}

export function studySection({ study }: Evaluation): Section {
  return {
    id: "studies",
    title: "Whole studies",
    content:
      "rule" in study
        ? html`<p class="prose"><strong>${study.verdict.sentence}</strong></p>
<p class="prose">${study.sentence} It was chosen among ${count(study.choice.candidates.length, "rule")} on ${whole(study.choice.studies)} studies of the validation split (${whole(study.choice.cancer)} with Cancer): the one that surprised least on studies that it was not calibrated on.</p>
${values(
  `${whole(study.test.n)} studies of the test split (${whole(study.test.cancer)} with Cancer), intervals over their groups`,
  [
    ["AUC", study.test.auc],
    ["Sensitivity", study.test.recall],
    ["Specificity", study.test.specificity],
    ["Accuracy", study.test.accuracy],
    ["ECE, calibrated", study.test.ece],
  ],
)}
<p class="prose">Log odds of a study are divided by ${study.rule.temperature.toFixed(3)}, and ${study.rule.offset.toFixed(3)} is added: its own calibration, fitted to validation studies. On the test split's studies it takes the ECE from ${estimate(study.calibration.before)} to ${estimate(study.calibration.after)}.</p>
${table(
  "Mean cross-entropy on validation studies, each held out",
  [{ head: "Rule" }, ...numbers("nats a study")],
  study.choice.candidates.map(({ statistic, logLoss }) => ({
    cells: [statistic === study.rule.statistic ? `${statistic} (chosen)` : statistic, logLoss.toFixed(3)],
  })),
)}`
        : html`<p class="prose">Studies get no answer of their own, beside their slices'. ${study.reason}</p>`,
  };
}

export function guardSection({ guard }: Evaluation): Section {
  return {
    id: "guard",
    title: "Input guard",
    content: guard
      ? html`<p class="prose">The guard refuses pictures that do not look like the brain scans that the model was trained on. It has seen no other pictures, and set its limit to refuse one training or validation scan in a hundred; beside that it refuses heads with the skull of a CT. What it refuses here, if these are all brain scans, are false alarms.</p>
${values(`${count(guard.scans, "labelled scan")} judged`, [
  ["Scans refused", guard.refused],
  ["Cancer scans refused", guard.refusedCancer],
])}`
      : html`<p>This model has no input guard: it answers for any picture.</p>`,
  };
}

export function baselineSection({ baselines, test }: Evaluation): Section | undefined {
  if (baselines.length === 0) return undefined;
  return {
    id: "baselines",
    title: "Baselines",
    content: described(
      "AUC of classical models that learnt from the same training images, on the same test images",
      "Model",
      "What it is",
      [
        ["This model", test.auc, "The network."],
        ...baselines.map(({ name, auc, description }) => [name, auc, description] as const),
      ],
    ),
  };
}

export function neighbourSection({ neighbours, test }: Evaluation): Section | undefined {
  if (!neighbours) return undefined;
  const { metric, chosen, candidates, learnt, auc } = neighbours;
  return {
    id: "neighbours",
    title: "Similar scans",
    content: html`<p class="prose">For each image the ${count(chosen, "training image")} that look most like it to the model were found among ${whole(learnt)}, of no patient or near-duplicate of its own (${metric}). How many of them are Cancer is shown beside an answer as evidence, and is no probability. How many are counted was chosen on the validation split.</p>
${values("AUC on the test images", [
  ["This model", test.auc],
  ["Share of Cancer among the nearest training images", auc],
])}
${table(
  "AUC on the validation images by how many are counted",
  [{ head: "Nearest training images", kind: "number" }, ...numbers("AUC")],
  candidates.map(({ neighbours: counted, validation }) => ({
    cells: [counted === chosen ? `${counted} (chosen)` : counted, estimate(validation)],
  })),
)}`,
  };
}

export function shortcutSection({ shortcuts, test }: Evaluation): Section | undefined {
  if (!shortcuts) return undefined;
  const { probes, matched, matchedByCollection, fitted } = shortcuts;
  const probe = matched.probe === null ? "" : `; that probe's own AUC falls to ${matched.probe.toFixed(3)}`;
  const matching = `Images weighted so that both classes have the same distribution over the deciles of the probe of border and histogram (overlap ${percentage(matched.overlap)}${probe}).`;
  return {
    id: "shortcuts",
    title: "Shortcut audit",
    content: html`<p class="prose">A probe sees something that has nothing to do with a tumour. Where it predicts the label, the data give the label away, and a network may have learnt that instead. Probes were fitted ${fitted}.</p>
${described("AUC; 0.5 is chance", "Who", "What it sees", [
  ["This model, all images", test.auc, "The network."],
  ["This model, shortcut-matched", matched.auc, matching],
  ...matchedByCollection.map(
    ({ name, auc, overlap }) =>
      [`The same within ${name}`, auc, `Deciles of this collection alone (overlap ${percentage(overlap)}).`] as const,
  ),
  ...probes.map(({ name, auc, description }) => [`Probe: ${name}`, auc, description] as const),
])}`,
  };
}

const numbers = (...heads: readonly string[]) => heads.map((head) => ({ head, kind: "number" as const }));

const estimate = (value: Estimate | null) => (value?.value == null ? "not defined" : value.value.toFixed(3));

/** Metrics one below the other. */
const values = (caption: string, metrics: readonly (readonly [name: string, metric: Metric])[]): Html =>
  table(
    caption,
    [{ head: "What" }, { head: "Value", kind: "number" }],
    metrics.map(([name, metric]) => ({ cells: [name, metricCell(metric)] })),
  );

/** AUCs, each with who has it and what that is. */
const described = (
  caption: string,
  who: string,
  what: string,
  rows: readonly (readonly [name: string, auc: Metric, description: string])[],
): Html =>
  table(
    caption,
    [{ head: who }, { head: "AUC", kind: "number" }, { head: what, kind: "quiet" }],
    rows.map(([name, auc, description]) => ({ cells: [name, metricCell(auc), description] })),
  );

function operationRow(specificity: number, how: string, operation: Operation | null): Row[] {
  if (!operation) return [];
  const { threshold, sensitivity, specificity: reached } = operation;
  const cells: readonly Content[] = [
    percentage(specificity),
    threshold.toFixed(3),
    how,
    metricCell(sensitivity),
    metricCell(reached),
  ];
  return [{ cells }];
}
