/**
 * The colours of the dashboard (`web/app.css`), on light and on dark; a test holds both equal. They keep a contrast of
 * 4.5 to the grounds that they stand on.
 */
export const TOKENS = {
  ground: ["#f2f5f7", "#11181d"],
  surface: ["#ffffff", "#182127"],
  raised: ["#f7f9fa", "#1f2a31"],
  ink: ["#19242c", "#e4ebef"],
  muted: ["#51606b", "#a3b2bc"],
  line: ["#d3dbe0", "#33414a"],
  "field-line": ["#788791", "#7d8d98"],
  accent: ["#15597f", "#7cc4ee"],
  "accent-soft": ["#e3eff6", "#1b3444"],
  cancer: ["#a32a1c", "#ff9d8f"],
  clear: ["#1f6645", "#7fd3a8"],
  unsure: ["#7a5300", "#f0c267"],
  "warn-ground": ["#fdf0d5", "#3a2c0d"],
  "warn-line": ["#d9b25c", "#7c5f1d"],
  "bad-ground": ["#fcebe8", "#3d1a15"],
  "bad-line": ["#d99186", "#8a4035"],
  "good-ground": ["#e8f4ed", "#14301f"],
  "good-line": ["#9ccbb1", "#356b4d"],
  "plot-ink": ["#51606b", "#a3b2bc"],
  "plot-grid": ["#e2e8ec", "#2b383f"],
  "plot-first": ["#15597f", "#7cc4ee"],
  "plot-second": ["#a3551c", "#f0b072"],
} as const satisfies Readonly<Record<string, readonly [light: string, dark: string]>>;

export type Token = keyof typeof TOKENS;

/** The dashboard's families of type. */
export const FONT =
  'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Liberation Sans", sans-serif';
