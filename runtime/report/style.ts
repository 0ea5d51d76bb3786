import { FONT, TOKENS, type Token } from "./tokens";

const NAMES = Object.keys(TOKENS) as Token[];
const declared = (shade: 0 | 1) => NAMES.map((name) => `--${name}:${TOKENS[name][shade]}`).join(";");

/** Plots come with their colours on light written into them; on the page they take those of the theme. */
const plotColours = NAMES.map(
  (name) =>
    `.plot svg [fill="${TOKENS[name][0]}"]{fill:var(--${name})}.plot svg [stroke="${TOKENS[name][0]}"]{stroke:var(--${name})}`,
).join("\n");

/** The look of every page that stands alone. On paper it is light, whatever the screen is. */
export const STYLE = `
:root{color-scheme:light;${declared(0)}}
@media screen and (prefers-color-scheme:dark){:root{color-scheme:dark;${declared(1)}}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 ${FONT}}
main{display:grid;gap:14px;max-width:1120px;margin:0 auto;padding:20px 16px 32px}
h1,h2,h3,p,ul,ol,dl,dd,figure,table{margin:0;padding:0}
h1{font-size:1.5rem;font-weight:680;line-height:1.2;overflow-wrap:anywhere}
h2{font-size:1.1875rem;font-weight:650}
h3{font-size:.9375rem;font-weight:650}
h2 .tag{vertical-align:2px}
a{color:var(--accent);text-underline-offset:2px}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
:target{scroll-margin-top:12px}
tr:target>*,.scan:target{background:var(--accent-soft)}
.card{display:grid;gap:12px;min-width:0;background:var(--surface);border:1px solid var(--line);border-radius:8px;padding:16px 18px}
.card>*{min-width:0}
.kicker{color:var(--accent);font-weight:650;font-size:.875rem}
.hint,small{color:var(--muted);font-size:.8125rem}
.prose{max-width:80ch}
.path{overflow-wrap:anywhere}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.notice{padding:10px 14px;border:1px solid var(--warn-line);border-left-width:5px;border-radius:6px;background:var(--warn-ground);overflow-wrap:anywhere}
.notice.bad{border-color:var(--bad-line);background:var(--bad-ground)}
.notice.good{border-color:var(--good-line);background:var(--good-ground)}
.notice.verdict{font-size:1.0625rem}
.notice .tags{margin-top:8px}
.disclaimer{font-weight:650}
.tags{display:flex;flex-wrap:wrap;gap:6px}
.tag{display:inline-block;padding:0 8px;border:1px solid var(--field-line);border-radius:999px;font-size:.75rem;font-weight:600;white-space:nowrap}
.tone-cancer{color:var(--cancer)}.tone-clear{color:var(--clear)}.tone-unsure{color:var(--unsure)}
.contents ol{display:grid;grid-template-columns:repeat(auto-fill,minmax(210px,1fr));gap:2px 20px;list-style:none}
.contents a{display:block;padding:3px 0}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(230px,100%),1fr));gap:10px 24px}
.facts dt{color:var(--muted);font-size:.8125rem}
.facts dd{overflow-wrap:anywhere}
.facts.list{grid-template-columns:minmax(0,1fr);gap:0}
.facts.list>div{display:grid;grid-template-columns:minmax(120px,240px) minmax(0,1fr);gap:12px;padding:5px 0;border-top:1px solid var(--line)}
.facts.list dt,.facts.list dd{font-size:.875rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:12px}
.tile{display:grid;border:1px solid var(--line);border-radius:8px;background:var(--raised);padding:10px 14px}
.tile dt{color:var(--muted);font-size:.8125rem}
.tile .value{font-size:1.875rem;font-weight:650;line-height:1.2;font-variant-numeric:tabular-nums}
.tile .range{color:var(--muted);font-size:.8125rem}
table{border-collapse:collapse;width:100%}
caption{text-align:left;color:var(--muted);padding-bottom:4px;font-size:.8125rem}
th,td{text-align:left;vertical-align:top;font-weight:400;padding:6px 14px 6px 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
thead th{color:var(--muted);font-weight:600;font-size:.8125rem;overflow-wrap:normal}
tbody th{font-weight:600}
.nowrap{white-space:nowrap}
.number{font-variant-numeric:tabular-nums}
.quiet{color:var(--muted);font-size:.875rem}
.bullets{padding-left:20px;display:grid;gap:6px}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(320px,100%),1fr));gap:20px 24px}
.plot{display:grid;gap:6px;align-content:start;min-width:0}
.plot svg{display:block;width:100%;max-width:460px;height:auto}
.plot svg text{font-family:${FONT}}
${plotColours}
figcaption{color:var(--muted);font-size:.8125rem;line-height:1.4}
summary{cursor:pointer;font-size:.8125rem;font-weight:600;padding:2px 0}
.scans{display:grid;grid-template-columns:repeat(auto-fill,minmax(160px,1fr));gap:16px}
.scans.large{grid-template-columns:repeat(auto-fill,minmax(210px,1fr))}
.scan{display:grid;gap:6px;align-content:start;min-width:0;border-radius:8px}
.frame{display:block;position:relative;aspect-ratio:1;background:#000;border-radius:6px;overflow:hidden}
.frame img,.frame svg{position:absolute;inset:0;width:100%;height:100%;object-fit:contain}
.lesion path{fill:none;stroke:#5ef2ff;stroke-width:2;stroke-linejoin:round;vector-effect:non-scaling-stroke;filter:drop-shadow(0 0 1px #000)}
.scan figcaption>*{display:block}
.scan .call{color:var(--ink);font-size:.875rem;font-weight:600}
.scan .path{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:3;overflow:hidden}
.key{display:inline-block;width:18px;border-top:2px solid;color:#0a9fb0;vertical-align:4px}
.pages{grid-template-columns:1fr auto 1fr;align-items:center}.pages>:last-child{text-align:right}
fieldset{margin:0}
.controls{display:flex;flex-wrap:wrap;gap:4px 20px}
.controls label{display:inline-flex;gap:6px;align-items:center;padding:2px 0}
.controls input{accent-color:var(--accent);margin:0;width:16px;height:16px}
body:has(#show-map:not(:checked)) .frame .map,body:has(#show-lesion:not(:checked)) .frame .lesion{visibility:hidden}
footer{max-width:1120px;margin:0 auto;padding:0 16px 32px}
@media (max-width:700px){
main{padding:10px 8px 20px;gap:10px}
.card{padding:12px}
.facts.list>div{grid-template-columns:minmax(0,1fr);gap:0}
.scans,.scans.large{grid-template-columns:repeat(2,minmax(0,1fr));gap:12px}
.tiles{grid-template-columns:repeat(2,minmax(0,1fr));gap:8px}
table,tbody,caption{display:block}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
tr{display:grid;grid-template-columns:minmax(0,1fr);padding:8px 0;border-bottom:1px solid var(--line)}
tbody th,td{display:block;border:0;padding:1px 0}
td[data-head]{display:grid;grid-template-columns:minmax(84px,38%) minmax(0,1fr);gap:8px}
td[data-head]::before{content:attr(data-head);color:var(--muted);font-size:.8125rem;overflow-wrap:anywhere}
}
@media print{
@page{margin:14mm}
body{background:none;font-size:11pt;print-color-adjust:exact;-webkit-print-color-adjust:exact}
main,footer{max-width:none;padding:0}
.card{border:0;padding:6px 0}
.plot,.scan,.tile,tr,.notice{break-inside:avoid}
h2,h3{break-after:avoid}
.controls,details:not([open]){display:none}
}
`;
