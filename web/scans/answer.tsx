import type { Prediction } from "../../runtime/serve/schemas";
import { shownOrder } from "../state/answers";
import { link } from "../state/route";
import { useStore } from "../state/store";
import { percent, percentMark } from "../ui/numbers";
import { Viewer } from "../viewer/viewer";
import { FeedbackPanel } from "./feedback";
import { ProbabilityBar } from "./probability-bar";
import { SimilarPanel } from "./similar";

/** One answer: what was decided and how surely, the scan, and what people say of it. */
export function Answer({ prediction, name, steps }: { prediction: Prediction; name: string; steps: boolean }) {
  const { id, decision, probability, verdict, pages, page, width, height, rejected_pages: rejected } = prediction;
  return (
    <article class="answer" aria-labelledby="answer-title">
      <div class="answer-head">
        <div>
          <h2 id="answer-title" tabIndex={-1} class="answer-name">
            {name}
          </h2>
          <p class={`decision ${TONES[decision]}`}>{decision}</p>
        </div>
        <p class="probability">
          <span class="number">{percent(probability)}</span>
          <span class="hint">probability of Cancer</span>
        </p>
        <ProbabilityBar prediction={prediction} />
      </div>
      <div class="row between">
        {verdict.fit ? null : (
          <p class="verdict-short" role="note">
            {SHORT_VERDICT}
          </p>
        )}
        {steps ? <Steps id={id} /> : null}
      </div>
      {prediction.prevalence?.local ? (
        <p class="hint">
          Were {percentMark(prediction.prevalence.local.prevalence)} of the scans Cancer, as this hospital states, the
          probability would be {percent(prediction.prevalence.local.probability)}, and Cancer from{" "}
          {percent(prediction.prevalence.local.threshold)}. The decision is the same.
        </p>
      ) : null}
      {decision === "Uncertain" ? (
        <p class="note" role="note">
          The model is too unsure to decide: a person should read this scan.
        </p>
      ) : null}
      {rejected.length > 0 ? (
        <p class="note" role="note">
          {rejected.length} of {rejected.length + pages} pages could not be read:{" "}
          {rejected.map(({ page: number, detail }) => `page ${number}: ${detail}`).join(" ")}
        </p>
      ) : null}
      <Viewer key={prediction.request} prediction={prediction} name={name} />
      <SimilarPanel prediction={prediction} />
      <FeedbackPanel prediction={prediction} />
      <details class="facts">
        <summary>Where this answer comes from</summary>
        <dl>
          <Fact term="Picture">
            {pages > 1 ? `page ${page} of ${pages} (the most suspicious), ` : ""}
            {width} x {height} pixels
          </Fact>
          <Fact term="Model">
            <a href={`#/models/${encodeURIComponent(prediction.model)}`}>{prediction.model}</a>
          </Fact>
          <Fact term="Pixel recipe">{prediction.recipe}</Fact>
          <Fact term="Prediction">{prediction.id}</Fact>
          <Fact term="Request">{prediction.request}</Fact>
          <Fact term="Kept until">{prediction.receipt.kept_until}</Fact>
        </dl>
      </details>
    </article>
  );
}

/** To the scans before and after it in the table: by keys the way back there may be long. */
function Steps({ id }: { id: string }) {
  const order = useStore(shownOrder);
  const at = order.indexOf(id);
  if (at < 0 || order.length < 2) return null;
  const step = (to: string | undefined, text: string) => (to ? <a href={link("scans", to)}>{text}</a> : null);
  return (
    <nav class="steps" aria-label="Scans in the order of the table">
      {step(order[at - 1], "Previous")}
      <span>
        {at + 1} of {order.length}
      </span>
      {step(order[at + 1], "Next")}
    </nav>
  );
}

const SHORT_VERDICT = "This model is not fit for use; the reasons stand at the top of the page.";
export const TONES = { Cancer: "tone-cancer", "Non-Cancer": "tone-clear", Uncertain: "tone-unsure" } as const;

function Fact({ term, children }: { term: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  );
}
