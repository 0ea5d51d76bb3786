import type { Prediction } from "../../runtime/serve/schemas";
import { percent } from "../ui/numbers";
import { Viewer } from "../viewer/viewer";
import { FeedbackPanel } from "./feedback";
import { ProbabilityBar } from "./probability-bar";

/** One answer: what was decided and how surely, the scan, and what people say of it. */
export function Answer({ prediction, name }: { prediction: Prediction; name: string }) {
  const { decision, probability, verdict, pages, page, width, height, rejected_pages: rejected } = prediction;
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
      {verdict.fit ? null : (
        <p class="verdict-short" role="note">
          {SHORT_VERDICT}
        </p>
      )}
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
