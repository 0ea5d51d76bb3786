export { type Content, Html, html } from "./html";
export { type Outline, outlineOf } from "./outline";
export { facts, type Notice, nameText, type PageInput, renderPage, type Section } from "./page";
export { type Chart, COLOUR, drawPlot, type Plot, plotFigure, svgToPng } from "./plots";
export { type Provenance, provenanceFacts, SYNTHETIC } from "./provenance";
export { decisionText, type ScanFigure, scanFigure } from "./scan-figure";
export { type Column, metricCell, type Row, table } from "./table";
export { capital, count, metricText, percentage, probabilityText, whole } from "./words";
