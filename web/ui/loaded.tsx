import type { ComponentChildren } from "preact";
import type { Asked } from "../state/asked";
import { Failure, Waiting } from "./messages";

/** A page that is made of one answer; until it is there, or where it is refused, it has its head all the same. */
export function Loaded<T>({
  asked,
  title,
  children,
}: {
  asked: Asked<T>;
  title: string;
  children: (value: T) => ComponentChildren;
}) {
  if (asked.value !== undefined && !asked.error) return <>{children(asked.value)}</>;
  return (
    <div class="page">
      <h1 tabIndex={-1}>{title}</h1>
      {asked.error ? <Failure sentence={asked.error} onAgain={asked.again} /> : <Waiting what="It is being fetched" />}
    </div>
  );
}
