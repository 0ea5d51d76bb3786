import type { Prediction } from "../../runtime/serve/schemas";
import { ApiError } from "./api";
import { sentenceOf } from "./asked";
import type { SlicePlace } from "./series";
import { announce, currentModel, knownNames, refreshModel } from "./session";
import { Store } from "./store";
import { send } from "./upload";

export type Progress =
  | { readonly state: "waiting"; readonly why?: string }
  /** Share of the bytes that are with the server; at 1 it reads and answers. */
  | { readonly state: "sending"; readonly share: number }
  | { readonly state: "answered"; readonly prediction: Prediction }
  | { readonly state: "refused"; readonly reason: string };

/** A file that the visitor gave, and what has become of it. */
export interface Scan {
  readonly key: number;
  readonly name: string;
  readonly file: Blob;
  /** Of a DICOM slice. */
  readonly place?: SlicePlace;
  readonly progress: Progress;
}

export const scans = new Store<readonly Scan[]>([]);

/** Predictions of the table of answers, in the order that it shows them: what is before and after the one that is open. */
export const shownOrder = new Store<readonly string[]>([]);

/** Files on their way at once: the server has a bound, and others ask too. */
const AT_ONCE = 2;
/** How often a file is sent again to a server that has no room. */
const TRIES = 20;

let keys = 0;
let running = 0;

/** Takes files in; their rows are there at once. */
export function takeIn(files: readonly Pick<Scan, "name" | "file" | "place">[]): void {
  if (files.length === 0) return;
  const added = files.map((file): Scan => ({ ...file, key: ++keys, progress: { state: "waiting" } }));
  scans.set([...scans.get(), ...added]);
  announce(added.length === 1 ? `${added[0]?.name} is being sent.` : `${added.length} files are being sent.`);
  work();
}

/** Sends a file that was refused once more. */
export function sendAgain(key: number): void {
  change(key, { state: "waiting" });
  work();
}

/** Takes rows away whose work is done. */
export function clearDone(): void {
  scans.set(scans.get().filter(({ progress }) => progress.state === "waiting" || progress.state === "sending"));
}

export const isBusy = (): boolean =>
  scans.get().some(({ progress }) => progress.state === "waiting" || progress.state === "sending");

addEventListener("beforeunload", (event) => {
  if (isBusy()) event.preventDefault();
});

const taken = new Set<number>();

function work(): void {
  while (running < AT_ONCE) {
    const next = scans.get().find(({ key, progress }) => progress.state === "waiting" && !taken.has(key));
    if (!next) return;
    running++;
    taken.add(next.key);
    void answer(next).finally(() => {
      running--;
      taken.delete(next.key);
      work();
      if (running === 0) sayWhatCame();
    });
  }
}

async function answer({ key, name, file }: Scan): Promise<void> {
  // A file that is sent again after its answer was lost on the way is the same request.
  const idempotency = newKey();
  for (let tried = 1; ; tried++) {
    change(key, { state: "sending", share: 0 });
    try {
      const prediction = await send(file, idempotency, (share) => change(key, { state: "sending", share }));
      knownNames.set(new Map([...knownNames.get(), [prediction.id, name]]));
      change(key, { state: "answered", prediction });
      if (prediction.model !== currentModel.get().model?.id) void refreshModel();
      return;
    } catch (error) {
      const wait = error instanceof ApiError ? error.retrySeconds : undefined;
      if (wait === undefined || tried === TRIES) return change(key, { state: "refused", reason: sentenceOf(error) });
      change(key, { state: "waiting", why: `The server is busy; this is sent again in ${wait} s.` });
      await new Promise((resolve) => setTimeout(resolve, 1000 * wait));
    }
  }
}

function change(key: number, progress: Progress): void {
  scans.set(scans.get().map((scan) => (scan.key === key ? { ...scan, progress } : scan)));
}

function sayWhatCame(): void {
  const all = scans.get();
  const last = all.at(-1);
  if (!last) return;
  const of = (state: Progress["state"]) => all.filter(({ progress }) => progress.state === state).length;
  const unfit = currentModel.get().model?.verdict.fit === false ? "Of a model that is not fit for use: " : "";
  if (all.length === 1 && last.progress.state === "answered") {
    const { decision, probability } = last.progress.prediction;
    announce(`${unfit}${last.name}: ${decision}, probability of Cancer ${(100 * probability).toFixed(1)} per cent.`);
  } else {
    announce(`${unfit}${of("answered")} of ${all.length} files are answered, ${of("refused")} refused.`);
  }
}

/** Works on pages that are not served over TLS too, where `crypto.randomUUID` is not there. */
const newKey = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
