import type { Chart, Series } from "../core/monitoring";

/** Columns of a mosaic, of which a chart takes half. */
const COLUMNS = 48;
const WIDTH = COLUMNS / 2;
const HEIGHT = 16;

/**
 * A dashboard as the API writes it: keys sorted, zeros and what is not set left out, so that a second plan is empty.
 * https://cloud.google.com/monitoring/api/ref_v3/rest/v1/projects.dashboards
 */
export function dashboardJson(displayName: string, charts: readonly Chart[]): string {
  const tiles = charts.map((chart, index) => {
    const x = (index % 2) * WIDTH;
    const y = Math.floor(index / 2) * HEIGHT;
    return {
      height: HEIGHT,
      widget: widget(chart),
      width: WIDTH,
      ...(x > 0 ? { xPos: x } : {}),
      ...(y > 0 ? { yPos: y } : {}),
    };
  });
  return JSON.stringify({ displayName, mosaicLayout: { columns: COLUMNS, tiles } });
}

function widget({ title, unit, series }: Chart) {
  return {
    title,
    xyChart: {
      dataSets: series.map((one) => ({
        plotType: "LINE",
        targetAxis: "Y1",
        timeSeriesQuery: {
          timeSeriesFilter: { aggregation: aggregation(one), filter: one.filter },
          unitOverride: unit,
        },
      })),
      yAxis: { label: unit, scale: "LINEAR" },
    },
  };
}

function aggregation({ aligner, groupBy, periodSeconds, reducer }: Series) {
  return {
    alignmentPeriod: `${periodSeconds}s`,
    ...(reducer ? { crossSeriesReducer: reducer } : {}),
    ...(groupBy && groupBy.length > 0 ? { groupByFields: [...groupBy] } : {}),
    perSeriesAligner: aligner,
  };
}
