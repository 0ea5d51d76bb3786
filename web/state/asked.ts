import { useCallback, useEffect, useState } from "preact/hooks";

/** What has been asked for: on its way, there, or refused with a sentence. */
export interface Asked<T> {
  readonly value: T | undefined;
  readonly error: string | undefined;
  readonly waiting: boolean;
  /** Asks once more. */
  again(): void;
}

/** Asks whenever `key` changes; what comes for an earlier key is dropped. */
export function useAsked<T>(key: string, ask: (signal: AbortSignal) => Promise<T>): Asked<T> {
  const [turn, setTurn] = useState(0);
  const [state, setState] = useState<{ key: string; value?: T; error?: string; waiting: boolean }>({
    key,
    waiting: true,
  });
  // The key stands for what is asked, and a turn for once more.
  useEffect(() => {
    const leaving = new AbortController();
    setState((before) => ({
      ...(before.key === key && before.value !== undefined ? { value: before.value } : {}),
      key,
      waiting: true,
    }));
    ask(leaving.signal).then(
      (value) => {
        if (!leaving.signal.aborted) setState({ key, value, waiting: false });
      },
      (error: unknown) => {
        if (!leaving.signal.aborted) setState({ key, error: sentenceOf(error), waiting: false });
      },
    );
    return () => leaving.abort();
  }, [key, turn]);
  const again = useCallback(() => setTurn((before) => before + 1), []);
  const mine = state.key === key;
  return {
    value: mine ? state.value : undefined,
    error: mine ? state.error : undefined,
    waiting: mine ? state.waiting : true,
    again,
  };
}

export const sentenceOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
