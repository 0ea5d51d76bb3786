import { useEffect } from "preact/hooks";
import { clearDone, type Scan, scans, sendAgain, shownOrder } from "../state/answers";
import { answersCsv, download } from "../state/csv";
import { link } from "../state/route";
import { useStore } from "../state/store";
import { counted, percent } from "../ui/numbers";
import { type Column, SortableHead, useSorted } from "../ui/sortable";
import { TableFrame } from "../ui/table";
import { TONES } from "./answer";

const STATES = { waiting: "Waiting", sending: "Sending", answered: "Answered", refused: "Refused" } as const;
const answered = ({ progress }: Scan) => (progress.state === "answered" ? progress.prediction : undefined);

const COLUMNS: readonly Column<Scan>[] = [
  { key: "name", title: "File", by: ({ name }) => name },
  { key: "decision", title: "Decision", by: (scan) => answered(scan)?.decision ?? `~${STATES[scan.progress.state]}` },
  { key: "probability", title: "Probability", by: (scan) => answered(scan)?.probability, numeric: true },
];

/** The files of this visit, each with its answer as soon as it is there. */
export function AnswersTable({ open }: { open: string | undefined }) {
  const rows = useStore(scans);
  const { sorted, sorting, toggle } = useSorted(rows, COLUMNS);
  useEffect(() => {
    // A file that was sent twice is one scan.
    shownOrder.set([...new Set(sorted.flatMap((scan) => answered(scan)?.id ?? []))]);
  }, [sorted]);
  if (rows.length === 0) return null;
  const done = rows.filter(({ progress }) => progress.state === "answered" || progress.state === "refused").length;
  return (
    <section aria-labelledby="answers-title">
      <div class="row between">
        <h2 id="answers-title">Answers</h2>
        <span class="hint">
          {done} of {counted(rows.length, "file")}
        </span>
      </div>
      <TableFrame>
        <table class="answers">
          <caption class="hidden">Answers; the buttons in the head sort it</caption>
          <SortableHead columns={COLUMNS} sorting={sorting} onToggle={toggle} />
          <tbody>
            {sorted.map((scan) => (
              <Row key={scan.key} scan={scan} open={open} />
            ))}
          </tbody>
        </table>
      </TableFrame>
      <div class="row">
        <button
          type="button"
          class="quiet"
          disabled={done === 0}
          onClick={() => download("answers.csv", answersCsv(sorted))}
        >
          Download CSV
        </button>
        <button type="button" class="quiet" disabled={done === 0} onClick={clearDone}>
          Clear
        </button>
      </div>
    </section>
  );
}

function Row({ scan, open }: { scan: Scan; open: string | undefined }) {
  const { name, progress, key } = scan;
  if (progress.state === "answered") {
    const { id, decision, probability } = progress.prediction;
    return (
      <tr class={id === open ? "current" : ""}>
        <th scope="row">
          <a class="row-link" href={link("scans", id)} aria-current={id === open ? "true" : undefined}>
            {name}
          </a>
        </th>
        <td class={TONES[decision]}>{decision}</td>
        <td class="numeric">{percent(probability)}</td>
      </tr>
    );
  }
  if (progress.state === "refused")
    return (
      <>
        <tr class="with-reason">
          <th scope="row">{name}</th>
          <td>Refused</td>
          <td class="numeric">
            <button type="button" class="quiet small" aria-label={`Send ${name} again`} onClick={() => sendAgain(key)}>
              Again
            </button>
          </td>
        </tr>
        <tr>
          <td colSpan={COLUMNS.length} class="reason">
            {progress.reason}
          </td>
        </tr>
      </>
    );
  return (
    <tr>
      <th scope="row">
        {name}
        {progress.state === "waiting" && progress.why ? <p class="reason">{progress.why}</p> : null}
      </th>
      <td>{progress.state === "sending" && progress.share === 1 ? "Reading" : STATES[progress.state]}</td>
      <td class="numeric">
        {progress.state === "sending" ? (
          <progress aria-label={`${name} is being sent`} max={1} value={progress.share} />
        ) : null}
      </td>
    </tr>
  );
}
