import type { Label } from "../intake";
import type { ScanDecision } from "../model";
import {
  capital,
  count,
  type Html,
  html,
  type Notice,
  nameText,
  type Outline,
  type PageInput,
  type Provenance,
  provenanceFacts,
  renderPage,
  type Section,
  SYNTHETIC,
  scanFigure,
  table,
  whole,
} from "../report";

/** A scan as the gallery shows it. */
export interface GalleryScan {
  readonly path: string;
  /** The folder's; undefined where it says none. */
  readonly label: Label | undefined;
  readonly decision: ScanDecision;
  /** Of Cancer, 0 to 1. */
  readonly probability: number;
  /** Of a file of several pages: which one is shown. */
  readonly page: number;
  readonly pages: number;
  /** Row of `explain.csv` as a spreadsheet counts, its head being the first. */
  readonly row: number;
  /** Files beside the gallery. */
  readonly picture: string;
  readonly overlay: string;
  readonly lesion: Outline | undefined;
}

export interface GalleryInput {
  readonly model: string;
  readonly synthetic: boolean;
  readonly provenance: Provenance;
  readonly scans: readonly GalleryScan[];
  readonly rejected: readonly { readonly path: string; readonly reason: string; readonly message: string }[];
  /** What the maps are worth, a sentence each. */
  readonly worth: readonly string[];
  /** What speaks against showing them to anyone, a sentence each. */
  readonly doubts: readonly string[];
}

/** Scans of a page: more make a browser slow. */
const PER_PAGE = 240;
const REJECTED_ROWS = 100;

interface Chapter {
  readonly id: string;
  readonly title: string;
  readonly what: string;
  holds(scan: GalleryScan): boolean;
  /** The first of two comes first. Default: the more suspicious. */
  readonly order?: "least suspicious first";
}

/** What a radiologist looks at first: what was missed, what was called wrongly, what is doubtful, and then the rest. */
const CHAPTERS: readonly Chapter[] = [
  {
    id: "missed",
    title: "Missed tumours",
    what: "Labelled Cancer and called Non-Cancer, the surest first.",
    holds: ({ label, decision }) => label === "Cancer" && decision === "Non-Cancer",
    order: "least suspicious first",
  },
  {
    id: "false-alarms",
    title: "False alarms",
    what: "Labelled Non-Cancer and called Cancer, the surest first.",
    holds: ({ label, decision }) => label === "Non-Cancer" && decision === "Cancer",
  },
  {
    id: "uncertain",
    title: "Uncertain",
    what: "Within the model's uncertain band: a person decides. The most suspicious first.",
    holds: ({ decision }) => decision === "Uncertain",
  },
  {
    id: "suspicious",
    title: "Called Cancer, without a label",
    what: "Nobody said what they are. The most suspicious first.",
    holds: ({ label, decision }) => label === undefined && decision === "Cancer",
  },
  {
    id: "found",
    title: "Tumours that were found",
    what: "Labelled Cancer and called Cancer, the least sure first.",
    holds: ({ label, decision }) => label === "Cancer" && decision === "Cancer",
    order: "least suspicious first",
  },
  {
    id: "clear",
    title: "Non-Cancer, rightly so",
    what: "Labelled and called Non-Cancer, the least sure first.",
    holds: ({ label, decision }) => label === "Non-Cancer" && decision === "Non-Cancer",
  },
  {
    id: "unsuspicious",
    title: "Called Non-Cancer, without a label",
    what: "Nobody said what they are. The least sure first.",
    holds: ({ label, decision }) => label === undefined && decision === "Non-Cancer",
  },
];

/** What {@link renderGallery} names its pages. */
export const GALLERY_NAME = /^gallery(?:-\d+)?\.html$/;
const pageName = (page: number) => (page === 0 ? "gallery.html" : `gallery-${page + 1}.html`);

/** Part of a chapter that stands on one page. */
interface Part {
  readonly chapter: Chapter;
  /** All of the chapter, on whichever pages. */
  readonly total: number;
  /** Place in the chapter of the part's first scan. */
  readonly from: number;
  readonly scans: readonly GalleryScan[];
}

/**
 * Pages with every scan of a folder as a model sees it, errors first; the pictures lie beside them. HTML by file name,
 * the first being `gallery.html`.
 */
export function renderGallery(input: GalleryInput): ReadonlyMap<string, string> {
  const pages = paged(input.scans);
  const contents = contentsOf(pages, input);
  return new Map(
    pages.map((parts, page) => {
      const isLast = page === pages.length - 1;
      const where = pages.length > 1 ? `, page ${page + 1} of ${pages.length}` : "";
      const rendered = renderPage({
        title: `Where ${input.model} looked${where}`,
        kicker: `Gallery of explanations${where}`,
        heading: input.model,
        notices: noticesOf(input),
        facts: factsOf(input),
        sections: [
          ...(page === 0 ? [worthSection(input)] : []),
          ...parts.map(chapterSection),
          ...(isLast && input.rejected.length > 0 ? [rejectedSection(input.rejected)] : []),
        ],
        contents,
        tools: TOOLS,
        ...(pages.length > 1 ? { foot: pageLinks(page, pages.length) } : {}),
        picturesBeside: true,
      });
      return [pageName(page), rendered] as const;
    }),
  );
}

/** Chapters in their order, cut into pages. There is one page at least. */
function paged(scans: readonly GalleryScan[]): readonly (readonly Part[])[] {
  const pages: Part[][] = [[]];
  let room = PER_PAGE;
  for (const chapter of CHAPTERS) {
    const sign = chapter.order === "least suspicious first" ? 1 : -1;
    const all = scans.filter((scan) => chapter.holds(scan)).sort((a, b) => sign * (a.probability - b.probability));
    for (let from = 0; from < all.length; ) {
      if (room === 0) {
        pages.push([]);
        room = PER_PAGE;
      }
      const part = { chapter, total: all.length, from, scans: all.slice(from, from + room) };
      pages.at(-1)?.push(part);
      from += part.scans.length;
      room -= part.scans.length;
    }
  }
  return pages;
}

function contentsOf(pages: ReturnType<typeof paged>, { rejected }: GalleryInput) {
  const begun = pages.flatMap((parts, page) =>
    parts.flatMap(({ chapter, total, from }) =>
      from === 0 ? [{ href: `${pageName(page)}#${chapter.id}`, title: `${chapter.title}: ${whole(total)}` }] : [],
    ),
  );
  const last = pageName(pages.length - 1);
  const refused = { href: `${last}#rejected`, title: `Files that were refused: ${whole(rejected.length)}` };
  return [
    { href: `${pageName(0)}#worth`, title: "What these maps are worth" },
    ...begun,
    ...(rejected.length > 0 ? [refused] : []),
  ];
}

function noticesOf({ synthetic, doubts }: GalleryInput): Notice[] {
  return [
    ...(doubts.length > 0
      ? [{ tone: "bad" as const, content: html`<strong>Do not rely on these maps:</strong> ${doubts.join(" And ")}` }]
      : []),
    {
      content: html`<strong>No verdict on the model.</strong> Pictures measure nothing: <code>npm run evaluate</code> does, and says whether the model is fit for use.`,
    },
    ...(synthetic ? [SYNTHETIC] : []),
  ];
}

function factsOf({ provenance, scans, rejected }: GalleryInput): PageInput["facts"] {
  return [
    ["Scans", `${whole(scans.length)} shown, ${whole(rejected.length)} refused`],
    ...provenanceFacts("Explained", provenance),
  ];
}

/** What a page shows of each scan; without a script, by what the style does. */
const TOOLS = html`<fieldset class="card controls"><legend class="hidden">What is shown</legend>
<label><input type="checkbox" id="show-map" checked>Map</label>
<label><input type="checkbox" id="show-lesion" checked>Outline of the lesion</label>
<span class="hint"><span class="key"></span> lesion, where a mask says so. Yellow: the strongest evidence for Cancer within each scan; the colours of two scans cannot be compared. A scan leads to its picture in full size.</span>
</fieldset>
`;

function worthSection({ worth }: GalleryInput): Section {
  const sentences = worth.map(
    (sentence) => html`<li>${capital(sentence)}</li>
`,
  );
  return {
    id: "worth",
    title: "What these maps are worth",
    content:
      sentences.length > 0
        ? html`<ul class="bullets prose">${sentences}</ul>`
        : html`<p>There is too little to tell: no scan was explained.</p>`,
  };
}

function chapterSection({ chapter: { id, title, what }, total, from, scans }: Part): Section {
  const range = scans.length < total ? ` Here: ${whole(from + 1)} to ${whole(from + scans.length)}.` : "";
  return {
    id,
    title: `${title}: ${whole(total)}`,
    content: html`<p class="hint">${what}${range}</p>
<div class="scans large">${scans.map(figure)}</div>`,
  };
}

function figure({ row, page, pages, picture, overlay, ...scan }: GalleryScan): Html {
  return scanFigure({
    ...scan,
    id: `scan-${row}`,
    pictures: [
      { src: picture, kind: "scan" },
      { src: overlay, kind: "map" },
    ],
    link: { href: overlay, what: "The map over the scan in full size" },
    more: html`${pages > 1 ? html`<span>page ${page}, the most suspicious of ${pages}</span>` : undefined}<a href="explain.csv">row ${row} of explain.csv</a>`,
  });
}

function rejectedSection(rejected: GalleryInput["rejected"]): Section {
  const rest = rejected.length > REJECTED_ROWS ? `; the first ${REJECTED_ROWS} of them, all are in rejected.csv` : "";
  return {
    id: "rejected",
    title: `Files that were refused: ${whole(rejected.length)}`,
    content: table(
      `${count(rejected.length, "file")} that could not be used${rest}`,
      [{ head: "File" }, { head: "Reason" }, { head: "What happened", kind: "quiet" }],
      rejected
        .slice(0, REJECTED_ROWS)
        .map(({ path, reason, message }) => ({ cells: [nameText(path), reason, message] })),
    ),
  };
}

function pageLinks(page: number, pages: number): Html {
  const link = (to: number, text: string) =>
    to < 0 || to >= pages ? html`<span></span>` : html`<a href="${pageName(to)}">${text}</a>`;
  return html`<nav class="card pages" aria-label="Pages">${link(page - 1, "Page before")}<span>Page ${page + 1} of ${pages}</span>${link(page + 1, "Next page")}</nav>
`;
}
