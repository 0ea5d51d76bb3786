import type { StudyAnswer } from "../../runtime/serve/schemas";
import { TONES } from "../scans/answer";
import { api } from "../state/api";
import { useAsked } from "../state/asked";
import { Failure, Waiting } from "../ui/messages";
import { counted, localTime, percent } from "../ui/numbers";
import { Table } from "../ui/table";
import { WholeAnswer } from "./whole";

/** The newest answer of a study that landed, by its pseudonym. */
export function StudyRoom({ study }: { study: string }) {
  const asked = useAsked(`study ${study}`, async (signal) => ({ answer: await api.study(study, signal) }));
  return (
    <div class="page">
      <p>
        <a href="#/history">Back to the history</a>
      </p>
      <h1 tabIndex={-1}>Study</h1>
      <p class="code hint">{study}</p>
      {asked.error ? <Failure sentence={asked.error} onAgain={asked.again} /> : null}
      {asked.waiting && !asked.value ? <Waiting what="The answer of the study is being fetched" /> : null}
      {asked.value ? asked.value.answer ? <Told answer={asked.value.answer} /> : <p role="status">{NOT_YET}</p> : null}
    </div>
  );
}

/** Said where a study's slices were sent here, and have not landed or are not scored. */
export const NOT_YET =
  "The study as a whole has no answer yet. It gets one once its scans have landed, by upload, STOW-RS or the gateway, and npm run score has run; what is sent on this page is answered slice by slice and does not land.";

function Told({ answer }: { answer: StudyAnswer }) {
  const { slices, overlay, model, answered_at: at } = answer;
  const series = [...new Set(slices.map((slice) => slice.series))];
  return (
    <>
      <section aria-labelledby="whole-title">
        <h2 id="whole-title">The study's own answer</h2>
        <WholeAnswer answer={answer} />
      </section>
      {overlay ? (
        <figure class="study-overlay">
          <img src={overlay} alt="The most suspicious slice; warm colours speak for Cancer" />
          <figcaption class="hint">The most suspicious slice with the places that speak for Cancer.</figcaption>
        </figure>
      ) : null}
      <h2>
        {counted(slices.length, "slice")} of {counted(series.length, "series", "series")}
      </h2>
      <Table
        caption="Slices of the study, the most suspicious first"
        heads={["Slice", "Series", "Sequence", "View", "Decision", { title: "Probability", numeric: true }]}
      >
        {slices.map(({ instance, page, series: own, sequence, view, decision, probability }, i) => (
          <tr key={`${instance} ${page}`}>
            <th scope="row">
              {i + 1}
              {page > 1 ? `, frame ${page}` : ""}
            </th>
            <td>{series.indexOf(own) + 1}</td>
            <td>{sequence ?? ""}</td>
            <td>{view ?? ""}</td>
            <td class={TONES[decision]}>{decision}</td>
            <td class="numeric">{percent(probability)}</td>
          </tr>
        ))}
      </Table>
      <p class="hint">
        Answered {localTime(at)} by <a href={`#/models/${encodeURIComponent(model)}`}>{model}</a>.
      </p>
    </>
  );
}
