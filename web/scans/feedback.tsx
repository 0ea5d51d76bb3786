import { useId, useState } from "preact/hooks";
import type { FeedbackGiven, Prediction } from "../../runtime/serve/schemas";
import { api } from "../state/api";
import { sentenceOf, useAsked } from "../state/asked";
import { announce, me } from "../state/session";
import { useStore } from "../state/store";
import { Failure } from "../ui/messages";
import { localTime } from "../ui/numbers";

export const OTHER_LABEL = { Cancer: "Non-Cancer", "Non-Cancer": "Cancer" } as const;
const LONGEST_COMMENT = 2000;

/** What people hold the scan for, and the form to say it. */
export function FeedbackPanel({ prediction }: { prediction: Prediction }) {
  const { id, label, decision } = prediction;
  const given = useAsked(`feedback ${id}`, (signal) => api.feedback(id, signal));
  const role = useStore(me)?.role;
  const items = given.value?.items ?? [];
  return (
    <section class="feedback" aria-label="Feedback">
      <h3>{decision === "Uncertain" ? "What do you hold it for?" : "Do you agree?"}</h3>
      {role === "viewer" ? (
        <p class="hint">Your role is viewer: feedback is given by clinicians.</p>
      ) : (
        <Form key={id} id={id} label={label} unsure={decision === "Uncertain"} onGiven={given.again} />
      )}
      {given.error ? <Failure sentence={given.error} onAgain={given.again} /> : null}
      {items.length > 0 ? (
        <ul class="feedback-list" aria-label="Feedback so far">
          {items.map((item) => (
            <li key={item.feedback}>
              <Said agrees={item.agrees} unsure={decision === "Uncertain"} />: {item.label}, {item.who},{" "}
              {localTime(item.given_at)}
              {item.comment ? <q>{item.comment}</q> : null}
            </li>
          ))}
        </ul>
      ) : null}
    </section>
  );
}

/** With a model that decided nothing nobody disagrees. */
function Said({ agrees, unsure }: { agrees: boolean; unsure: boolean }) {
  if (unsure) return <strong>Holds it for</strong>;
  return <strong class={agrees ? "tone-clear" : "tone-cancer"}>{agrees ? "Agrees" : "Disagrees"}</strong>;
}

function Form({
  id,
  label,
  unsure,
  onGiven,
}: {
  id: string;
  label: Prediction["label"];
  unsure: boolean;
  onGiven(): void;
}) {
  const ids = useId();
  const [choice, setChoice] = useState<FeedbackGiven["label"]>();
  const [comment, setComment] = useState("");
  const [state, setState] = useState<{ sending?: boolean; error?: string; done?: string }>({});
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!choice)
      return setState({
        error: unsure ? "Choose one of both before you send." : "Choose whether you agree before you send.",
      });
    setState({ sending: true });
    try {
      const given = await api.giveFeedback(
        id,
        comment.trim() === "" ? { label: choice } : { label: choice, comment: comment.trim() },
      );
      const kept = unsure ? given.label : `${given.agrees ? "you agree" : "you disagree"} (${given.label})`;
      const done = `Your feedback is kept: ${kept}.`;
      setState({ done });
      announce(done);
      setComment("");
      setChoice(undefined);
      onGiven();
    } catch (error) {
      setState({ error: sentenceOf(error) });
    }
  };
  const option = (value: FeedbackGiven["label"], text: string) => (
    <label class="option">
      <input type="radio" name={`${ids}label`} checked={choice === value} onChange={() => setChoice(value)} />
      {text}
    </label>
  );
  return (
    <form onSubmit={submit} noValidate>
      <fieldset class="options">
        <legend class="hidden">What do you hold this scan for?</legend>
        {option(label, unsure ? `${label}, as the model leans` : `Agree: ${label}`)}
        {option(OTHER_LABEL[label], unsure ? OTHER_LABEL[label] : `Disagree: ${OTHER_LABEL[label]}`)}
      </fieldset>
      <label class="comment" for={`${ids}comment`}>
        <span class="hidden">Comment</span>
        <textarea
          id={`${ids}comment`}
          rows={1}
          maxLength={LONGEST_COMMENT}
          placeholder="Comment (nothing that names a patient)"
          value={comment}
          onInput={({ currentTarget }) => setComment(currentTarget.value)}
        />
      </label>
      <button type="submit" disabled={state.sending === true}>
        Send feedback
      </button>
      {state.error ? <Failure sentence={state.error} /> : null}
      {state.done ? <p class="done">{state.done}</p> : null}
    </form>
  );
}
