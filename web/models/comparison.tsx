import type { Comparison, MetricValue } from "../../runtime/serve/schemas";
import { api } from "../state/api";
import { useAsked } from "../state/asked";
import { link } from "../state/route";
import { me } from "../state/session";
import { useStore } from "../state/store";
import { Loaded } from "../ui/loaded";
import { three } from "../ui/numbers";
import { Table } from "../ui/table";
import { METRICS, metricText } from "./model";
import { mayDecide, Promote, verdictWord } from "./models";

/** Two models side by side, and what the change plan's rule says of the second. */
export function ComparisonPage({ a, b }: { a: string; b: string }) {
  const compared = useAsked(`compare ${a} ${b}`, () => api.compare(a, b));
  const role = useStore(me)?.role;
  return (
    <Loaded asked={compared} title="Comparison">
      {(comparison) => <Compared comparison={comparison} role={role} onChange={compared.again} />}
    </Loaded>
  );
}

function Compared({
  comparison,
  role,
  onChange,
}: {
  comparison: Comparison;
  role: string | undefined;
  onChange(): void;
}) {
  const { metrics, comparable, rule } = comparison;
  const both = [comparison.a, comparison.b];
  const b = comparison.b.id;
  const text = (metric: MetricValue | null) => (metric ? metricText(metric) : "not measured");
  return (
    <div class="page">
      <p>
        <a href="#/models">All models</a>
      </p>
      <h1 tabIndex={-1}>Comparison</h1>
      {comparable ? null : (
        <p class="note" role="note">
          They were measured on different test images: no difference between these numbers means anything.
        </p>
      )}
      <Table
        caption="Metrics of both on their test images, with 95 % intervals"
        heads={[
          "Metric",
          ...both.map(({ id, current }) => ({
            title: (
              <>
                <a class="code" href={link("models", id)}>
                  {id}
                </a>
                {current ? " (current)" : ""}
              </>
            ),
            numeric: true,
          })),
          { title: "Difference", numeric: true },
        ]}
      >
        <tr>
          <th scope="row">Verdict</th>
          {both.map((model) => (
            <td key={model.id} class={model.verdict?.fit ? "tone-clear" : "tone-unsure"}>
              {verdictWord(model)}
            </td>
          ))}
          <td />
        </tr>
        {metrics.map((metric) => (
          <tr key={metric.name}>
            <th scope="row">{METRICS.find(([key]) => key === metric.name)?.[1] ?? metric.name}</th>
            <td class="numeric">{text(metric.a)}</td>
            <td class="numeric">{text(metric.b)}</td>
            <td class="numeric">
              {metric.difference === null ? "\u2013" : `${metric.difference > 0 ? "+" : ""}${three(metric.difference)}`}
            </td>
          </tr>
        ))}
      </Table>
      <div class="row between">
        <p>
          <strong>
            {rule.promotes
              ? "The change plan's rule would promote it."
              : "The change plan's rule would not promote it."}
          </strong>{" "}
          {rule.reason}
        </p>
        {mayDecide(role) && rule.promotes ? <Promote id={b} onDone={onChange} /> : null}
      </div>
    </div>
  );
}
