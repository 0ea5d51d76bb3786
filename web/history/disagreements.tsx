import { useEffect, useState } from "preact/hooks";
import type { Feedback, HistoryItem } from "../../runtime/serve/schemas";
import { api } from "../state/api";
import { sentenceOf } from "../state/asked";
import { nameOf } from "../state/csv";
import { link } from "../state/route";
import { Failure } from "../ui/messages";
import { counted, localTime, percent } from "../ui/numbers";

interface Disagreement {
  readonly item: HistoryItem;
  readonly feedback: Feedback;
}

/** Answers that are looked through for feedback at a time. */
const AT_A_TIME = 200;
const AT_ONCE = 4;

interface Found {
  readonly looked: number;
  readonly next: string | null;
  readonly found: readonly Disagreement[];
  readonly busy: boolean;
  readonly error?: string;
}

/** Answers that somebody holds to be wrong, for a person to look at again. */
export function Disagreements() {
  const [state, setState] = useState<Found>({ looked: 0, next: null, found: [], busy: true });
  const look = async (cursor: string | null, before: Omit<Found, "busy">, signal?: AbortSignal) => {
    setState({ ...before, busy: true });
    try {
      const { items, next } = await collect(cursor, signal);
      const found = [...before.found, ...(await disagreementsIn(items, signal))];
      if (!signal?.aborted) setState({ looked: before.looked + items.length, next, found, busy: false });
    } catch (error) {
      if (!signal?.aborted) setState({ ...before, busy: false, error: sentenceOf(error) });
    }
  };
  // It looks once, when it is opened.
  useEffect(() => {
    const leaving = new AbortController();
    void look(null, { looked: 0, next: null, found: [] }, leaving.signal);
    return () => leaving.abort();
  }, []);
  const { found, looked, next, busy, error } = state;
  return (
    <>
      <p role="status" class="hint">
        {busy
          ? "Looking for answers that somebody disagrees with \u2026"
          : `${counted(found.length, "disagreement")} in the newest ${counted(looked, "answer")}.`}
      </p>
      {error ? <Failure sentence={error} onAgain={() => void look(next, { looked, next, found })} /> : null}
      {found.length > 0 ? (
        <div class="table-frame">
          <table>
            <caption class="hidden">Answers that somebody disagrees with</caption>
            <thead>
              <tr>
                <th scope="col">Prediction</th>
                <th scope="col">Model says</th>
                <th scope="col" class="numeric">
                  Probability
                </th>
                <th scope="col">Person says</th>
                <th scope="col">Comment</th>
                <th scope="col">By</th>
                <th scope="col">Given</th>
              </tr>
            </thead>
            <tbody>
              {found.map(({ item, feedback }) => (
                <tr key={feedback.feedback}>
                  <th scope="row">
                    <a href={link("history", item.id)}>{nameOf(item.id) ?? item.id.slice(0, 12)}</a>
                  </th>
                  <td>{item.decision}</td>
                  <td class="numeric">{percent(item.probability)}</td>
                  <td>{feedback.label}</td>
                  <td>{feedback.comment}</td>
                  <td>{feedback.who}</td>
                  <td class="nowrap">{localTime(feedback.given_at)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
      {next && !busy ? (
        <button type="button" class="quiet" onClick={() => void look(next, { looked, next, found })}>
          Look through older answers
        </button>
      ) : null}
    </>
  );
}

const NO_FILTER = { decision: "", model: "", id: "", from: "", to: "" };

/** Some pages of the history, one row a prediction: feedback belongs to the prediction's newest answer. */
async function collect(cursor: string | null, signal?: AbortSignal) {
  const items = new Map<string, HistoryItem>();
  let next = cursor;
  let read = 0;
  do {
    const page = await api.history(NO_FILTER, next, signal);
    for (const item of page.items) if (!items.has(item.id)) items.set(item.id, item);
    read += page.items.length;
    next = page.next;
  } while (next && read < AT_A_TIME);
  return { items: [...items.values()], next };
}

async function disagreementsIn(items: readonly HistoryItem[], signal?: AbortSignal): Promise<Disagreement[]> {
  const waiting = [...items.filter(({ kept }) => kept)];
  const found: Disagreement[] = [];
  const worker = async () => {
    for (let item = waiting.shift(); item; item = waiting.shift()) {
      const { items: given } = await api.feedback(item.id, signal);
      for (const feedback of standing(given)) if (!feedback.agrees) found.push({ item, feedback });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return found.sort((a, b) => b.feedback.given_at.localeCompare(a.feedback.given_at));
}

/** What was not taken back: the newest of each person. */
function standing(given: readonly Feedback[]): readonly Feedback[] {
  const superseded = new Set(given.map(({ supersedes }) => supersedes));
  return given.filter(({ feedback }) => !superseded.has(feedback));
}
