import { Store } from "./store";

/** Where the visitor is: the part of the address behind `#/`. */
export type Route =
  | { readonly room: "scans"; readonly id?: string }
  | { readonly room: "history"; readonly id?: string; readonly queue?: "disagreements" | "worklist" }
  /** The answer of a whole study, by its pseudonym. */
  | { readonly room: "history"; readonly study: string }
  | { readonly room: "monitoring"; readonly id?: string }
  | { readonly room: "models"; readonly id?: string; readonly against?: string };

function parse(hash: string): Route {
  const [room, ...rest] = hash.replace(/^#\/?/, "").split("/").map(decoded);
  const [first, second] = rest;
  if (room === "history" && first === "study" && second) return { room, study: second };
  if (room === "history") {
    if (first === "disagreements" || first === "worklist") return { room, queue: first };
    return first ? { room, id: first } : { room };
  }
  if (room === "monitoring") return first ? { room, id: first } : { room };
  if (room === "models") {
    if (first && second) return { room, id: first, against: second };
    return first ? { room, id: first } : { room };
  }
  return first ? { room: "scans", id: first } : { room: "scans" };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const route = new Store<Route>(parse(location.hash));
addEventListener("hashchange", () => route.set(parse(location.hash)));

export const link = (...parts: readonly string[]): string => `#/${parts.map(encodeURIComponent).join("/")}`;
export const go = (...parts: readonly string[]): void => {
  location.hash = link(...parts);
};
