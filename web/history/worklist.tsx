import { TONES } from "../scans/answer";
import { api } from "../state/api";
import { useAsked } from "../state/asked";
import { Failure, Waiting } from "../ui/messages";
import { counted, localTime, percent } from "../ui/numbers";
import { Table } from "../ui/table";
import { Name } from "./name";

/** What a person should look at first, and why; what people have said something of is not among them. */
export function Worklist() {
  const { value, error, again } = useAsked("worklist", (signal) => api.worklist(signal));
  if (error) return <Failure sentence={error} onAgain={again} />;
  if (!value) return <Waiting what="The worklist is being made" />;
  const { items, more, looked_at, complete } = value;
  const among = `${counted(looked_at, "scan")}${complete ? "" : ", the newest"}`;
  return (
    <>
      <p role="status" class="hint">
        {items.length === 0
          ? `Nothing needs a look among ${among}.`
          : `${counted(items.length, "answer")} to look at among ${among}${more > 0 ? `; ${more} more follow` : ""}.`}
      </p>
      {items.length > 0 ? (
        <Table
          caption="Answers to look at, the most pressing first"
          heads={["Prediction", "Why", "Decision", { title: "Probability", numeric: true }, "Answered"]}
        >
          {items.map((item) => (
            <tr key={item.request}>
              <th scope="row">
                <Name item={item} />
              </th>
              <td class="comment-cell">{item.reasons.map(({ sentence }) => sentence).join(" ")}</td>
              <td class={TONES[item.decision]}>{item.decision}</td>
              <td class="numeric">{percent(item.probability)}</td>
              <td class="nowrap">{localTime(item.answered_at)}</td>
            </tr>
          ))}
        </Table>
      ) : null}
    </>
  );
}
