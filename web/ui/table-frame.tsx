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
