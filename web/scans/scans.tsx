import { useEffect } from "preact/hooks";
import { scans } from "../state/answers";
import { api } from "../state/api";
import { useAsked } from "../state/asked";
import { nameOf } from "../state/csv";
import { go } from "../state/route";
import { useStore } from "../state/store";
import { StudyPanel } from "../studies/panel";
import { Failure, Waiting } from "../ui/messages";
import { short } from "../ui/numbers";
import { Answer } from "./answer";
import { Intake } from "./intake";
import { SeriesPanel } from "./series";
import { AnswersTable } from "./table";

/** What is sent on the left, what is looked at on the right. */
export function ScansRoom({ id }: { id: string | undefined }) {
  const all = useStore(scans);
  // A single scan is looked at as soon as it is answered; of many, the visitor chooses.
  const [only] = all;
  const first = all.length === 1 && only?.progress.state === "answered" ? only.progress.prediction.id : undefined;
  useEffect(() => {
    if (first && !id) go("scans", first);
  }, [first, id]);
  return (
    <div class="scans">
      <h1 class="hidden">Scans and answers</h1>
      <div class="side">
        <Intake />
        <AnswersTable open={id} />
      </div>
      <div class="looked-at">
        {id ? <StudyPanel id={id} /> : null}
        {id ? <SeriesPanel id={id} /> : null}
        {id ? <OpenAnswer id={id} steps /> : <Welcome any={all.length > 0} />}
      </div>
    </div>
  );
}

function Welcome({ any }: { any: boolean }) {
  return (
    <div class={any ? "welcome" : "welcome empty"}>
      <p>{any ? "Choose a file in the table to look at its answer." : "Drop scans or a folder of them here."}</p>
      <p class="hint">
        Answers of before are in the <a href="#/history">history</a>. What the model is worth stands under{" "}
        <a href="#/models">models</a>.
      </p>
    </div>
  );
}

/** An answer by its prediction's id: of this visit, or asked for. */
export function OpenAnswer({ id, steps = false }: { id: string; steps?: boolean }) {
  const mine = useStore(scans).find(({ progress }) => progress.state === "answered" && progress.prediction.id === id);
  const known = mine?.progress.state === "answered" ? mine.progress.prediction : undefined;
  const asked = useAsked(`answer ${id}`, async (signal) => known ?? api.prediction(id, signal));
  const prediction = known ?? asked.value;
  const there = prediction !== undefined;
  useEffect(() => {
    if (!there) return;
    const title = document.getElementById("answer-title");
    // Whoever goes through a series stays at its slider.
    if (!title || document.activeElement?.closest(".series")) return;
    title.focus({ preventScroll: true });
    // Beside the table it is in view, unless somebody scrolled down to choose it there.
    const { top } = title.getBoundingClientRect();
    const header = document.querySelector("header")?.clientHeight ?? 0;
    if (top < header || top > innerHeight / 2) title.closest("article")?.scrollIntoView({ block: "start" });
  }, [id, there]);
  if (prediction)
    return (
      <Answer key={id} prediction={prediction} name={mine?.name ?? nameOf(id) ?? `Scan ${short(id)}`} steps={steps} />
    );
  if (asked.error) return <Failure sentence={asked.error} onAgain={asked.again} />;
  return <Waiting what="The answer is being fetched" />;
}
