import { createHash } from "node:crypto";
import { DISCLAIMER } from "../intake";
import { type Content, Html, html } from "./html";
import { STYLE } from "./style";

/** What must be read before anything else of a page. */
export interface Notice {
  /** bad: do not use it; good: nothing speaks against it. Default: to be borne in mind. */
  readonly tone?: "bad" | "good";
  readonly verdict?: boolean;
  readonly content: Content;
}

export interface Section {
  /** Of this page alone; letters, digits and dashes. */
  readonly id: string;
  readonly title: string;
  readonly content: Content;
}

export interface PageInput {
  /** Of the window. */
  readonly title: string;
  /** What kind of page it is, above its heading. */
  readonly kicker: string;
  readonly heading: string;
  /** In the order in which they are read; what is not for diagnosis is said after them in any case. */
  readonly notices: readonly Notice[];
  /** Where it comes from: a term each with what is known. */
  readonly facts: readonly (readonly [term: string, value: Content])[];
  readonly sections: readonly Section[];
  /** What the table of contents leads to. Default: the sections. */
  readonly contents?: readonly { readonly href: string; readonly title: string }[];
  /** Between contents and sections: what changes how the page looks. */
  readonly tools?: Html;
  /** Below the sections: where to go on. */
  readonly foot?: Html;
  /** Whether pictures lie beside the page; otherwise it holds all of them itself. */
  readonly picturesBeside?: boolean;
}

const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

/**
 * An HTML page that stands alone, in the dashboard's hand: it opens from a disk, runs nothing and asks nothing of anybody,
 * and says so to the browser, which holds it to that.
 */
export function renderPage(page: PageInput): string {
  const { sections, contents = sections.map(({ id, title }) => ({ href: `#${id}`, title })) } = page;
  const images = page.picturesBeside ? "'self' file:" : "data:";
  const policy = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; img-src ${images}; base-uri 'none'; form-action 'none'`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>${page.title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
<header class="card">
<p class="kicker">${page.kicker}</p>
<h1>${page.heading}</h1>
${page.notices.map(notice)}
<p class="disclaimer" role="note">${DISCLAIMER}</p>
${facts(page.facts)}
</header>
<nav class="card contents" aria-labelledby="contents">
<h2 id="contents">Contents</h2>
<ol>${contents.map(({ href, title }) => html`<li><a href="${href}">${title}</a></li>`)}</ol>
</nav>
${page.tools}${sections.map(
  ({ id, title, content }) => html`<section class="card" aria-labelledby="${id}">
<h2 id="${id}">${title}</h2>
${content}
</section>
`,
)}${page.foot}</main>
<footer><p class="disclaimer">${DISCLAIMER}</p></footer>
</body>
</html>
`.text;
}

function notice({ tone, verdict, content }: Notice): Html {
  const classes = ["notice", tone, verdict ? "verdict" : undefined].filter((name) => name !== undefined).join(" ");
  return html`<div class="${classes}" role="note">${content}</div>
`;
}

/** Terms with their values; as a list, one below the other. */
export function facts(known: PageInput["facts"], list = false): Html {
  return html`<dl class="${list ? "facts list" : "facts"}">${known.map(
    ([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>
`,
  )}</dl>`;
}

/** A name that others gave: of any length, and in any direction of writing. */
export const nameText = (name: string): Html => html`<bdi class="path">${name}</bdi>`;
