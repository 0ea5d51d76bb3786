import { useState } from "preact/hooks";
import type { History, HistoryItem } from "../../runtime/serve/schemas";
import { TONES } from "../scans/answer";
import { OpenAnswer } from "../scans/scans";
import { api, type HistoryFilter } from "../state/api";
import { sentenceOf, useAsked } from "../state/asked";
import { link } from "../state/route";
import { knownNames } from "../state/session";
import { useStore } from "../state/store";
import { Failure, Waiting } from "../ui/messages";
import { counted, localTime, percent } from "../ui/numbers";
import { Table } from "../ui/table";
import { Disagreements } from "./disagreements";
import { Name } from "./name";
import { Worklist } from "./worklist";

const EVERYTHING: HistoryFilter = { decision: "", model: "", id: "", from: "", to: "" };

/** Answers of before, of everybody. */
export function HistoryRoom({
  id,
  queue,
}: {
  id: string | undefined;
  queue: "disagreements" | "worklist" | undefined;
}) {
  if (id)
    return (
      <div class="page">
        <p>
          <a href="#/history">Back to the history</a>
        </p>
        <h1 class="hidden">An answer of the history</h1>
        <OpenAnswer id={id} />
      </div>
    );
  return (
    <div class="page">
      <h1 tabIndex={-1}>History</h1>
      <nav aria-label="Parts of the history" class="tabs">
        <a href="#/history" aria-current={queue ? undefined : "page"}>
          All answers
        </a>
        <a href="#/history/disagreements" aria-current={queue === "disagreements" ? "page" : undefined}>
          Disagreements
        </a>
        <a href="#/history/worklist" aria-current={queue === "worklist" ? "page" : undefined}>
          Worklist
        </a>
      </nav>
      {queue === "disagreements" ? <Disagreements /> : null}
      {queue === "worklist" ? <Worklist /> : null}
      {queue === undefined ? <AllAnswers /> : null}
    </div>
  );
}

function AllAnswers() {
  const [filter, setFilter] = useState(EVERYTHING);
  const [words, setWords] = useState("");
  const names = useStore(knownNames);
  // Names stay in this browser: by them only what is fetched can be sifted. Ids are the server's to find.
  const wanted = words.trim().toLowerCase();
  const byName = new Set([...names].filter(([, name]) => name.toLowerCase().includes(wanted)).map(([id]) => id));
  const isId = /^[0-9a-f]{1,64}$/.test(wanted) && byName.size === 0;
  const asked = isId ? { ...filter, id: wanted } : filter;
  return (
    <>
      <Filters filter={filter} onFilter={setFilter} words={words} onWords={setWords} />
      <Pages key={JSON.stringify(asked)} filter={asked} only={wanted === "" || isId ? undefined : byName} />
    </>
  );
}

function Filters({
  filter,
  onFilter,
  words,
  onWords,
}: {
  filter: HistoryFilter;
  onFilter(filter: HistoryFilter): void;
  words: string;
  onWords(words: string): void;
}) {
  const models = useAsked("models", () => api.models());
  const set = (name: keyof HistoryFilter) => (event: { currentTarget: HTMLInputElement | HTMLSelectElement }) =>
    onFilter({ ...filter, [name]: event.currentTarget.value.trim() });
  return (
    <search class="filters">
      <label>
        Decision
        <select value={filter.decision} onChange={set("decision")}>
          <option value="">all</option>
          <option>Cancer</option>
          <option>Non-Cancer</option>
          <option>Uncertain</option>
        </select>
      </label>
      <label>
        Model
        <select value={filter.model} onChange={set("model")}>
          <option value="">all</option>
          {models.value?.items.map(({ id, current }) => (
            <option key={id} value={id}>
              {id}
              {current ? " (current)" : ""}
            </option>
          ))}
        </select>
      </label>
      <label>
        Search: a file of this visit, or how a prediction begins
        <input
          type="search"
          value={words}
          spellcheck={false}
          autocomplete="off"
          onInput={({ currentTarget }) => onWords(currentTarget.value)}
        />
      </label>
      <label>
        From
        <input type="date" value={filter.from} onChange={set("from")} />
      </label>
      <label>
        To
        <input type="date" value={filter.to} onChange={set("to")} />
      </label>
      <button
        type="button"
        class="quiet"
        onClick={() => {
          onFilter(EVERYTHING);
          onWords("");
        }}
      >
        Clear filters
      </button>
    </search>
  );
}

/** As many pages of the history as were asked for. */
function Pages({ filter, only }: { filter: HistoryFilter; only: ReadonlySet<string> | undefined }) {
  const first = useAsked(`history ${JSON.stringify(filter)}`, (signal) => api.history(filter, null, signal));
  const [more, setMore] = useState<readonly History[]>([]);
  const [state, setState] = useState<{ loading?: boolean; error?: string }>({});
  if (first.error) return <Failure sentence={first.error} onAgain={first.again} />;
  if (!first.value) return <Waiting what="The history is being fetched" />;
  const pages = [first.value, ...more];
  const items = pages.flatMap((page) => page.items).filter(({ id }) => only?.has(id) ?? true);
  const next = pages.at(-1)?.next ?? null;
  const load = async () => {
    setState({ loading: true });
    try {
      setMore([...more, await api.history(filter, next)]);
      setState({});
    } catch (error) {
      setState({ error: sentenceOf(error) });
    }
  };
  return (
    <>
      <p role="status" class="hint">
        {items.length === 0
          ? next
            ? "No answer fits among the newest; older ones can be looked through."
            : "No answer fits these filters."
          : `${counted(items.length, "answer")}${next ? " so far" : ""}, the newest first.`}
      </p>
      {items.length > 0 ? <HistoryTable items={items} /> : null}
      {state.error ? <Failure sentence={state.error} /> : null}
      {next ? (
        <button type="button" class="quiet" disabled={state.loading === true} onClick={load}>
          Show older answers
        </button>
      ) : null}
    </>
  );
}

function HistoryTable({ items }: { items: readonly HistoryItem[] }) {
  useStore(knownNames);
  const withStudies = items.some(({ study }) => study !== undefined);
  return (
    <Table
      caption="Answers, the newest first"
      heads={[
        "Prediction",
        ...(withStudies ? ["Study"] : []),
        "Decision",
        { title: "Probability", numeric: true },
        "Answered",
        { title: "Pages", numeric: true },
        "Model",
        "Asked by",
      ]}
    >
      {items.map((item) => (
        <tr key={item.request}>
          <th scope="row">
            <Name item={item} />
          </th>
          {withStudies ? (
            <td>
              {item.study ? (
                <a href={link("history", "study", item.study)} title={item.study} class="nowrap over-row">
                  {`Study ${item.study.slice(-6)}`}
                </a>
              ) : null}
            </td>
          ) : null}
          <td class={TONES[item.decision]}>{item.decision}</td>
          <td class="numeric">{percent(item.probability)}</td>
          <td class="nowrap">{localTime(item.answered_at)}</td>
          <td class="numeric">{item.pages}</td>
          <td class="code">{item.model}</td>
          <td>{item.who}</td>
        </tr>
      ))}
    </Table>
  );
}
