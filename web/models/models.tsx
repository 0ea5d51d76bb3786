import { useState } from "preact/hooks";
import type { ModelItem, ModelList } from "../../runtime/serve/schemas";
import { api } from "../state/api";
import { useAsked } from "../state/asked";
import { link } from "../state/route";
import { announce, me, refreshModel } from "../state/session";
import { useStore } from "../state/store";
import { Confirmed } from "../ui/confirmed";
import { Loaded } from "../ui/loaded";
import { localTime, three, whole } from "../ui/numbers";
import { Table } from "../ui/table";
import { CanarySection } from "./canary";
import { ComparisonPage } from "./comparison";
import { ModelPage } from "./model";

export function ModelsRoom({ id, against }: { id: string | undefined; against: string | undefined }) {
  if (id && against) return <ComparisonPage key={`${id}/${against}`} a={id} b={against} />;
  if (id) return <ModelPage key={id} id={id} />;
  return <ModelsPage />;
}

function ModelsPage() {
  const models = useAsked("models", () => api.models());
  const role = useStore(me)?.role;
  return (
    <Loaded asked={models} title="Models">
      {(list) => <ModelsFound list={list} role={role} onChange={models.again} />}
    </Loaded>
  );
}

function ModelsFound({ list, role, onChange }: { list: ModelList; role: string | undefined; onChange(): void }) {
  const { items, current, canary } = list;
  return (
    <div class="page">
      <h1 tabIndex={-1}>Models</h1>
      {current ? (
        <div class="row between">
          <p>
            <strong>{current.model}</strong> answers since {localTime(current.promoted_at)}. {current.reason}
          </p>
          {current.previous && mayDecide(role) ? (
            <Confirmed
              label="Roll back"
              question={`Go back to ${current.previous}? It answers from then on, for everybody.`}
              act={async () => {
                const { reason } = await api.rollBack();
                await refreshModel();
                announce(reason);
                onChange();
              }}
            />
          ) : null}
        </div>
      ) : (
        <p class="note">No model answers. Train one with npm run train, or promote one below.</p>
      )}
      {canary ? <CanarySection canary={canary} /> : null}
      <ModelTable items={items} tried={canary?.next ? canary.candidate : undefined} />
      {items.length > 1 ? <Compare items={items} /> : null}
    </div>
  );
}

/** Where the server does not say who asks, it alone decides. */
export const mayDecide = (role: string | undefined): boolean => role === undefined || role === "admin";

/** @param tried the model that is tried out beside the current one */
function ModelTable({ items, tried }: { items: readonly ModelItem[]; tried: string | undefined }) {
  return (
    <Table
      caption="Models, the newest first"
      heads={[
        "Model",
        "Verdict",
        { title: "AUC", numeric: true },
        { title: "Accuracy", numeric: true },
        { title: "Test images", numeric: true },
        { title: "Learnt from", numeric: true },
        "Published",
      ]}
    >
      {items.map((item) => (
        <tr key={item.id} class={item.current ? "current" : ""}>
          <th scope="row">
            <a class="code" href={link("models", item.id)}>
              {item.id}
            </a>
            {item.current ? <span class="tag">current</span> : null}
            {item.previous ? <span class="tag">previous</span> : null}
            {item.id === tried ? <span class="tag">on trial</span> : null}
            {item.usable ? null : <p class="reason">{item.problem}</p>}
          </th>
          <td class={item.verdict?.fit ? "tone-clear" : "tone-unsure"}>{verdictWord(item)}</td>
          <td class="numeric">{item.test?.auc == null ? "\u2013" : three(item.test.auc)}</td>
          <td class="numeric">{item.test?.accuracy == null ? "\u2013" : three(item.test.accuracy)}</td>
          <td class="numeric">{item.test ? whole(item.test.n) : "\u2013"}</td>
          <td class="numeric">{item.trained_on === null ? "\u2013" : whole(item.trained_on)}</td>
          <td class="nowrap">{item.published_at ? localTime(item.published_at) : "\u2013"}</td>
        </tr>
      ))}
    </Table>
  );
}

export function verdictWord({ verdict }: Pick<ModelItem, "verdict">): string {
  if (!verdict) return "not evaluated";
  return verdict.fit ? "fit for research" : "not fit for use";
}

function Compare({ items }: { items: readonly ModelItem[] }) {
  const [a, setA] = useState(items.find(({ current }) => current)?.id ?? items[0]?.id ?? "");
  const [b, setB] = useState(items.find(({ id }) => id !== a)?.id ?? "");
  const choice = (label: string, value: string, onValue: (id: string) => void) => (
    <label>
      {label}
      <select value={value} onChange={({ currentTarget }) => onValue(currentTarget.value)}>
        {items.map(({ id }) => (
          <option key={id}>{id}</option>
        ))}
      </select>
    </label>
  );
  return (
    <section aria-labelledby="compare-title">
      <h2 id="compare-title">Compare two</h2>
      <form
        class="filters"
        onSubmit={(event) => {
          event.preventDefault();
          location.hash = link("models", a, b);
        }}
      >
        {choice("This", a, setA)}
        {choice("with", b, setB)}
        <button type="submit" class="quiet" disabled={a === b}>
          Compare
        </button>
      </form>
    </section>
  );
}

/** Makes a model the current one, after a question; the change plan's rule has the last word. */
export function Promote({ id, onDone }: { id: string; onDone(): void }) {
  return (
    <Confirmed
      label="Promote"
      question={`Let ${id} answer from now on, for everybody? The change plan's rule may refuse it.`}
      act={async () => {
        const { reason } = await api.promote(id);
        await refreshModel();
        announce(reason);
        onDone();
      }}
    />
  );
}
