import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

/** Lets a table be wider or longer than its place; what scrolls can be reached and scrolled by keys. */
export function TableFrame({ children }: { children: ComponentChildren }) {
  const frame = useRef<HTMLDivElement>(null);
  const [scrolls, setScrolls] = useState(false);
  useLayoutEffect(() => {
    const element = frame.current;
    if (!element) return;
    const measure = () =>
      setScrolls(element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight);
    const watcher = new ResizeObserver(measure);
    watcher.observe(element);
    if (element.firstElementChild) watcher.observe(element.firstElementChild);
    return () => watcher.disconnect();
  }, []);
  const reachable = scrolls ? { tabIndex: 0, role: "group" as const, "aria-label": "Table that scrolls" } : {};
  return (
    <div ref={frame} class="table-frame" {...reachable}>
      {children}
    </div>
  );
}

/** The head of a column: what it says, and whether numbers stand below it. */
export type Head = string | { readonly title: ComponentChildren; readonly numeric?: boolean };

/** A table in its frame: its name, which is heard and at wish seen, the heads of its columns, and rows. */
export function Table({
  caption,
  seen = false,
  heads,
  children,
}: {
  caption: string;
  seen?: boolean;
  heads: readonly Head[];
  children: ComponentChildren;
}) {
  return (
    <TableFrame>
      <table>
        <caption class={seen ? "" : "hidden"}>{caption}</caption>
        <thead>
          <tr>
            {heads.map((head, i) => {
              const { title, numeric = false } = typeof head === "string" ? { title: head } : head;
              return title === "" ? (
                <td key={i} />
              ) : (
                <th key={i} scope="col" class={numeric ? "numeric" : ""}>
                  {title}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </TableFrame>
  );
}
