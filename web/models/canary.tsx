import type { ModelList } from "../../runtime/serve/schemas";
import { link } from "../state/route";
import { localTime } from "../ui/numbers";
import { Table } from "../ui/table";

type Canary = NonNullable<ModelList["canary"]>;
type Judged = NonNullable<Canary["judged"]>;

/** A model that is tried out beside the current one: where, since when, what the test says so far, and what to do next. */
export function CanarySection({ canary }: { canary: Canary }) {
  const { candidate, judged, next, reason } = canary;
  const name = (
    <a class="code" href={link("models", candidate)}>
      {candidate}
    </a>
  );
  return (
    <section aria-labelledby="canary-title">
      <h2 id="canary-title">{next ? "On trial" : "Tried out last"}</h2>
      <p>
        {name} {standing(canary)}
      </p>
      {next ? null : <p class="hint">{reason}</p>}
      {judged && judged.findings.length > 0 ? <Findings judged={judged} /> : null}
      {next ? (
        <div
          class={judged?.outcome === "rollback" ? "note bad standing" : "note standing"}
          role="note"
          aria-label="What to do next"
        >
          <p>
            <strong>{next.sentence}</strong>
          </p>
          <ul>
            {next.commands.map((command) => (
              <li key={command}>
                <code class="code">{command}</code>
              </li>
            ))}
          </ul>
        </div>
      ) : null}
    </section>
  );
}

function standing({ stable, mode, state, share, started_at, share_since }: Canary): string {
  const begun = `since ${localTime(started_at)}`;
  if (state === "promoted") return `was tried out beside ${stable} ${begun}, and promoted.`;
  if (state === "rolled-back") return `was tried out beside ${stable} ${begun}, and taken back by the change plan.`;
  if (state === "aborted") return `was tried out beside ${stable} ${begun}, and taken back by a person.`;
  if (state === "starting") return `is being started beside ${stable} ${begun}.`;
  return mode === "shadow"
    ? `is asked beside ${stable} ${begun}, as a shadow: it answers nobody.`
    : `answers ${share} % of the requests beside ${stable} since ${localTime(share_since)}; it was begun ${localTime(started_at)}.`;
}

const WORDS: Readonly<Record<Judged["findings"][number]["state"], readonly [word: string, tone: string]>> = {
  held: ["held", "tone-clear"],
  open: ["not shown yet", "tone-unsure"],
  broken: ["broken", "tone-cancer"],
};

function Findings({ judged: { at, findings } }: { judged: Judged }) {
  return (
    <Table caption={`What the change plan's test said at ${localTime(at)}`} seen heads={["Clause", "Shown", "Finding"]}>
      {findings.map(({ clause, state, sentence }) => {
        const [word, tone] = WORDS[state];
        return (
          <tr key={clause}>
            <th scope="row" class="nowrap">
              {clause}
            </th>
            <td class={`nowrap ${tone}`}>{word}</td>
            <td>{sentence}</td>
          </tr>
        );
      })}
    </Table>
  );
}
