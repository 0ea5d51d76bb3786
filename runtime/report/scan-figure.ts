import { type Content, type Html, html } from "./html";
import type { Outline } from "./outline";
import { probabilityText } from "./words";

/** A scan as a report shows it. */
export interface ScanFigure {
  /** What others link to. */
  readonly id: string;
  /** What a person finds it by. */
  readonly path: string;
  /** What is known of it; undefined: nothing. */
  readonly label: string | undefined;
  readonly decision: string;
  /** Of Cancer, 0 to 1. */
  readonly probability: number;
  /** Addresses of the pictures, the lowest first: the scan, and the map above it. */
  readonly pictures: readonly { readonly src: string; readonly kind: "scan" | "map" }[];
  /** Where the lesion is, if anybody said so. */
  readonly lesion: Outline | undefined;
  /** Where the picture leads to, and what is there. */
  readonly link?: { readonly href: string; readonly what: string };
  /** Further lines below. */
  readonly more?: Content;
}

const TONES: Readonly<Record<string, string>> = {
  Cancer: "tone-cancer",
  "Non-Cancer": "tone-clear",
  Uncertain: "tone-unsure",
};

/** A decision or a label in its colour. */
export const decisionText = (decision: string): Html =>
  html`<span class="${TONES[decision] ?? "quiet"}">${decision}</span>`;

/** The picture with its map and lesion, what was said of it, and what is so. */
export function scanFigure(scan: ScanFigure): Html {
  const { id, path, label, decision, probability, pictures, lesion, link, more } = scan;
  const said = `${path}: ${decision}, probability of Cancer ${probabilityText(probability)}; ${label === undefined ? "no label" : `labelled ${label}`}`;
  const shown = [
    pictures.some(({ kind }) => kind === "map") ? "; with the map" : "",
    lesion ? "; with the outline of the lesion" : "",
  ].join("");
  const frame = html`${pictures.map(
    ({ src, kind }, i) =>
      html`<img class="${kind}" src="${src}" alt="${i === 0 ? said + shown : ""}" loading="lazy" decoding="async">`,
  )}${lesion && html`<svg class="lesion" viewBox="0 0 ${lesion.width} ${lesion.height}" aria-hidden="true"><path d="${lesion.path}"/></svg>`}`;
  return html`<figure class="scan" id="${id}">
${link ? html`<a class="frame" href="${link.href}" title="${link.what}">${frame}</a>` : html`<div class="frame">${frame}</div>`}
<figcaption><span class="call">${decisionText(decision)} ${probabilityText(probability)}</span><span>${label === undefined ? "no label" : `truth ${label}`}</span><bdi class="path" title="${path}">${path}</bdi>${more}</figcaption>
</figure>
`;
}
