import type { Prediction } from "../../runtime/serve/schemas";
import { percent } from "../ui/numbers";

/** A page of a file, or a slice of a series. */
export interface StripItem {
  /** What it is called by: `Page 4`. */
  readonly title: string;
  readonly probability: number;
}

/** The probability of each of several pictures as a bar; the range below it says the same to who does not see it. */
export function Strip({
  items,
  of: { threshold, uncertain },
  name,
  suspicious,
  index,
  onIndex,
}: {
  items: readonly StripItem[];
  of: Pick<Prediction, "threshold" | "uncertain">;
  /** Of the range. */
  name: string;
  /** Index of the most suspicious one. */
  suspicious: number;
  index: number;
  onIndex(index: number): void;
}) {
  const toneOf = (probability: number) => {
    if (uncertain && probability >= uncertain.low && probability <= uncertain.high) return "bar-unsure";
    return probability >= threshold ? "bar-cancer" : "bar-clear";
  };
  const current = items[index];
  if (items.length < 2 || !current) return null;
  return (
    <div class="strip">
      <div class="strip-bars" role="presentation">
        <svg class="strip-threshold" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
          <line x1="0" x2="100" y1={100 - 100 * threshold} y2={100 - 100 * threshold} />
        </svg>
        {items.map(({ title, probability }, i) => (
          <button
            key={title}
            type="button"
            tabIndex={-1}
            class={i === index ? "strip-bar current" : "strip-bar"}
            aria-label={`${title}, ${percent(probability)}`}
            title={`${title}: ${percent(probability)}`}
            onClick={() => onIndex(i)}
          >
            <svg viewBox="0 0 10 100" preserveAspectRatio="none" aria-hidden="true">
              <rect
                class={toneOf(probability)}
                x="0"
                width="10"
                y={100 - 100 * probability}
                height={Math.max(1, 100 * probability)}
              />
            </svg>
          </button>
        ))}
      </div>
      <label class="strip-range">
        <span>
          {current.title}
          {index === suspicious ? " (most suspicious)" : ""}, {percent(current.probability)}
        </span>
        <input
          type="range"
          name={name}
          min={0}
          max={items.length - 1}
          step={1}
          value={index}
          aria-valuetext={`${current.title} of ${items.length}, probability of Cancer ${percent(current.probability)}`}
          onInput={({ currentTarget }) => onIndex(Number(currentTarget.value))}
        />
      </label>
    </div>
  );
}
