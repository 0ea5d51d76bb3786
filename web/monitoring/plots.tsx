import type uPlot from "uplot";
import type { MonitoredDay, MonitoredShare } from "../../runtime/serve/monitoring-schemas";
import { Chart } from "../ui/chart";

type Days = readonly MonitoredDay[];

const DAY = 86_400_000;
const numberOf = (day: string) => Date.parse(day) / DAY;
const dayText = (day: number) => new Date(day * DAY).toISOString().slice(5, 10);
const X = { label: "day (UTC)", whole: true, text: dayText };

/** Columns by day; a day of which nothing is told is a gap. */
function byDay(days: Days, ...values: readonly ((day: MonitoredDay) => number | null)[]): uPlot.AlignedData {
  const told = new Map(days.map((day) => [numberOf(day.day), day]));
  const [first, last] = [Math.min(...told.keys()), Math.max(...told.keys())];
  const all = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const column = (value: (typeof values)[number]) =>
    all.map((number) => {
      const day = told.get(number);
      return day ? value(day) : null;
    });
  return [all, ...values.map(column)];
}

/** Far less and far more than this is drawn as this. */
const [LEAST, MOST] = [0.001, 100];
const drawn = (level: number | null) => (level === null ? null : Math.min(MOST, Math.max(LEAST, level)));

export function EvidencePlot({ days }: { days: Days }) {
  return (
    <Chart
      title="Evidence for a change"
      text="Of each watch, over what an alarm needs: from the line at 1 on it rings, and begins anew. Drawn from 0.001 to 100."
      data={byDay(
        days,
        ({ evidence }) => drawn(evidence.input),
        ({ evidence }) => drawn(evidence.prediction),
        ({ evidence }) => drawn(evidence.feedback),
      )}
      series={["input", "prediction", "feedback"]}
      x={X}
      y={{ label: "evidence", min: LEAST, max: MOST, log: true }}
      level={1}
      points
    />
  );
}

export function AccuracyPlots({ days }: { days: Days }) {
  const plot = (title: string, text: string, share: (day: MonitoredDay) => MonitoredShare | null) => {
    const value = (key: "value" | "low" | "high") => (day: MonitoredDay) => {
      const found = share(day);
      return found && found.value !== null ? found[key] : null;
    };
    return (
      <Chart
        title={title}
        text={`${text} Of the 30 days to each, with its 95 % interval; a gap: it is not known.`}
        data={byDay(days, value("value"), value("low"), value("high"))}
        series={["accuracy", "low", "high"]}
        x={X}
        y={{ label: "accuracy", min: 0, max: 1 }}
        band
        points
      />
    );
  };
  return (
    <>
      {plot(
        "Estimated without labels",
        "From the probabilities alone, as long as they mean what they meant.",
        (day) => day.estimated,
      )}
      {plot("By feedback", "Where people gave a label and did not disagree.", (day) => day.feedback)}
    </>
  );
}

export function VolumePlots({ days }: { days: Days }) {
  const waited = days.some(({ latency }) => latency !== null);
  return (
    <>
      <Chart
        title="Answers"
        text="Scans that were answered each day; the orange part was referred to a person."
        data={byDay(
          days,
          ({ answers }) => answers,
          ({ answers, uncertain }) => Math.round(answers * (uncertain ?? 0)),
        )}
        series={["answers", "of them uncertain"]}
        x={X}
        y={{ label: "answers", min: 0 }}
        bars
      />
      {waited ? (
        <Chart
          title="Waiting"
          text="From the end of an upload until its answer was ready: half of the answers within the solid line, 95 % within the dashed one."
          data={byDay(
            days,
            ({ latency }) => latency?.median ?? null,
            ({ latency }) => latency?.p95 ?? null,
          )}
          series={["half", "95 %"]}
          x={X}
          y={{ label: "milliseconds", min: 0 }}
          points
        />
      ) : null}
    </>
  );
}
