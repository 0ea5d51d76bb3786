import type { StudyAnswer } from "../../runtime/serve/schemas";
import { TONES } from "../scans/answer";
import { counted, percent } from "../ui/numbers";

/** A study's own answer, or why there is none: it is another thing than that of its most suspicious slice. */
export function WholeAnswer({ answer: { whole, slices, verdict } }: { answer: StudyAnswer }) {
  const [strongest] = slices;
  return (
    <div class="whole">
      {"reason" in whole ? (
        <p class="note" role="note">
          <strong>The study as a whole is not answered.</strong> {whole.reason}
        </p>
      ) : (
        <>
          <p class="row between">
            <span class={`decision ${TONES[whole.decision]}`}>{whole.decision}</span>
            <span>
              <span class="number">{percent(whole.probability)}</span>{" "}
              <span class="hint">probability of Cancer, Cancer from {percent(whole.threshold)} on</span>
            </span>
          </p>
          <p class="hint">{whole.rule}</p>
          {whole.verdict.fit ? null : (
            <p class="verdict-short" role="note">
              {whole.verdict.sentence}
            </p>
          )}
        </>
      )}
      {strongest ? (
        <p class="hint">
          Of {counted(slices.length, "slice")} that landed, the most suspicious: {strongest.decision},{" "}
          {percent(strongest.probability)}.
        </p>
      ) : null}
      {verdict.fit || !("reason" in whole) ? null : (
        <p class="verdict-short" role="note">
          {verdict.sentence}
        </p>
      )}
    </div>
  );
}
