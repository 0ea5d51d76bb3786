import type { Prediction } from "../../runtime/serve/schemas";
import { type Scan, scans } from "../state/answers";
import { api } from "../state/api";
import { useAsked } from "../state/asked";
import { link } from "../state/route";
import { useStore } from "../state/store";
import { Failure } from "../ui/messages";
import { counted, percent } from "../ui/numbers";
import { NOT_YET } from "./room";
import { WholeAnswer } from "./whole";

/** The study that the open slice is of: its series, each with its most suspicious slice, and the study's own answer. */
export function StudyPanel({ id }: { id: string }) {
  const all = useStore(scans);
  const open = all.find((scan) => answerOf(scan)?.id === id);
  const study = open?.place?.study;
  if (!open || study === undefined) return null;
  const own = all.filter(({ place }) => place?.study === study);
  const series = [...new Set(own.map(({ place }) => place?.series ?? ""))];
  const pseudonym = answerOf(open)?.study?.study;
  return (
    <section class="study" aria-labelledby="study-title">
      <h2 id="study-title">
        Study of {counted(series.length, "series", "series")}, {counted(own.length, "slice")}
      </h2>
      {series.length > 1 ? (
        <ol class="study-series">
          {series.map((uid, i) => (
            <SeriesLine
              key={uid}
              title={`Series ${i + 1}`}
              slices={own.filter(({ place }) => place?.series === uid)}
              isOpen={open.place?.series === uid}
            />
          ))}
        </ol>
      ) : null}
      {pseudonym === undefined ? null : <OwnAnswer study={pseudonym} />}
    </section>
  );
}

function SeriesLine({ title, slices, isOpen }: { title: string; slices: readonly Scan[]; isOpen: boolean }) {
  const answered = slices.flatMap((scan) => answerOf(scan) ?? []);
  const strongest = answered.reduce<Prediction | undefined>(
    (most, one) => (most && most.probability >= one.probability ? most : one),
    undefined,
  );
  const text = `${title}, ${counted(slices.length, "slice")}`;
  return (
    <li>
      {strongest ? (
        <a href={link("scans", strongest.id)} aria-current={isOpen ? "true" : undefined}>
          {text}
        </a>
      ) : (
        text
      )}
      {strongest ? <span class="hint"> up to {percent(strongest.probability)}</span> : null}
    </li>
  );
}

function OwnAnswer({ study }: { study: string }) {
  const asked = useAsked(`study ${study}`, async (signal) => ({ answer: await api.study(study, signal) }));
  if (asked.error) return <Failure sentence={asked.error} onAgain={asked.again} />;
  if (!asked.value) return null;
  const { answer } = asked.value;
  if (!answer) return <p class="hint">{NOT_YET}</p>;
  return (
    <>
      <WholeAnswer answer={answer} />
      <p>
        <a href={link("history", "study", study)}>All slices of the study that landed</a>
      </p>
    </>
  );
}

const answerOf = ({ progress }: Scan): Prediction | undefined =>
  progress.state === "answered" ? progress.prediction : undefined;
