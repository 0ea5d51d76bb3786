/** What went wrong, as the server or the page says it; read out at once. */
export function Failure({ sentence, onAgain }: { sentence: string; onAgain?: () => void }) {
  return (
    <div class="failure" role="alert">
      <p>{sentence}</p>
      {onAgain ? (
        <button type="button" class="quiet" onClick={onAgain}>
          Try again
        </button>
      ) : null}
    </div>
  );
}

export function Waiting({ what }: { what: string }) {
  return <p class="hint" role="status">{`${what} \u2026`}</p>;
}
