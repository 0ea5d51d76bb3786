import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Prediction } from "../../runtime/serve/schemas";
import { api } from "../state/api";
import { useAsked } from "../state/asked";
import { Failure } from "../ui/messages";
import { heatOf } from "./heat";
import { canvasOf, paint } from "./paint";
import { decodeGreyPng, type Page } from "./png";
import { ReportMenu } from "./report-menu";
import { Strip } from "./strip";
import { FITTED, moved, placeOf, type Size, type View, zoomed } from "./view";
import { automaticWindow, fullWindow, rangeOf, type Window, windowed } from "./window";

const STEP = 1.25;
const MOVE = 40;

/** The scan itself, with what the model saw in it. */
export function Viewer({ prediction, name }: { prediction: Prediction; name: string }) {
  const { slices, map: place, page: suspicious, decision } = prediction;
  const [index, setIndex] = useState(() =>
    Math.max(
      0,
      slices.findIndex(({ page }) => page === suspicious),
    ),
  );
  const slice = slices[index];
  const page = useAsked(slice?.pixels ?? "", async (signal) =>
    slice ? decodeGreyPng(await api.pixels(slice.pixels, signal)) : undefined,
  );
  const map = useAsked(place.path, (signal) => api.map(place.path, signal));
  const [window, setWindow] = useState<Window>();
  const [view, setView] = useState<View>(FITTED);
  const [drawn, setDrawn] = useState(decision !== "Non-Cancer");
  const [opacity, setOpacity] = useState(0.6);
  const [marked, setMarked] = useState(decision !== "Non-Cancer");
  const ids = useId();

  // A window that was set stays while pages of one depth are scrolled through.
  const shown = page.value;
  const automatic = useMemo(() => shown && automaticWindow(shown), [shown]);
  const highest = useMemo(() => (shown ? rangeOf(shown).highest : 1), [shown]);
  const depth = useRef(shown?.depth);
  useEffect(() => {
    if (shown && depth.current !== shown.depth) {
      depth.current = shown.depth;
      setWindow(undefined);
    }
  }, [shown]);
  const through = window ?? automatic;

  const onMap = slice?.page === place.page;
  const heat = useMemo(() => map.value && canvasOf(heatOf(map.value)), [map.value]);
  const turn = (by: number) => setIndex((before) => Math.min(slices.length - 1, Math.max(0, before + by)));
  const change = (next: Partial<Window>) => {
    if (through && shown) setWindow(clamped({ ...through, ...next }, shown));
  };

  if (!slice) return <p class="note">No page of this scan was answered.</p>;
  return (
    <section class="viewer" aria-labelledby={`${ids}title`}>
      <h3 id={`${ids}title`} class="hidden">
        Scan
      </h3>
      <div class="viewer-main">
        <Stage
          name={name}
          description={`Page ${slice.page} of ${name}, ${slice.width} x ${slice.height} pixels${drawn && onMap ? ", with the places that speak for Cancer" : ""}`}
          page={shown}
          through={through}
          heat={drawn && onMap ? heat : undefined}
          opacity={opacity}
          peak={marked && onMap ? prediction.peak : undefined}
          view={view}
          onView={setView}
          onTurn={slices.length > 1 ? turn : undefined}
          onWindow={change}
        />
        {page.error ? <Failure sentence={page.error} onAgain={page.again} /> : null}
        <Strip
          items={slices.map(({ page: number, probability }) => ({ title: `Page ${number}`, probability }))}
          of={prediction}
          name="page"
          suspicious={slices.findIndex(({ page: number }) => number === suspicious)}
          index={index}
          onIndex={setIndex}
        />
      </div>
      <div class="viewer-tools">
        <figure class="seen">
          <img
            src={
              slice.page === suspicious ? prediction.pictures.seen : `${prediction.pictures.seen}?page=${slice.page}`
            }
            width="128"
            height="128"
            alt={`What the model saw of page ${slice.page}`}
          />
          <figcaption>What the model saw: 128 x 128{slices.length > 1 ? `, page ${slice.page}` : ""}</figcaption>
        </figure>
        <fieldset>
          <legend>Map</legend>
          <label>
            <input type="checkbox" checked={drawn} onChange={({ currentTarget }) => setDrawn(currentTarget.checked)} />
            Evidence for Cancer
          </label>
          <label class="range">
            Opacity {Math.round(100 * opacity)} %
            <input
              type="range"
              min={0}
              max={100}
              value={Math.round(100 * opacity)}
              disabled={!drawn}
              onInput={({ currentTarget }) => setOpacity(Number(currentTarget.value) / 100)}
            />
          </label>
          <label>
            <input
              type="checkbox"
              checked={marked}
              onChange={({ currentTarget }) => setMarked(currentTarget.checked)}
            />
            Strongest place (x {prediction.peak.x}, y {prediction.peak.y})
          </label>
          {map.error ? <Failure sentence={map.error} onAgain={map.again} /> : null}
          {decision === "Non-Cancer" && !drawn ? (
            <p class="hint">
              Not drawn by itself: the decision is Non-Cancer, and the map shows what speaks for Cancer.
            </p>
          ) : null}
          {!onMap ? (
            <button
              type="button"
              class="quiet"
              onClick={() => setIndex(slices.findIndex(({ page: n }) => n === place.page))}
            >
              The map is of page {place.page}: show it
            </button>
          ) : null}
        </fieldset>
        {shown && through ? (
          <fieldset>
            <legend>Window</legend>
            <WindowRange
              label="Level"
              value={through.level}
              least={0}
              most={highest}
              onValue={(level) => change({ level })}
            />
            <WindowRange
              label="Width"
              value={through.width}
              least={1}
              most={highest}
              onValue={(width) => change({ width })}
            />
            <div class="row">
              <button type="button" class="quiet" onClick={() => setWindow(undefined)}>
                Automatic
              </button>
              <button type="button" class="quiet" onClick={() => setWindow(fullWindow(shown))}>
                All values
              </button>
            </div>
          </fieldset>
        ) : null}
        <ReportMenu reports={prediction.reports} />
        <p class="hint">
          Drag: window and level (with Shift: move). Wheel: {slices.length > 1 ? "pages (with Ctrl: zoom)" : "zoom"}.
          Keys on the picture: arrows, +, -, 0{slices.length > 1 ? ", Page Up, Page Down" : ""}.
        </p>
      </div>
    </section>
  );
}

function clamped({ level, width }: Window, { depth }: Page): Window {
  const most = 2 ** depth - 1;
  return {
    level: Math.round(Math.min(most, Math.max(0, level))),
    width: Math.round(Math.min(most, Math.max(1, width))),
  };
}

function WindowRange(props: {
  label: string;
  value: number;
  least: number;
  most: number;
  onValue(value: number): void;
}) {
  return (
    <label class="range">
      {props.label} {props.value}
      <input
        type="range"
        min={props.least}
        max={props.most}
        value={props.value}
        onInput={({ currentTarget }) => props.onValue(Number(currentTarget.value))}
      />
    </label>
  );
}

interface StageProps {
  readonly name: string;
  readonly description: string;
  readonly page: Page | undefined;
  readonly through: Window | undefined;
  readonly heat: HTMLCanvasElement | undefined;
  readonly opacity: number;
  readonly peak: Prediction["peak"] | undefined;
  readonly view: View;
  onView(view: View): void;
  /** Pages forward; undefined where there is one only. */
  readonly onTurn: ((by: number) => void) | undefined;
  onWindow(next: Partial<Window>): void;
}

/** The canvas, and what a hand or a key does on it. */
function Stage(props: StageProps) {
  const { page, through, heat, opacity, peak, view } = props;
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = () => setSize({ width: element.clientWidth, height: element.clientHeight });
    const watcher = new ResizeObserver(measure);
    watcher.observe(element);
    measure();
    return () => watcher.disconnect();
  }, []);

  const picture = useMemo(() => page && through && canvasOf(windowed(page, through)), [page, through]);
  useLayoutEffect(() => {
    if (canvas.current && picture && size.width > 0)
      paint(canvas.current, size, { page: picture, heat, opacity, peak }, view);
  }, [picture, heat, opacity, peak, view, size]);

  // A listener that may keep the page from scrolling has to say so, which attributes cannot.
  const latest = useRef(props);
  latest.current = props;
  const measured = useRef(size);
  measured.current = size;
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const onWheel = (event: WheelEvent) => {
      const { onTurn, onView, view: before } = latest.current;
      event.preventDefault();
      if (onTurn && !event.ctrlKey) return onTurn(Math.sign(event.deltaY));
      const { left, top } = element.getBoundingClientRect();
      onView(
        zoomed(before, event.deltaY < 0 ? STEP : 1 / STEP, measured.current, {
          x: event.clientX - left,
          y: event.clientY - top,
        }),
      );
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, []);

  const drag = useRef<{ x: number; y: number } | undefined>(undefined);
  const onMove = (event: PointerEvent) => {
    const from = drag.current;
    if (!from || !page || !through) return;
    const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
    drag.current = { x: event.clientX, y: event.clientY };
    if (event.shiftKey || event.pointerType === "touch") return props.onView(moved(view, dx, dy, size));
    // As far as the window is wide, so that a hand is as exact as what is looked at.
    const step = Math.max(0.5, through.width / 256);
    props.onWindow({ width: through.width + dx * step, level: through.level - dy * step });
  };

  const zoom = (factor: number) => props.onView(zoomed(view, factor, size));
  const move = (dx: number, dy: number) => props.onView(moved(view, dx, dy, size));
  const keys: Readonly<Record<string, () => void>> = {
    "+": () => zoom(STEP),
    "=": () => zoom(STEP),
    "-": () => zoom(1 / STEP),
    "0": () => props.onView(FITTED),
    ArrowLeft: () => move(MOVE, 0),
    ArrowRight: () => move(-MOVE, 0),
    ArrowUp: () => move(0, MOVE),
    ArrowDown: () => move(0, -MOVE),
    ...(props.onTurn ? { PageDown: () => props.onTurn?.(1), PageUp: () => props.onTurn?.(-1) } : {}),
  };
  const place = picture && placeOf(picture, size, view);
  return (
    <div class="stage-frame">
      <div
        ref={box}
        class="stage"
        role="application"
        aria-roledescription="picture with keys"
        aria-label={`${props.description}. Arrows move, plus and minus zoom, 0 fits${props.onTurn ? ", Page Up and Page Down turn pages" : ""}.`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: with this role it takes keys: pages, zoom and place.
        tabIndex={0}
        onKeyDown={(event) => {
          const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
          if (!act) return;
          event.preventDefault();
          act();
        }}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          drag.current = { x: event.clientX, y: event.clientY };
          event.currentTarget.setPointerCapture(event.pointerId);
        }}
        onPointerMove={onMove}
        onPointerUp={() => {
          drag.current = undefined;
        }}
        onDblClick={() => props.onView(FITTED)}
      >
        <canvas
          ref={canvas}
          data-ready={picture ? "yes" : "no"}
          data-map={picture && heat ? "yes" : "no"}
          data-scale={place?.scale.toFixed(3)}
        />
      </div>
      <div class="stage-buttons">
        <button type="button" aria-label="Zoom in" title="Zoom in (+)" onClick={() => zoom(STEP)}>
          +
        </button>
        <button type="button" aria-label="Zoom out" title="Zoom out (-)" onClick={() => zoom(1 / STEP)}>
          &minus;
        </button>
        <button type="button" aria-label="Fit the whole page" title="Fit (0)" onClick={() => props.onView(FITTED)}>
          Fit
        </button>
      </div>
    </div>
  );
}
