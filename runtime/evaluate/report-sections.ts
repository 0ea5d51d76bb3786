import type { Estimate, Metric } from "../platform/metric";
import { calibrationInWords } from "./calibration-words";
import type { Evaluation, Measured } from "./evaluation";
import { cell, count, escapeHtml } from "./html";
import type { Operation } from "./operating-points";

/** The test images again, by what the manifest says of them. */
export function groupTables({ collections, subtypes, views }: Evaluation): string {
  return [
    groupTable(
      "Collection",
      "by collection: a model that is good on one and bad on another has learnt the collection",
      collections,
    ),
    groupTable(
      "Subtype",
      "by tumour subtype: a subtype of tumours alone has a sensitivity and no specificity",
      subtypes,
    ),
    groupTable("View", "by view", views),
  ].join("");
}

function groupTable(head: string, caption: string, sets: readonly ({ readonly name: string } & Measured)[]): string {
  if (sets.length === 0) return "";
  const rows = sets.map(
    (set) =>
      `<tr><th scope="row">${escapeHtml(set.name)}</th><td class="number">${set.n}</td><td class="number">${set.groups}</td><td class="number">${cell(set.auc)}</td><td class="number">${cell(set.recall)}</td><td class="number">${cell(set.specificity)}</td></tr>`,
  );
  return table(
    `The test images again, ${caption}`,
    [head, "Images", "Groups", "AUC", "Sensitivity", "Specificity"],
    rows,
  );
}

/** Calibration, thresholds and what is referred. */
export function decisionSection({ calibration, operatingPoints, selective }: Evaluation): string {
  const { before, after, bins } = calibration;
  const sets = before.validation && after.validation ? (["test", "validation"] as const) : (["test"] as const);
  const calibrationRows = sets.map(
    (set) =>
      `<tr><th scope="row">${set === "test" ? "Test" : "Validation"}</th><td class="number">${estimate(before[set])}</td><td class="number">${estimate(after[set])}</td></tr>`,
  );
  const operationRows = operatingPoints.flatMap(({ specificity, inHindsight, fromValidation }) => [
    operationRow(specificity, "chosen on the validation split", fromValidation),
    operationRow(specificity, "chosen on these images, in hindsight", inHindsight),
  ]);
  return section(
    "decisions",
    "From probability to decision",
    `<p>${escapeHtml(calibrationInWords(calibration))} The order of images, and with it the AUC, stays.</p>
${table(`Calibration error (ECE) over ${bins} equally wide bins of the probability of Cancer`, ["Set", "Before", "After"], calibrationRows)}
${table("Sensitivity where false alarms are held down", ["Specificity aimed at", "Threshold", "", "Sensitivity", "Specificity"], operationRows)}
${referral(selective)}`,
  );
}

function referral(selective: Evaluation["selective"]): string {
  if (!selective) return "<p>This model has no uncertain band: it decides every image.</p>";
  const { low, high, referred, accuracyKept, cancer } = selective;
  const rows = [
    row("Referred as Uncertain", referred),
    row("Accuracy on what is decided", accuracyKept),
    row("Of Cancer: called Cancer", cancer.found),
    row("Of Cancer: called Non-Cancer", cancer.missed),
    row("Of Cancer: referred", cancer.referred),
  ];
  return `<p>Probabilities from ${low.toFixed(3)} to ${high.toFixed(3)} are <em>Uncertain</em>: a person decides. The band reaches equally far on both sides of the threshold in log odds, as far as it took to refer a fifth of the validation images. The metrics at the top count every image at the threshold.</p>
${table("With the uncertain band", ["", "Value"], rows)}`;
}

export function guardSection({ guard }: Evaluation): string {
  if (!guard)
    return section("guard", "Input guard", "<p>This model has no input guard: it answers for any picture.</p>");
  const rows = [row("Scans refused", guard.refused), row("Cancer scans refused", guard.refusedCancer)];
  return section(
    "guard",
    "Input guard",
    `<p>The guard refuses pictures that do not look like the brain scans that the model was trained on. It has seen no other pictures, and set its limit to refuse one training or validation scan in a hundred. What it refuses here, if these are all brain scans, are false alarms.</p>
${table(`${count(guard.scans, "labelled scan")} judged`, ["", "Value"], rows)}`,
  );
}

export function baselineSection({ baselines, test }: Evaluation): string {
  if (baselines.length === 0) return "";
  const rows = [
    `<tr><th scope="row">This model</th><td class="number">${cell(test.auc)}</td><td class="muted">The network.</td></tr>`,
    ...baselines.map(({ name, auc, description }) => described(name, auc, description)),
  ];
  return section(
    "baselines",
    "Baselines",
    table("AUC of classical models that learnt from the same training images", ["Model", "AUC", "What it is"], rows),
  );
}

export function shortcutSection({ shortcuts, test }: Evaluation): string {
  if (!shortcuts) return "";
  const { probes, matched, matchedByCollection, fitted } = shortcuts;
  const rows = [
    `<tr><th scope="row">This model, all images</th><td class="number">${cell(test.auc)}</td><td class="muted">The network.</td></tr>`,
    described(
      "This model, shortcut-matched",
      matched.auc,
      `Images weighted so that both classes have the same distribution over the deciles of the probe of border and histogram (overlap ${percentage(matched.overlap)}${matched.probe === null ? "" : `; that probe's own AUC falls to ${matched.probe.toFixed(3)}`}).`,
    ),
    ...matchedByCollection.map(({ name, auc, overlap }) =>
      described(`The same within ${name}`, auc, `Deciles of this collection alone (overlap ${percentage(overlap)}).`),
    ),
    ...probes.map(({ name, auc, description }) => described(`Probe: ${name}`, auc, description)),
  ];
  return section(
    "shortcuts",
    "Shortcut audit",
    `<p>A probe sees something that has nothing to do with a tumour. Where it predicts the label, the data give the label away, and a network may have learnt that instead. Probes were fitted ${escapeHtml(fitted)}.</p>
${table("AUC; 0.5 is chance", ["Who", "AUC", "What it sees"], rows)}`,
  );
}

const percentage = (share: number) => `${Math.round(100 * share)} %`;
const estimate = (value: Estimate | null) => (value?.value == null ? "not defined" : value.value.toFixed(3));
const row = (name: string, metric: Metric) =>
  `<tr><th scope="row">${name}</th><td class="number">${cell(metric)}</td></tr>`;

function described(name: string, auc: Metric, description: string): string {
  return `<tr><th scope="row">${escapeHtml(name)}</th><td class="number">${cell(auc)}</td><td class="muted">${escapeHtml(description)}</td></tr>`;
}

function operationRow(specificity: number, how: string, operation: Operation | null): string {
  if (!operation) return "";
  return `<tr><th scope="row">${percentage(specificity)}</th><td class="number">${operation.threshold.toFixed(3)}</td><td class="muted">${how}</td><td class="number">${cell(operation.sensitivity)}</td><td class="number">${cell(operation.specificity)}</td></tr>`;
}

function table(caption: string, head: readonly string[], rows: readonly string[]): string {
  return `<div class="scroll"><table>
<caption>${caption}</caption>
<thead><tr>${head.map((name) => `<th scope="col">${name}</th>`).join("")}</tr></thead>
<tbody>${rows.join("\n")}</tbody>
</table></div>`;
}

function section(id: string, title: string, content: string): string {
  return `<section aria-labelledby="${id}">
<h2 id="${id}">${title}</h2>
${content}
</section>
`;
}
