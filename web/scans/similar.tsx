import { useState } from "preact/hooks";
import type { Prediction, Similar } from "../../runtime/serve/schemas";
import { api } from "../state/api";
import { useAsked } from "../state/asked";
import { me } from "../state/session";
import { Store, useStore } from "../state/store";
import { Failure, Waiting } from "../ui/messages";
import { percentMark } from "../ui/numbers";

/** Whether the scans are looked at: who opened them for one answer sees them for the next. */
const opened = new Store(false);

/** Labelled scans of others that look most like it to the model. Asked for once somebody wants to see them. */
export function SimilarPanel({ prediction }: { prediction: Prediction }) {
  const open = useStore(opened);
  return (
    <details class="similar" open={open} onToggle={({ currentTarget }) => opened.set(currentTarget.open)}>
      <summary>Similar labelled scans</summary>
      {open ? <Found key={prediction.request} id={prediction.id} /> : null}
    </details>
  );
}

function Found({ id }: { id: string }) {
  const asked = useAsked(`similar ${id}`, (signal) => api.similar(id, signal));
  const role = useStore(me)?.role;
  if (asked.error) return <Failure sentence={asked.error} onAgain={asked.again} />;
  if (!asked.value) return <Waiting what="Similar scans are being looked for" />;
  const { items, known, excluded, complete } = asked.value;
  return (
    <>
      {items.length === 0 ? (
        <p>No other labelled scan is known.</p>
      ) : (
        <>
          <Agreement similar={asked.value} />
          <ol class="similar-scans">
            {items.map((scan, i) => (
              <SimilarScan key={scan.id} scan={scan} place={i + 1} shown={role !== "viewer"} />
            ))}
          </ol>
        </>
      )}
      {role === "viewer" ? (
        <p class="hint">Your role is viewer: pictures of other patients' scans are shown to clinicians.</p>
      ) : null}
      <p class="hint">
        Compared by what the model saw with {complete ? "all" : "a part, drawn by chance, of the"} labelled scans here (
        {known.toLocaleString("en")}).
        {excluded > 0
          ? ` ${excluded === 1 ? "One was" : `${excluded.toLocaleString("en")} were`} left out: the same picture, or of the same patient.`
          : " Nobody said whose scan this is: other slices of the same patient may be among them."}
      </p>
    </>
  );
}

function Agreement({ similar: { agreement, known, known_cancer } }: { similar: Similar }) {
  const { neighbours, cancer, auc } = agreement;
  return (
    <p class="agreement">
      <strong>
        {cancer} of the {neighbours} most similar scans are Cancer
      </strong>{" "}
      by the labels that people gave them; of all labelled scans here {percentMark(known_cancer / known)} are. This is a
      count of cases, not a probability.
      {auc?.value == null
        ? ""
        : ` On test scans this count alone ranked a Cancer scan above a Non-Cancer one ${Math.round(100 * auc.value)} times in 100 (AUC ${auc.value.toFixed(2)}, 95 % ${auc.low.toFixed(2)} to ${auc.high.toFixed(2)}).`}
    </p>
  );
}

function SimilarScan({ scan, place, shown }: { scan: Similar["items"][number]; place: number; shown: boolean }) {
  const [failed, setFailed] = useState(false);
  const { label, split, similarity, picture } = scan;
  return (
    <li>
      {shown && !failed ? (
        <a href={picture} target="_blank" rel="noreferrer">
          <img
            src={picture}
            width="128"
            height="128"
            loading="lazy"
            alt={`Similar scan ${place}, ${label}`}
            onError={() => setFailed(true)}
          />
        </a>
      ) : null}
      {failed ? <p class="hint">Its picture cannot be shown.</p> : null}
      <p>
        <strong class={label === "Cancer" ? "tone-cancer" : "tone-clear"}>{label}</strong>
        <span class="hint">
          {" "}
          likeness {similarity.toFixed(3)}
          {split === "train" ? ", the model learnt from it" : ""}
        </span>
      </p>
    </li>
  );
}
