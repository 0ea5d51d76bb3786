import type { Prediction } from "../../runtime/serve/schemas";
import { percent } from "../ui/numbers";

/** The probability of every page as a bar; the range below it says the same to who does not see it. */
export function Strip({
  prediction,
  index,
  onIndex,
}: {
  prediction: Prediction;
  index: number;
  onIndex(index: number): void;
}) {
  const { slices, threshold, uncertain, page } = prediction;
  const toneOf = (probability: number) => {
    if (uncertain && probability >= uncertain.low && probability <= uncertain.high) return "bar-unsure";
    return probability >= threshold ? "bar-cancer" : "bar-clear";
  };
  const current = slices[index];
  if (slices.length < 2 || !current) return null;
  return (
    <div class="strip">
      <div class="strip-bars" role="presentation">
        <svg class="strip-threshold" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
          <line x1="0" x2="100" y1={100 - 100 * threshold} y2={100 - 100 * threshold} />
        </svg>
        {slices.map((slice, i) => (
          <button
            key={slice.page}
            type="button"
            tabIndex={-1}
            class={i === index ? "strip-bar current" : "strip-bar"}
            aria-label={`Page ${slice.page}, ${percent(slice.probability)}`}
            title={`Page ${slice.page}: ${percent(slice.probability)}`}
            onClick={() => onIndex(i)}
          >
            <svg viewBox="0 0 10 100" preserveAspectRatio="none" aria-hidden="true">
              <rect
                class={toneOf(slice.probability)}
                x="0"
                width="10"
                y={100 - 100 * slice.probability}
                height={Math.max(1, 100 * slice.probability)}
              />
            </svg>
          </button>
        ))}
      </div>
      <label class="strip-range">
        <span>
          Page {current.page}
          {current.page === page ? " (most suspicious)" : ""}, {percent(current.probability)}
        </span>
        <input
          type="range"
          name="page"
          min={0}
          max={slices.length - 1}
          step={1}
          value={index}
          aria-valuetext={`Page ${current.page} of ${slices.length}, probability of Cancer ${percent(current.probability)}`}
          onInput={({ currentTarget }) => onIndex(Number(currentTarget.value))}
        />
      </label>
    </div>
  );
}
