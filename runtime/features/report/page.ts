import {
  type Chart,
  COLOUR,
  count,
  decisionText,
  drawPlot,
  type Html,
  html,
  nameText,
  type Provenance,
  percentage,
  plotFigure,
  provenanceFacts,
  renderPage,
  SYNTHETIC,
  table,
  whole,
} from "../../report";
import type { Analysis, ReportImage } from "./analysis";

export interface FeaturesReport {
  readonly model: string;
  readonly synthetic: boolean;
  readonly provenance: Provenance;
  readonly analysis: Analysis;
  /** Images with features that were looked at, and whether those are all. */
  readonly images: number;
  readonly isComplete: boolean;
  /** What the model saw of an image, as PNG; undefined where it cannot be read. */
  readonly pictureOf: (image: ReportImage) => Promise<Buffer | undefined>;
}

/** Points of a scatter: more only darken it. */
const MOST_POINTS = 2000;
/** Pairs and outliers that are shown as pictures. */
const PICTURES = 6;
/** Collections that have a colour of their own. */
const COLLECTIONS = 5;

/** One HTML page that stands alone. */
export async function renderFeaturesReport(input: FeaturesReport): Promise<string> {
  const { model, synthetic, provenance, analysis, images, isComplete } = input;
  const { explained, places } = analysis;
  const plots = [];
  for (const chart of [varianceChart(explained), ...scatters(places)]) plots.push(await drawPlot(chart));
  const [variance, ...scattered] = plots.map(plotFigure);
  return renderPage({
    title: `Features of ${model}`,
    kicker: "Features report",
    heading: `What ${model} sees in the data set`,
    notices: synthetic ? [SYNTHETIC] : [],
    facts: [
      ["Model", nameText(model)],
      [
        "Images",
        `${whole(images)}${isComplete ? "" : ", a part drawn by chance: there are more than a report compares"}`,
      ],
      ["Features of an image", whole(places[0]?.image.features.length ?? 0)],
      ...provenanceFacts("Made", provenance),
    ],
    sections: [
      {
        id: "variance",
        title: "Explained variance",
        content: html`<p class="prose">The principal components of the model's features over the training images. ${enough(explained)}</p>
<div class="plots">${variance}</div>`,
      },
      {
        id: "scatter",
        title: "First two components",
        content: html`<p class="prose">Each dot is an image. Colours that lie apart are told apart by the model: it should be so for labels. It is a warning for collections (the model sees where an image comes from) and for splits (test images are unlike those it learnt from).</p>
<div class="plots">${scattered}</div>`,
      },
      { id: "pairs", title: "Nearest pairs across splits", content: await pairs(input) },
      { id: "outliers", title: "Outliers", content: await outliers(input) },
    ],
  });
}

function enough(explained: readonly number[]): string {
  let held = 0;
  const needed = explained.findIndex((share) => {
    held += share;
    return held >= 0.9;
  });
  return needed < 0
    ? "They do not vary."
    : `${count(needed + 1, "component")} of ${whole(explained.length)} hold 90 % of it.`;
}

function varianceChart(explained: readonly number[]): Chart {
  let sum = 0;
  const values = explained.map((share, i) => {
    sum += share;
    return { component: i + 1, held: sum };
  });
  return {
    name: "variance",
    title: "Explained variance",
    text: `The first component alone explains ${percentage(explained[0] ?? 0)} of the variance, all before it together what the line says.`,
    layers: [
      {
        data: { values },
        mark: { type: "line", color: COLOUR.first, strokeWidth: 2 },
        encoding: {
          x: { field: "component", type: "quantitative", title: "Components" },
          y: { field: "held", type: "quantitative", title: "Share of the variance", scale: { domain: [0, 1] } },
        },
      },
    ],
    numbers: {
      head: ["Components", "Share of the variance"],
      rows: values.map(({ component, held }) => [component, held]),
    },
  };
}

const CATEGORIES = [COLOUR.first, COLOUR.second, COLOUR.cancer, COLOUR.ink, COLOUR.guide];

function scatters(places: Analysis["places"]): Chart[] {
  const step = Math.max(1, places.length / MOST_POINTS);
  const drawn = Array.from(
    { length: Math.min(places.length, MOST_POINTS) },
    (_, i) => places[Math.floor(i * step)] as (typeof places)[number],
  );
  const collectionOf = commonCollections(places);
  const charts: readonly [
    name: string,
    title: string,
    of: (image: ReportImage) => string,
    colours: readonly string[],
  ][] = [
    ["label", "By label", ({ label }) => label ?? "no label", [COLOUR.cancer, COLOUR.clear, COLOUR.guide]],
    ["collection", "By collection", collectionOf, CATEGORIES],
    ["split", "By split", ({ split }) => split ?? "none yet", CATEGORIES],
  ];
  return charts.map(([name, title, of, colours]) => {
    const points = drawn.map(({ image, x, y }) => ({ x, y, kind: of(image) }));
    const kinds = [...new Set(points.map(({ kind }) => kind))].sort();
    return {
      name,
      title,
      text: `${count(points.length, "image")} on the first two principal components, coloured by ${name}: ${kinds.join(", ")}.`,
      layers: [
        {
          data: { values: points },
          mark: { type: "point", filled: true, size: 18, opacity: 0.6 },
          encoding: {
            x: { field: "x", type: "quantitative", title: "First component" },
            y: { field: "y", type: "quantitative", title: "Second component" },
            color: {
              field: "kind",
              type: "nominal",
              title: null,
              scale: { domain: kinds, range: kinds.map((_, i) => colours[i % colours.length] as string) },
            },
          },
        },
      ],
      numbers: {
        head: [capitalised(name), "Images", "Mean of the first", "Mean of the second"],
        rows: kinds.map((kind) => {
          const of = points.filter((point) => point.kind === kind);
          const mean = (key: "x" | "y") => of.reduce((sum, point) => sum + point[key], 0) / of.length;
          return [kind, of.length, mean("x"), mean("y")];
        }),
      },
    } satisfies Chart;
  });
}

const capitalised = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);

/** The largest collections by their names, the others together. */
function commonCollections(places: Analysis["places"]): (image: ReportImage) => string {
  const sizes = new Map<string, number>();
  for (const { image } of places)
    if (image.collection !== null) sizes.set(image.collection, (sizes.get(image.collection) ?? 0) + 1);
  const largest = [...sizes].sort(([, a], [, b]) => b - a).map(([name]) => name);
  const kept = new Set(largest.slice(0, largest.length > COLLECTIONS - 1 ? COLLECTIONS - 2 : COLLECTIONS));
  return ({ collection }) => (collection === null ? "not known" : kept.has(collection) ? collection : "others");
}

async function pairs(input: FeaturesReport): Promise<Html> {
  const { pairs } = input.analysis;
  if (pairs.length === 0) return html`<p>No validation or test image has features to compare.</p>`;
  const shown: Html[] = [];
  for (const [i, { image, training, similarity }] of pairs.slice(0, PICTURES).entries())
    shown.push(
      await figure(input, image, `pair ${i + 1}: ${image.split}, likeness ${similarity.toFixed(3)}`),
      await figure(input, training, `pair ${i + 1}: train`),
    );
  return html`<p class="prose">The validation and test images that are most like a training image of another group. One picture twice, or two slices of one patient whom nobody named, would be a leak: look at them. Those that have been seen to belong together are in one group, and are not here.</p>
<div class="scans">${shown}</div>
${table(
  `The ${pairs.length} nearest`,
  [
    { head: "Image" },
    { head: "Split" },
    { head: "Label" },
    { head: "Training image" },
    { head: "Label" },
    { head: "Likeness", kind: "number" },
  ],
  pairs.map(({ image, training, similarity }) => ({
    cells: [
      nameText(image.source),
      image.split ?? "",
      image.label ?? "no label",
      nameText(training.source),
      training.label ?? "no label",
      similarity.toFixed(4),
    ],
  })),
)}`;
}

async function outliers(input: FeaturesReport): Promise<Html> {
  const { outliers } = input.analysis;
  if (outliers.length === 0) return html`<p>There is nothing to compare with.</p>`;
  const shown: Html[] = [];
  for (const { image, similarity } of outliers.slice(0, PICTURES))
    shown.push(await figure(input, image, `likeness ${similarity.toFixed(3)}`));
  return html`<p class="prose">Images that are least like the training images nearest to them: rare findings, other views, or what is no brain scan at all.</p>
<div class="scans">${shown}</div>
${table(
  `The ${outliers.length} farthest`,
  [
    { head: "Image" },
    { head: "Split" },
    { head: "Label" },
    { head: "Collection" },
    { head: "Likeness", kind: "number" },
  ],
  outliers.map(({ image, similarity }) => ({
    cells: [
      nameText(image.source),
      image.split ?? "none yet",
      image.label ?? "no label",
      nameText(image.collection ?? "not known"),
      similarity.toFixed(4),
    ],
  })),
)}`;
}

async function figure({ pictureOf }: FeaturesReport, image: ReportImage, what: string): Promise<Html> {
  const png = await pictureOf(image);
  const { label, source } = image;
  return html`<figure class="scan">
<div class="frame">${png ? html`<img src="data:image/png;base64,${png.toString("base64")}" alt="${`${source}, ${label ?? "no label"}; ${what}`}">` : undefined}</div>
<figcaption><span class="call">${decisionText(label ?? "no label")}</span><span>${what}</span><bdi class="path" title="${source}">${source}</bdi></figcaption>
</figure>
`;
}
