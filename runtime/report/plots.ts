import sharp from "sharp";
import type { TopLevelSpec } from "vega-lite";
import { Html, html } from "./html";
import { table } from "./table";
import { TOKENS } from "./tokens";

/** Colours of plots, on light; the page turns them with its theme. */
export const COLOUR = {
  cancer: TOKENS.cancer[0],
  clear: TOKENS["plot-first"][0],
  first: TOKENS["plot-first"][0],
  second: TOKENS["plot-second"][0],
  ink: TOKENS.ink[0],
  guide: TOKENS["field-line"][0],
} as const;

/** All plots are of one size, axes, names and legends included: CSS pixels. */
const WIDTH = 380;
const HEIGHT = 320;
/** Rows of the table below a plot. */
const MOST_ROWS = 12;
/** Standalone files name no font of one system. */
const FILE_FONT = "Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif";

type Layers = Extract<TopLevelSpec, { layer: unknown }>["layer"];

export interface Chart {
  /** Letters, digits and dashes: of its file, too. */
  readonly name: string;
  readonly title: string;
  /** What it shows, for who sees it and for who does not. */
  readonly text: string;
  /** Vega-Lite's. Titles of axes carry the unit. */
  readonly layers: Layers;
  /** The numbers that are drawn: a head, and rows of as many values. */
  readonly numbers: { readonly head: readonly string[]; readonly rows: readonly (readonly (number | string)[])[] };
}

export interface Plot extends Pick<Chart, "name" | "title" | "text" | "numbers"> {
  /** An SVG document of its own: with its title, on white. */
  readonly file: string;
  /** The same for a page, which says title and text itself. */
  readonly inline: string;
}

const CONFIG: NonNullable<TopLevelSpec["config"]> = {
  // What it says stands around it, once.
  aria: false,
  font: FILE_FONT,
  view: { stroke: TOKENS.line[0] },
  axis: {
    gridColor: TOKENS["plot-grid"][0],
    domainColor: TOKENS["field-line"][0],
    tickColor: TOKENS["field-line"][0],
    labelColor: TOKENS["plot-ink"][0],
    titleColor: TOKENS.ink[0],
    titleFontWeight: "normal",
    labelFontSize: 12,
    titleFontSize: 13,
    titlePadding: 8,
  },
  title: {
    color: TOKENS.ink[0],
    subtitleColor: TOKENS["plot-ink"][0],
    fontSize: 15,
    fontWeight: "bold",
    subtitleFontSize: 11,
    anchor: "start",
    offset: 10,
    subtitlePadding: 4,
  },
  legend: {
    labelColor: TOKENS["plot-ink"][0],
    titleColor: TOKENS.ink[0],
    labelFontSize: 12,
    orient: "bottom",
    symbolStrokeWidth: 3,
  },
};

/** Draws a chart. Vega is loaded by who draws alone: it takes a while. */
export async function drawPlot({ name, title, text, layers, numbers }: Chart): Promise<Plot> {
  const spec = {
    width: WIDTH,
    height: HEIGHT,
    autosize: { type: "fit", contains: "padding" },
    padding: 6,
    config: CONFIG,
    layer: layers,
  } satisfies TopLevelSpec;
  return {
    ...{ name, title, text, numbers },
    file: await toSvg({ ...spec, background: "#ffffff", title: { text: title, subtitle: wrapped(text) } }),
    inline: await toSvg({ ...spec, background: "transparent" }),
  };
}

async function toSvg(spec: TopLevelSpec): Promise<string> {
  const { parse, View } = await import("vega");
  const { compile } = await import("vega-lite");
  const view = new View(parse(compile(spec).spec), { renderer: "none" });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

/** Lines that are no wider than a plot. */
function wrapped(text: string): string[] {
  return text.match(/.{1,62}(?:\s|$)/g)?.map((line) => line.trim()) ?? [text];
}

/** Twice the SVG's size, for slides and documents. */
export function svgToPng(svg: string): Promise<Buffer> {
  return sharp(Buffer.from(svg), { density: 144 }).png().toBuffer();
}

export function plotFigure({ name, title, text, inline, numbers: { head, rows } }: Plot): Html {
  const svg = inline
    .slice(inline.indexOf("<svg"))
    // Vega gives every part a role of its own, and this is one picture.
    .replace(/ (?:role|aria-[a-z]+)="[^"]*"/g, "")
    .replace("<svg", html`<svg role="img" aria-label="${`${title}. ${text}`}"`.text);
  const shown = sampled(rows);
  const what = shown.length < rows.length ? `${title}: ${shown.length} of ${rows.length} points` : title;
  return html`<figure class="plot" id="plot-${name}">
<h3>${title}</h3>
${new Html(svg)}
<figcaption>${text}</figcaption>
<details><summary>Numbers of ${title}</summary>
${table(
  what,
  head.map((column) => ({ head: column, kind: "number" })),
  shown.map((row) => ({ cells: row.map((value) => (typeof value === "number" ? Number(value.toFixed(4)) : value)) })),
)}
</details>
</figure>
`;
}

/** Evenly taken, the first and the last among them. */
function sampled<T>(rows: readonly T[]): readonly T[] {
  if (rows.length <= MOST_ROWS) return rows;
  return Array.from({ length: MOST_ROWS }, (_, i) => rows[Math.round((i * (rows.length - 1)) / (MOST_ROWS - 1))] as T);
}
