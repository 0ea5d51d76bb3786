import { useEffect, useRef, useState } from "preact/hooks";
import { takeIn } from "../state/answers";
import { api } from "../state/api";
import { sentenceOf, useAsked } from "../state/asked";
import { chosenFiles, droppedFiles, type NamedFile, scansAmong } from "../state/files";
import { inSeries } from "../state/series";
import { Failure } from "../ui/messages";
import { counted } from "../ui/numbers";

const ACCEPTED = ".jpg,.jpeg,.png,.tif,.tiff,.bmp,.webp,.dcm,application/dicom,image/*";

/** Ways for scans to come in: dropped anywhere on the page, chosen, or a sample. */
export function Intake() {
  const [over, setOver] = useState(false);
  const [error, setError] = useState<string>();
  const [leftOut, setLeftOut] = useState(0);
  const take = (files: readonly NamedFile[]) => {
    const { scans, leftOut } = scansAmong(files);
    setError(files.length === 0 ? "There is no file in what was dropped." : undefined);
    setLeftOut(leftOut);
    inSeries(scans).then(takeIn, () => setError("A file cannot be read. Choose the files again."));
  };
  useEffect(() => {
    const onDrag = (event: DragEvent) => {
      event.preventDefault();
      setOver(event.type !== "dragleave" || event.relatedTarget !== null);
    };
    const onDrop = (event: DragEvent) => {
      event.preventDefault();
      setOver(false);
      if (!event.dataTransfer) return;
      droppedFiles(event.dataTransfer).then(take, () =>
        setError("What was dropped cannot be read. Choose the files or the folder by the buttons instead."),
      );
    };
    const listeners = { dragenter: onDrag, dragover: onDrag, dragleave: onDrag, drop: onDrop } as const;
    for (const [type, listener] of Object.entries(listeners)) addEventListener(type as "drop", listener);
    return () => {
      for (const [type, listener] of Object.entries(listeners)) removeEventListener(type as "drop", listener);
    };
  }, []);
  return (
    <section class={over ? "intake over" : "intake"} aria-labelledby="intake-title">
      <h2 id="intake-title">Scans</h2>
      <p class="hint">
        Drop files or a folder anywhere on this page: DICOM (MR), NIfTI, JPEG, PNG, TIFF, BMP or WebP. They are sent to
        this server only.
      </p>
      <div class="row">
        <Chooser label="Choose files" onFiles={take} />
        <Chooser label="Choose a folder" folder onFiles={take} />
      </div>
      {error ? <Failure sentence={error} /> : null}
      {leftOut > 0 ? (
        <p class="hint" role="status">
          Left out: {counted(leftOut, "file")} (lesion masks, manifest.csv) beside the scans.
        </p>
      ) : null}
      <Samples />
    </section>
  );
}

/** A button that opens the system's dialog. */
function Chooser({
  label,
  folder = false,
  onFiles,
}: {
  label: string;
  folder?: boolean;
  onFiles(files: readonly NamedFile[]): void;
}) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" class={folder ? "quiet" : ""} onClick={() => input.current?.click()}>
        {label}
      </button>
      <input
        ref={(element) => {
          input.current = element;
          if (element && folder) element.webkitdirectory = true;
        }}
        type="file"
        multiple
        hidden
        {...(folder ? {} : { accept: ACCEPTED })}
        aria-label={label}
        onChange={({ currentTarget }) => {
          onFiles(chosenFiles(currentTarget.files));
          // The same file can be chosen again.
          currentTarget.value = "";
        }}
      />
    </>
  );
}

function Samples() {
  const { value } = useAsked("samples", () => api.samples());
  const [state, setState] = useState<{ loading?: boolean; error?: string }>({});
  if (!value || value.items.length === 0) return null;
  const load = async () => {
    setState({ loading: true });
    try {
      const files = value.items.map(async ({ name, path }) => ({ name, file: await api.file(path) }));
      takeIn(await Promise.all(files));
      setState({});
    } catch (error) {
      setState({ error: sentenceOf(error) });
    }
  };
  return (
    <div class="samples">
      <button type="button" class="quiet" disabled={state.loading === true} onClick={load}>
        Try {value.items.length} sample scans
      </button>
      <span class="hint">Drawn phantoms: no patient, and no evidence.</span>
      {state.error ? <Failure sentence={state.error} /> : null}
    </div>
  );
}
