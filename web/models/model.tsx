import type { EvaluationAnswer, MetricValue, ModelDetail } from "../../runtime/serve/schemas";
import { api } from "../state/api";
import { useAsked } from "../state/asked";
import { currentModel, me } from "../state/session";
import { useStore } from "../state/store";
import { Loaded } from "../ui/loaded";
import { Markdown } from "../ui/markdown";
import { percentMark, three, whole } from "../ui/numbers";
import { Table } from "../ui/table";
import { mayDecide, Promote } from "./models";
import { CalibrationPlot, HistogramPlot, RocPlot, TrainingPlot } from "./plots";

export const METRICS = [
  ["auc", "AUC"],
  ["accuracy", "Accuracy"],
  ["recall", "Sensitivity"],
  ["specificity", "Specificity"],
  ["precision", "Precision"],
  ["f1", "F1"],
  ["ece", "Calibration error (ECE)"],
] as const;

export const metricText = (metric: MetricValue): string =>
  metric.value === null ? "not defined" : `${three(metric.value)} (${three(metric.low)} to ${three(metric.high)})`;

/** What one model is worth. */
export function ModelPage({ id }: { id: string }) {
  const detail = useAsked(`model ${id}`, () => api.modelDetail(id));
  const role = useStore(me)?.role;
  return (
    <Loaded asked={detail} title={`Model ${id}`}>
      {(model) => <ModelFound model={model} role={role} onChange={detail.again} />}
    </Loaded>
  );
}

function ModelFound({ model, role, onChange }: { model: ModelDetail; role: string | undefined; onChange(): void }) {
  const { evaluation, training } = model;
  const answering = useStore(currentModel).model;
  // Of the model that answers, the verdict stands right above, at the head of every page.
  const said = answering?.id === model.id && answering.verdict.sentence === model.verdict?.sentence;
  return (
    <div class="page">
      <p>
        <a href="#/models">All models</a>
      </p>
      <div class="row between">
        <h1 tabIndex={-1}>
          <span class="code">{model.id}</span> {model.current ? <span class="tag">current</span> : null}
        </h1>
        {!model.current && model.usable && mayDecide(role) ? <Promote id={model.id} onDone={onChange} /> : null}
      </div>
      {model.usable ? null : <p class="note">It cannot answer here: {model.problem}</p>}
      {said ? null : (
        <p class={model.verdict?.fit ? "note fit" : "note"} role="note">
          <strong>
            {model.verdict?.sentence ?? "No evaluation of it is stored, so nothing is known of its worth."}
          </strong>
        </p>
      )}
      <Facts model={model} />
      {evaluation ? <Evaluation evaluation={evaluation} threshold={model.threshold} /> : null}
      {training && training.epochs.length > 0 ? (
        <section aria-labelledby="training-title">
          <h2 id="training-title">Training</h2>
          <TrainingPlot training={training} />
        </section>
      ) : null}
      {model.card ? (
        <details>
          <summary>Model card</summary>
          <Markdown text={withoutDisclaimer(model.card, model.disclaimer)} />
        </details>
      ) : null}
    </div>
  );
}

/** It stands at the foot of every page already. */
const withoutDisclaimer = (card: string, disclaimer: string) =>
  card
    .split("\n")
    .filter((line) => line !== `**${disclaimer}**`)
    .join("\n");

function Facts({ model }: { model: ModelDetail }) {
  const facts: readonly (readonly [string, string | null])[] = [
    [
      "Learnt from",
      model.counts && `${whole(model.counts.train)} images, and ${whole(model.counts.validation)} to choose by`,
    ],
    ["Cancer from", model.threshold === null ? null : percentMark(model.threshold)],
    [
      "Uncertain",
      model.uncertain
        ? `${percentMark(model.uncertain.low)} to ${percentMark(model.uncertain.high)}`
        : "no band: it decides every scan",
    ],
    [
      "Input guard",
      model.guard === null ? null : model.guard ? "refuses what is no brain scan" : "none: it answers for any picture",
    ],
    ["Parameters", model.parameters === null ? null : whole(model.parameters)],
    ["Recipe", model.recipe],
  ];
  return (
    <dl class="facts-row">
      {facts.map(([term, value]) =>
        value === null ? null : (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}

function Evaluation({ evaluation, threshold }: { evaluation: EvaluationAnswer; threshold: number | null }) {
  const { test, baselines, confusion, headline } = evaluation;
  return (
    <section aria-labelledby="evaluation-title">
      <h2 id="evaluation-title">Test</h2>
      <p class="hint">
        {whole(test.n)} images that nothing had looked at ({whole(test.cancer)} Cancer) in {whole(test.groups)} groups;{" "}
        {evaluation.intervals}
      </p>
      <div class="columns">
        <Table
          caption="Metrics of the test images with their 95 % intervals"
          heads={["Metric", { title: "Test, 95 % interval", numeric: true }]}
        >
          {METRICS.flatMap(([key, title]) => [
            ...(key === "recall" && headline
              ? [
                  <tr key="headline">
                    <th scope="row">
                      Sensitivity: the {whole(headline.refused)} of {whole(headline.tumours)} tumours that the guard
                      refuses count as missed
                    </th>
                    <td class="numeric">{metricText(headline.sensitivity)}</td>
                  </tr>,
                ]
              : []),
            <tr key={key}>
              <th scope="row">{key === "recall" && headline ? "Sensitivity, guard left aside" : title}</th>
              <td class="numeric">{metricText(test[key])}</td>
            </tr>,
          ])}
          {baselines.map(({ name, auc }) => (
            <tr key={name}>
              <th scope="row">AUC of a baseline: {name}</th>
              <td class="numeric">{metricText(auc)}</td>
            </tr>
          ))}
        </Table>
        <Table
          caption="Test images by label and answer"
          seen
          heads={["", { title: "called Cancer", numeric: true }, { title: "called Non-Cancer", numeric: true }]}
        >
          <tr>
            <th scope="row">Cancer</th>
            <td class="numeric">{whole(confusion.truePositive)}</td>
            <td class="numeric">{whole(confusion.falseNegative)}</td>
          </tr>
          <tr>
            <th scope="row">Non-Cancer</th>
            <td class="numeric">{whole(confusion.falsePositive)}</td>
            <td class="numeric">{whole(confusion.trueNegative)}</td>
          </tr>
        </Table>
      </div>
      <div class="plots">
        <RocPlot evaluation={evaluation} threshold={threshold ?? test.threshold} />
        <CalibrationPlot evaluation={evaluation} />
        <HistogramPlot evaluation={evaluation} />
      </div>
    </section>
  );
}
