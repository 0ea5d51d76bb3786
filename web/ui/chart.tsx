import { useEffect, useId, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useStore } from "../state/store";
import { theme } from "../state/theme";
import { Table } from "./table";

interface Axis {
  readonly label: string;
  readonly min?: number;
  readonly max?: number;
  /** It has whole numbers only. */
  readonly whole?: boolean;
  /** Each step ten times the one before; takes `min` and `max`. */
  readonly log?: boolean;
  /** How a number is written, beside the axis and in the table. @default as it is */
  readonly text?: (value: number) => string;
}

export type Marks = readonly { readonly x: number; readonly y: number; readonly label: string }[];

interface ChartProps {
  readonly title: string;
  /** What it shows, for everybody; the numbers stand in a table below it too. */
  readonly text: string;
  readonly data: uPlot.AlignedData;
  readonly series: readonly string[];
  readonly x: Axis;
  readonly y: Axis;
  readonly diagonal?: boolean;
  readonly points?: boolean;
  readonly bars?: boolean;
  readonly marks?: Marks;
  /** The second and the third series are the ends of an interval of the first. */
  readonly band?: boolean;
  /** A line across, where something begins. */
  readonly level?: number;
}

const HEIGHT = 260;
const MOST_WIDTH = 440;

/** A plot that the page draws, with its numbers as a table for who does not see it. */
export function Chart(props: ChartProps) {
  const { title, text, data, series, x } = props;
  const place = useRef<HTMLDivElement>(null);
  const ids = useId();
  const chosen = useStore(theme);
  // What is drawn is new for each model, and colours are the theme's.
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    let plot: uPlot | undefined;
    const draw = () => {
      plot?.destroy();
      plot = new uPlot(optionsOf(props, element), data, element);
    };
    draw();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", draw);
    const watcher = new ResizeObserver(() => plot?.setSize({ width: widthOf(element), height: HEIGHT }));
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      dark.removeEventListener("change", draw);
      plot?.destroy();
    };
  }, [data, chosen]);
  return (
    <figure class="chart" aria-labelledby={`${ids}title`}>
      <h3 id={`${ids}title`}>{title}</h3>
      <div ref={place} class="chart-place" aria-hidden="true" />
      <figcaption>{text}</figcaption>
      <details>
        <summary>
          Numbers<span class="hidden"> of {title}</span>
        </summary>
        <Table
          caption={`Numbers of ${title}`}
          heads={[x.label, ...series].map((name) => ({ title: name, numeric: true }))}
        >
          {sampled(data).map((row, i) => (
            <tr key={i}>
              {row.map((value, j) => (
                <td key={j} class="numeric">
                  {value === null ? "\u2013" : j === 0 && x.text ? x.text(value) : Number(value.toFixed(4))}
                </td>
              ))}
            </tr>
          ))}
        </Table>
      </details>
    </figure>
  );
}

const MOST_ROWS = 60;

/** At most some rows, evenly taken: a curve may have a thousand points. */
function sampled(data: uPlot.AlignedData): (number | null)[][] {
  const length = data[0].length;
  const rows = Math.min(MOST_ROWS, length);
  return Array.from({ length: rows }, (_, i) => {
    const at = rows < 2 ? 0 : Math.round((i * (length - 1)) / (rows - 1));
    return data.map((column) => column[at] ?? null);
  });
}

const widthOf = (element: HTMLElement) => Math.max(200, Math.min(MOST_WIDTH, element.clientWidth));

const COLOURS = ["--plot-ink", "--plot-grid", "--surface", "--plot-first", "--plot-second", "--plot-third"] as const;
const DASHES: readonly (readonly number[])[] = [[], [6, 4], [2, 4]];

/** The theme's colours in the form that a canvas takes: a property's own value may still be a pair of which one holds. */
function coloursOf(element: HTMLElement): readonly [string, string, string, ...string[]] {
  const probe = element.appendChild(document.createElement("span"));
  const colours = COLOURS.map((name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  });
  probe.remove();
  return colours as unknown as readonly [string, string, string, ...string[]];
}

function optionsOf(props: ChartProps, element: HTMLElement): uPlot.Options {
  const [ink, grid, ground, ...strokes] = coloursOf(element);
  const axis = ({ label, whole, text }: Axis): uPlot.Axis => ({
    label,
    ...(whole ? { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] } : {}),
    ...(text ? { values: (_, splits) => splits.map((value) => (value === null ? "" : text(value))) } : {}),
    labelSize: 22,
    stroke: ink,
    font: "12px system-ui, sans-serif",
    labelFont: "12px system-ui, sans-serif",
    grid: { stroke: grid, width: 1 },
    ticks: { stroke: grid, width: 1 },
  });
  const range =
    ({ min, max }: Axis): uPlot.Range.Function =>
    (_, low, high) => {
      const [from, to] = [min ?? low, max ?? (min === undefined ? high : high * 1.05)];
      return to > from ? [from, to] : [from - 0.5, from + 0.5];
    };
  const first = strokes[0] ?? ink;
  const paths = props.bars ? uPlot.paths.bars?.({ size: [0.9] }) : undefined;
  return {
    width: widthOf(element),
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: range(props.x) },
      y: { range: range(props.y), ...(props.y.log ? { distr: 3 as const } : {}) },
    },
    axes: [axis(props.x), axis(props.y)],
    series: [
      {},
      ...props.series.map((label, i): uPlot.Series => {
        const end = props.band === true && i > 0;
        const stroke = (end ? first : strokes[i]) ?? ink;
        return {
          label,
          stroke,
          width: end ? 1 : 2,
          ...(props.bars ? { fill: stroke } : {}),
          ...(paths ? { paths } : {}),
          points: { show: props.points === true && !end, size: 6, fill: stroke },
          ...(i > 0 && !props.bars ? { dash: [...(DASHES[end ? 2 : i] ?? [])] } : {}),
        };
      }),
    ],
    ...(props.band ? { bands: [{ series: [3, 2], fill: translucent(first) }] } : {}),
    hooks: { draw: [(plot) => decorate(plot, props, ink, ground)] },
  };
}

/** A colour as the browser computes it, seen through. */
const translucent = (colour: string) => colour.replace(/^rgb\((.*)\)$/, "rgba($1, 0.18)");

/** The diagonal of chance, the level, and marks with their names. */
function decorate(plot: uPlot, props: ChartProps, ink: string, ground: string): void {
  const { diagonal, level, marks = [], series, bars, band } = props;
  const { ctx: context } = plot;
  const at = (x: number, y: number) => [plot.valToPos(x, "x", true), plot.valToPos(y, "y", true)] as const;
  context.save();
  context.strokeStyle = ink;
  context.fillStyle = ink;
  context.lineWidth = 1;
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  context.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  const line = (from: readonly [number, number], to: readonly [number, number]) => {
    context.setLineDash([4, 4]);
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
    context.setLineDash([]);
  };
  if (diagonal) line(at(0, 0), at(1, 1));
  if (level !== undefined) {
    const { left, width } = plot.bbox;
    const height = plot.valToPos(level, "y", true);
    line([left, height], [left + width, height]);
  }
  for (const { x, y, label } of marks) {
    const [px, py] = at(x, y);
    context.strokeStyle = ink;
    context.lineWidth = 1;
    context.beginPath();
    context.arc(px, py, 5 * devicePixelRatio, 0, 2 * Math.PI);
    context.stroke();
    // On the side where there is room, and readable where a curve runs behind it.
    const right = px > plot.bbox.left + plot.bbox.width / 2;
    context.textAlign = right ? "right" : "left";
    const place = [px + (right ? -9 : 9) * devicePixelRatio, py + 14 * devicePixelRatio] as const;
    context.strokeStyle = ground;
    context.lineWidth = 4 * devicePixelRatio;
    context.strokeText(label, ...place);
    context.fillText(label, ...place);
  }
  if (series.length > 1 && !bars && !band) {
    context.textAlign = "right";
    const names = ["solid", "dashed", "dotted"].slice(0, series.length).map((how, i) => `${how}: ${series[i]}`);
    context.fillText(names.join(", "), plot.bbox.left + plot.bbox.width - 6, plot.bbox.top + 16 * devicePixelRatio);
  }
  context.restore();
}
