import type { CallerAnswer, Model } from "../../runtime/serve/schemas";
import { ApiError, api } from "./api";
import { sentenceOf } from "./asked";
import { Store } from "./store";

/** The model that answers now, or why none does. */
export const currentModel = new Store<{ readonly model?: Model; readonly error?: string }>({});

export async function refreshModel(): Promise<void> {
  try {
    currentModel.set({ model: await api.model() });
  } catch (error) {
    currentModel.set({ error: sentenceOf(error) });
  }
}

/** Seconds between looks at which model answers: somebody else may promote one. */
const REFRESH_SECONDS = 30;

export function followModel(): void {
  void refreshModel();
  setInterval(() => {
    if (!document.hidden) void refreshModel();
  }, REFRESH_SECONDS * 1000);
}

/** Who asks; undefined where the server does not say, and then it alone decides what is allowed. */
export const me = new Store<CallerAnswer | undefined>(undefined);

export async function askWhoAmI(): Promise<void> {
  try {
    me.set(await api.me());
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
  }
}

/** Names that the visitor's own files have, by prediction: the server keeps none. */
export const knownNames = new Store<ReadonlyMap<string, string>>(new Map());

/** What is said to who hears the page. */
export const announcement = new Store("");

export function announce(sentence: string): void {
  // The same sentence twice is heard twice.
  announcement.set(announcement.get() === sentence ? `${sentence}\u00a0` : sentence);
}
