import type { HistoryItem } from "../../runtime/serve/schemas";
import { nameOf } from "../state/csv";
import { link } from "../state/route";

/** A link where the answer can still be opened. */
export function Name({ item: { id, kept } }: { item: HistoryItem }) {
  const name = nameOf(id);
  const text = name ? `${name} (${id.slice(0, 8)})` : id.slice(0, 12);
  return kept ? (
    <a class="row-link" href={link("history", id)} title={id}>
      {text}
    </a>
  ) : (
    <>
      {text} <span class="hint">no longer kept</span>
    </>
  );
}
