import { useEffect, useId, useRef, useState } from "preact/hooks";
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
  const { who, role } = useStore(me) ?? {};
  const items = given.value?.items ?? [];
  const mine = items.find((item) => item.who === who && item.scope === undefined);
  return (
    <section class="feedback" aria-label="Feedback">
      <h3>{decision === "Uncertain" ? "What do you hold it for?" : "Do you agree?"}</h3>
      {role === "viewer" ? (
        <p class="hint">Your role is viewer: feedback is given by clinicians.</p>
      ) : (
        <Form
          key={id}
          id={id}
          label={label}
          unsure={decision === "Uncertain"}
          said={mine !== undefined && mine.label !== "Withdrawn"}
          confirms={role === "admin"}
          onGiven={given.again}
        />
      )}
      {given.error ? <Failure sentence={given.error} onAgain={given.again} /> : null}
      {items.length > 0 ? (
        <ul class="feedback-list" aria-label="Feedback so far">
          {items.map((item) => (
            <li key={item.feedback}>
              <Said agrees={item.agrees} unsure={decision === "Uncertain"} />: {item.label}
              {item.scope === "study" ? " (of the whole study)" : ""}
              {item.confirmed ? ", confirmed" : ""}, {item.who}, {localTime(item.given_at)}
              {item.comment ? <q>{item.comment}</q> : null}
            </li>
          ))}
        </ul>
      ) : null}
    </section>
  );
}

/** With a model that decided nothing nobody disagrees. */
function Said({ agrees, unsure }: { agrees: boolean | null; unsure: boolean }) {
  if (agrees === null) return <strong>Took it back</strong>;
  if (unsure) return <strong>Holds it for</strong>;
  return <strong class={agrees ? "tone-clear" : "tone-cancer"}>{agrees ? "Agrees" : "Disagrees"}</strong>;
}

function Form({
  id,
  label,
  unsure,
  said,
  confirms,
  onGiven,
}: {
  id: string;
  label: Prediction["label"];
  unsure: boolean;
  /** Whether there is something that this person can take back. */
  said: boolean;
  /** Whether this person may confirm a label. */
  confirms: boolean;
  onGiven(): void;
}) {
  const ids = useId();
  const [choice, setChoice] = useState<FeedbackGiven["label"]>();
  const [comment, setComment] = useState("");
  const [confirm, setConfirm] = useState(false);
  const [state, setState] = useState<{ sending?: boolean; error?: string; done?: string }>({});
  const done = useRef<HTMLParagraphElement>(null);
  // The form stands at the end of what scrolls: what is said below it would be half hidden.
  useEffect(() => {
    if (state.done) done.current?.scrollIntoView({ block: "nearest" });
  }, [state.done]);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!choice)
      return setState({
        error: unsure ? "Choose one of both before you send." : "Choose whether you agree before you send.",
      });
    setState({ sending: true });
    try {
      const given = await api.giveFeedback(id, {
        label: choice,
        ...(comment.trim() === "" ? {} : { comment: comment.trim() }),
        ...(confirm && choice !== "Withdrawn" ? { confirm } : {}),
      });
      const kept = unsure ? given.label : `${given.agrees ? "you agree" : "you disagree"} (${given.label})`;
      const told = given.agrees === null ? "What you said before is taken back." : `Your feedback is kept: ${kept}.`;
      setState({ done: told });
      announce(told);
      setComment("");
      setConfirm(false);
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
        {said ? option("Withdrawn", "Take back what I said") : null}
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
      {confirms ? (
        <label class="option confirm">
          <input
            type="checkbox"
            checked={confirm}
            onChange={({ currentTarget }) => setConfirm(currentTarget.checked)}
          />
          Confirm as an administrator: it may be learnt from without a second person
        </label>
      ) : null}
      <button type="submit" disabled={state.sending === true}>
        Send feedback
      </button>
      {state.error ? <Failure sentence={state.error} /> : null}
      {state.done ? (
        <p class="done" ref={done}>
          {state.done}
        </p>
      ) : null}
    </form>
  );
}
