export const STYLE = `
:root {
  --ink: #1c2730; --muted: #586671; --line: #d9e0e5; --ground: #f3f6f8; --card: #ffffff;
  --brand: #17384f; --accent: #2b6a94; --cancer: #a8392a; --clear: #2f6b4f; --unsure: #8a6100;
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Liberation Sans", sans-serif;
}
h1 { font-size: 1.125rem; font-weight: 600; margin: 0; }
h2 { font-size: 1rem; font-weight: 600; margin: 0 0 12px; }
p { margin: 0; }
.top { background: var(--brand); color: #fff; }
.inner { max-width: 960px; margin: 0 auto; padding: 12px 24px; display: flex; align-items: center; gap: 12px; }
.top .model { margin-left: auto; font-size: 0.8125rem; color: #cfdde7; overflow-wrap: anywhere; text-align: right; }
main { max-width: 960px; margin: 0 auto; padding: 20px 24px 56px; display: grid; gap: 16px; }
.note { padding: 10px 14px; background: #fff8ea; border: 1px solid #ecd9ad; border-radius: 8px; font-size: 0.9375rem; }
#verdict.fit { background: #eef7f1; border-color: #c3dfcf; }
#result-verdict { margin-bottom: 16px; }
.synthetic { background: #eef4f9; border-color: #c6d9e8; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 20px 24px 24px; }
.card:focus { outline: none; }
.drop {
  position: relative; display: flex; flex-direction: column; align-items: center; gap: 4px; text-align: center; cursor: pointer;
  border: 2px dashed #b5c3cd; border-radius: 10px; padding: 32px 16px; background: #fafcfd;
}
.drop:hover, .drop.over { border-color: var(--accent); background: #eef5fa; }
.drop:focus-within { border-color: var(--accent); outline: 3px solid #b9d6ea; outline-offset: 1px; }
.drop-title { font-weight: 600; }
.button { margin-top: 12px; padding: 8px 18px; border-radius: 8px; background: var(--accent); color: #fff; font-weight: 600; font-size: 0.9375rem; }
.drop:hover .button { background: var(--brand); }
.drop input { position: absolute; width: 1px; height: 1px; bottom: 24px; left: 50%; opacity: 0; }
.hint, figcaption, .ends { color: var(--muted); font-size: 0.875rem; }
.status { min-height: 1.5em; margin-top: 10px; color: var(--muted); font-size: 0.9375rem; }
.error { margin-top: 6px; padding: 12px 14px; border: 1px solid #e4b9b2; border-left: 4px solid var(--cancer); border-radius: 8px; background: #fdf3f1; }
.answer { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 12px 32px; align-items: flex-end; }
.label { font-size: 1.75rem; line-height: 1.2; font-weight: 650; }
.label.cancer { color: var(--cancer); } .label.non-cancer { color: var(--clear); } .label.uncertain { color: var(--unsure); }
.probability { text-align: right; }
.number { font-size: 1.75rem; line-height: 1.2; font-weight: 650; font-variant-numeric: tabular-nums; }
.scale { margin: 16px 0 22px; }
.bar { position: relative; height: 12px; border-radius: 6px; background: #e5ebef; }
.fill { height: 100%; border-radius: 6px; background: var(--accent); min-width: 3px; }
.threshold { position: absolute; top: -5px; bottom: -5px; width: 2px; background: var(--ink); }
.band { position: absolute; top: 0; bottom: 0; background: repeating-linear-gradient(45deg, #8a610066 0 4px, transparent 4px 8px); }
#referral { margin-bottom: 20px; }
.ends { display: flex; justify-content: space-between; margin-top: 6px; font-size: 0.8125rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(260px, 1fr)); gap: 20px; }
figure { margin: 0; }
figure img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: #000; border-radius: 8px; }
figcaption { margin-top: 8px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; margin: 20px 0 0; padding-top: 16px; border-top: 1px solid var(--line); font-size: 0.875rem; }
dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
.disclaimer { margin-top: 16px; font-weight: 600; }
@media (max-width: 560px) {
  .inner { flex-wrap: wrap; } .top .model { margin-left: 0; text-align: left; flex-basis: 100%; }
  .probability { text-align: left; } dl { grid-template-columns: 1fr; } dd { margin-bottom: 6px; }
}
@media (prefers-reduced-motion: no-preference) { .fill { transition: width 0.25s ease-out; } }
`;
