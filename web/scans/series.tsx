import type { Prediction } from "../../runtime/serve/schemas";
import { scans } from "../state/answers";
import { go } from "../state/route";
import { useStore } from "../state/store";
import { counted, percent } from "../ui/numbers";
import { Strip } from "../viewer/strip";

/** The series that the open slice is of: all its slices in their order, each with its probability. */
export function SeriesPanel({ id }: { id: string }) {
  const all = useStore(scans);
  const isOpen = ({ progress }: (typeof all)[number]) => progress.state === "answered" && progress.prediction.id === id;
  const series = all.find(isOpen)?.place?.series;
  if (series === undefined) return null;
  const own = all.filter(({ place }) => place?.series === series);
  const answered = own.flatMap(({ progress }) => (progress.state === "answered" ? progress.prediction : []));
  // A slice that was sent twice is one.
  const slices = answered.filter((slice, i) => answered.findIndex((other) => other.id === slice.id) === i);
  const index = slices.findIndex((slice) => slice.id === id);
  const open = slices[index];
  if (!open || own.length < 2) return null;
  const suspicious = slices.reduce(
    (most, { probability }, i) => (probability > (slices[most] as Prediction).probability ? i : most),
    0,
  );
  return (
    <section class="series" aria-labelledby="series-title">
      <h2 id="series-title">Series of {counted(own.length, "slice")}</h2>
      <p class="hint">
        {answered.length < own.length ? `${answered.length} of them are answered. ` : ""}
        The most suspicious is slice {suspicious + 1}, {percent((slices[suspicious] as Prediction).probability)}.
      </p>
      <Strip
        items={slices.map(({ probability }, i) => ({ title: `Slice ${i + 1}`, probability }))}
        of={open}
        name="slice"
        suspicious={suspicious}
        index={index}
        onIndex={(to) => {
          const { id: next } = slices[to] ?? {};
          if (next) go("scans", next);
        }}
      />
    </section>
  );
}
