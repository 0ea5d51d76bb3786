import { useState } from "preact/hooks";
import type { MonitoredAlarm, MonitoredShare, Monitoring } from "../../runtime/serve/monitoring-schemas";
import { api } from "../state/api";
import { useAsked } from "../state/asked";
import { nameOf } from "../state/csv";
import { link } from "../state/route";
import { Failure, Waiting } from "../ui/messages";
import { counted, localTime, short, three, whole } from "../ui/numbers";
import { Table } from "../ui/table";
import { AccuracyPlots, EvidencePlot, VolumePlots } from "./plots";

/** Days that may be looked at. */
const SPANS = [30, 90, 365] as const;

/** Whether what comes is still what the model was tested on, and what to do. @param id another model than the current one */
export function MonitoringRoom({ id }: { id: string | undefined }) {
  const [days, setDays] = useState<number>(SPANS[0]);
  const asked = useAsked(`monitoring ${id ?? ""} ${days}`, (signal) => api.monitoring(id, days, signal));
  return (
    <div class="page">
      <div class="row between">
        <h1 tabIndex={-1}>Monitoring</h1>
        <label>
          Days{" "}
          <select value={days} onChange={({ currentTarget }) => setDays(Number(currentTarget.value))}>
            {SPANS.map((span) => (
              <option key={span}>{span}</option>
            ))}
          </select>
        </label>
      </div>
      {asked.error ? <Failure sentence={asked.error} onAgain={asked.again} /> : null}
      {asked.value && !asked.error ? <Told told={asked.value} /> : null}
      {asked.waiting && !asked.value ? <Waiting what="What is told of the days is being fetched" /> : null}
    </div>
  );
}

const TONES = {
  alarm: "note bad standing",
  late: "note standing",
  untold: "note standing",
  quiet: "note fit standing",
};

function Told({ told }: { told: Monitoring }) {
  const { state, sentence, todo, alarms, accuracy, days } = told;
  const last = days.at(-1);
  return (
    <>
      <div class={TONES[state]} role="note" aria-label="What to know first, and to do">
        <p>
          <strong>{sentence}</strong>
        </p>
        <ul>
          {todo.map((one) => (
            <li key={one}>{one}</li>
          ))}
        </ul>
      </div>
      <p class="hint">
        Of the scans that <a href={link("models", told.model)}>{told.model}</a>{" "}
        {told.current ? "answers" : "answered; it is not the current model"}, without those of its own data set.
        {last ? ` Last told of ${last.day}, on ${localTime(last.computed_at)}.` : ""}
      </p>
      {alarms.length > 0 ? (
        <section aria-labelledby="alarms-title">
          <h2 id="alarms-title">Alarms</h2>
          {alarms.map((alarm) => (
            <Alarm key={`${alarm.day} ${alarm.watch}`} alarm={alarm} />
          ))}
        </section>
      ) : null}
      {days.length > 0 ? (
        <>
          <section aria-labelledby="accuracy-title">
            <h2 id="accuracy-title">How often it is right</h2>
            {accuracy ? <Accuracy accuracy={accuracy} /> : null}
            <div class="plots">
              <AccuracyPlots days={days} />
            </div>
          </section>
          <section aria-labelledby="evidence-title">
            <h2 id="evidence-title">What comes</h2>
            <div class="plots">
              <EvidencePlot days={days} />
              <VolumePlots days={days} />
            </div>
            <Unanswered days={days} />
          </section>
        </>
      ) : null}
    </>
  );
}

function Alarm({ alarm }: { alarm: MonitoredAlarm }) {
  const { day, watch, standing, sentence, advice, scans } = alarm;
  return (
    <div>
      <h3>
        {day}: {watch} {standing ? <span class="tag strong">stands</span> : <span class="tag">over</span>}
      </h3>
      <p>{sentence}</p>
      {/* What stands is said at the head of the page. */}
      {standing ? null : <p class="hint">{advice}</p>}
      {scans.length > 0 ? (
        <>
          <p>Scans that speak most for it:</p>
          <ul class="named-scans">
            {scans.map(({ request, id, sha256 }) => (
              <li key={request}>
                {id ? (
                  <a href={link("history", id)}>{nameOf(id) ?? short(request)}</a>
                ) : (
                  <>
                    {sha256 ? <span class="code">{`curated/images/${sha256}.png`}</span> : short(request)}
                    <span class="hint"> not sent to this service</span>
                  </>
                )}
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </div>
  );
}

const shareText = (share: MonitoredShare | null): string => {
  if (!share) return "\u2013";
  if (share.value === null) return share.reason;
  return `${three(share.value)} (${three(share.low)} to ${three(share.high)}), ${counted(share.scans, "scan")}`;
};

function Accuracy({ accuracy }: { accuracy: NonNullable<Monitoring["accuracy"]> }) {
  const { day, estimated, feedback, parts } = accuracy;
  const rows = [
    { name: "all", estimated, feedback },
    ...parts.map((part) => ({ ...part, name: `${part.by} ${part.value}` })),
  ];
  return (
    <Table
      caption={`Share of right answers in the 30 days to ${day}, with 95 % intervals`}
      seen
      heads={["Scans", "Estimated, without labels", "By feedback"]}
    >
      {rows.map(({ name, ...both }) => (
        <tr key={name}>
          <th scope="row">{name}</th>
          <td>{shareText(both.estimated)}</td>
          <td>{shareText(both.feedback)}</td>
        </tr>
      ))}
    </Table>
  );
}

/** What got no answer in the days that are shown, by why. */
function Unanswered({ days }: { days: Monitoring["days"] }) {
  const requests = (of: (day: Monitoring["days"][number]) => Monitoring["days"][number]["refused"]) =>
    days.flatMap(of).map(({ code, requests }) => ({ why: code, n: requests }));
  const pages = days.flatMap(({ quarantined }) => quarantined).map(({ reason, pages }) => ({ why: reason, n: pages }));
  const rows = [
    ...summed("Pages in quarantine", pages),
    ...summed(
      "Requests refused",
      requests(({ refused }) => refused),
    ),
    ...summed(
      "Requests failed",
      requests(({ failed }) => failed),
    ),
  ];
  if (rows.length === 0) return <p>Nothing was refused, and nothing failed, in these days.</p>;
  return (
    <Table
      caption="What got no answer in these days"
      seen
      heads={["What", "Why", { title: "How many", numeric: true }]}
    >
      {rows.map(({ kind, why, n }) => (
        <tr key={`${kind} ${why}`}>
          <th scope="row">{kind}</th>
          <td class="code">{why}</td>
          <td class="numeric">{whole(n)}</td>
        </tr>
      ))}
    </Table>
  );
}

/** The reasons of one kind, the most frequent first. */
function summed(kind: string, found: readonly { readonly why: string | null; readonly n: number }[]) {
  const sums = new Map<string, number>();
  for (const { why, n } of found) sums.set(why ?? "not known", (sums.get(why ?? "not known") ?? 0) + n);
  return [...sums].sort(([, a], [, b]) => b - a).map(([why, n]) => ({ kind, why, n }));
}
