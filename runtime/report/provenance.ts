import { html } from "./html";
import { type Notice, nameText, type PageInput } from "./page";
import { timeText } from "./words";

/** Where and when what a report shows was made. */
export interface Provenance {
  readonly at: Date;
  /** What it was made of: a folder, or a place in a bucket. */
  readonly data: string;
  /** Of the program; undefined: not known. */
  readonly commit: string | undefined;
}

/** @param done what was done then, e.g. "Evaluated" */
export const provenanceFacts = (done: string, { at, data, commit }: Provenance): PageInput["facts"] => [
  ["Data", nameText(data)],
  [done, html`<time datetime="${at.toISOString()}">${timeText(at)}</time>`],
  ["Code", commit === undefined ? "commit not known" : html`commit ${nameText(commit)}`],
];

/** Stands on every page about a model that learnt from drawn phantoms alone. */
export const SYNTHETIC: Notice = {
  content: html`<strong>Synthetic data.</strong> This model was trained on drawn phantoms, not on scans of people. What it says shows that the program works, and nothing about medicine.`,
};
