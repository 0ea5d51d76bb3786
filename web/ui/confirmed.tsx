import { useId, useRef, useState } from "preact/hooks";
import { sentenceOf } from "../state/asked";
import { Failure } from "./messages";

/** A button whose act is asked about first, in the browser's own dialog element: it keeps the focus and gives it back. */
export function Confirmed({ label, question, act }: { label: string; question: string; act(): Promise<void> }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const ids = useId();
  const [state, setState] = useState<{ busy?: boolean; error?: string }>({});
  const confirm = async () => {
    setState({ busy: true });
    try {
      await act();
      setState({});
      dialog.current?.close();
    } catch (error) {
      setState({ error: sentenceOf(error) });
    }
  };
  return (
    <>
      <button
        type="button"
        onClick={() => {
          setState({});
          dialog.current?.showModal();
        }}
      >
        {label}
      </button>
      <dialog ref={dialog} aria-labelledby={`${ids}question`}>
        <p id={`${ids}question`}>{question}</p>
        {state.error ? <Failure sentence={state.error} /> : null}
        <div class="row">
          <button type="button" class="quiet" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="button" disabled={state.busy === true} onClick={confirm}>
            {label}
          </button>
        </div>
      </dialog>
    </>
  );
}
