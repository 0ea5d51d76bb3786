import { useEffect, useState } from "preact/hooks";
import type { Feedback } from "../../runtime/serve/schemas";
import { OTHER_LABEL } from "../scans/feedback";
import { api } from "../state/api";
import { sentenceOf } from "../state/asked";
import { nameOf } from "../state/csv";
import { link } from "../state/route";
import { Failure } from "../ui/messages";
import { counted, localTime } from "../ui/numbers";
import { Table } from "../ui/table";

/** Predictions whose feedback is asked for at once. */
const AT_ONCE = 4;

interface Queue {
  readonly found: readonly Feedback[];
  readonly next: string | null;
  readonly busy: boolean;
  readonly error?: string;
}

/** Answers that somebody holds to be wrong, for a person to look at again. */
export function Disagreements() {
  const [state, setState] = useState<Queue>({ found: [], next: null, busy: true });
  const look = async (cursor: string | null, found: readonly Feedback[], signal?: AbortSignal) => {
    setState({ found, next: cursor, busy: true });
    try {
      const { items, next } = await api.disagreements(cursor, signal);
      const more = await standing(items, signal);
      if (!signal?.aborted) setState({ found: [...found, ...more], next, busy: false });
    } catch (error) {
      if (!signal?.aborted) setState({ found, next: cursor, busy: false, error: sentenceOf(error) });
    }
  };
  // It looks once, when it is opened.
  useEffect(() => {
    const leaving = new AbortController();
    void look(null, [], leaving.signal);
    return () => leaving.abort();
  }, []);
  const { found, next, busy, error } = state;
  return (
    <>
      <p role="status" class="hint">
        {busy
          ? "Looking for answers that somebody disagrees with \u2026"
          : `${counted(found.length, "disagreement")}${next ? " so far" : ""}, the newest first.`}
      </p>
      {error ? <Failure sentence={error} onAgain={() => void look(next, found)} /> : null}
      {found.length > 0 ? (
        <Table
          caption="Answers that somebody disagrees with"
          heads={["Prediction", "Model says", "Person says", "Comment", "By", "Given"]}
        >
          {found.map(({ feedback, id, label, comment, who, given_at }) => (
            <tr key={feedback}>
              <th scope="row">
                <a href={link("history", id)}>{nameOf(id) ?? id.slice(0, 12)}</a>
              </th>
              <td>{label === "Withdrawn" ? "" : OTHER_LABEL[label]}</td>
              <td>{label}</td>
              <td class="comment-cell">{comment}</td>
              <td>{who}</td>
              <td class="nowrap">{localTime(given_at)}</td>
            </tr>
          ))}
        </Table>
      ) : null}
      {next && !busy ? (
        <button type="button" class="quiet" onClick={() => void look(next, found)}>
          Show older ones
        </button>
      ) : null}
    </>
  );
}

/** Those that nobody took back: what supersedes a disagreement may agree, and is not among them. */
async function standing(items: readonly Feedback[], signal?: AbortSignal): Promise<readonly Feedback[]> {
  const superseded = new Set<string | null>();
  const waiting = [...new Set(items.map(({ id }) => id))];
  const worker = async () => {
    for (let id = waiting.shift(); id; id = waiting.shift()) {
      const given = await api.feedback(id, signal);
      for (const { supersedes } of given.items) superseded.add(supersedes);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return items.filter(({ feedback }) => !superseded.has(feedback));
}
