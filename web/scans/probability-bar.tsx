import type { Prediction } from "../../runtime/serve/schemas";
import { percent, percentMark } from "../ui/numbers";

/** The probability on a scale from 0 to 100 %, with the threshold and the uncertain band named where they are. */
export function ProbabilityBar({
  prediction,
}: {
  prediction: Pick<Prediction, "probability" | "threshold" | "uncertain">;
}) {
  const { probability, threshold, uncertain } = prediction;
  const said = uncertain
    ? `Uncertain from ${percentMark(uncertain.low)} to ${percentMark(uncertain.high)}, Cancer from ${percentMark(threshold)}.`
    : `Cancer from ${percentMark(threshold)}.`;
  return (
    <div class="scale" role="img" aria-label={`${percent(probability)} on a scale from 0 to 100 %. ${said}`}>
      <Mark at={threshold} className="scale-threshold-label">
        Cancer from {percentMark(threshold)}
      </Mark>
      <div class="scale-bar">
        <div class="scale-fill" style={{ width: `${100 * probability}%` }} />
        {uncertain ? (
          <div
            class="scale-band"
            style={{ left: `${100 * uncertain.low}%`, width: `${100 * (uncertain.high - uncertain.low)}%` }}
          />
        ) : null}
        <div class="scale-threshold" style={{ left: `${100 * threshold}%` }} />
      </div>
      <div class="scale-ends">
        <span>0 %</span>
        {uncertain ? (
          <Mark at={(uncertain.low + uncertain.high) / 2} className="scale-band-label">
            uncertain {percentMark(uncertain.low)} to {percentMark(uncertain.high)}
          </Mark>
        ) : null}
        <span>100 %</span>
      </div>
    </div>
  );
}

/** A label at its place on the scale; the share of it that hangs to the left is its place too, so that it never leaves the scale. */
function Mark({ at, className, children }: { at: number; className: string; children: preact.ComponentChildren }) {
  const place = Math.min(0.88, Math.max(0.12, at));
  return (
    <div
      class={className}
      style={{
        left: `${100 * (className === "scale-band-label" ? place : at)}%`,
        transform: `translateX(${-100 * (className === "scale-band-label" ? place : at)}%)`,
      }}
    >
      {children}
    </div>
  );
}
