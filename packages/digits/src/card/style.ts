/** The page's style sheet: one set of names for colours, filled in for light and for dark. */
export const STYLE = `
:root {
  --page: #f6f6f3; --panel: #ffffff; --edge: #e3e2dc; --text: #1d1d1b; --soft: #6b6a64; --grid: #ebeae4;
  --first: #2563c9; --second: #c2570c; --right: #dcebe0; --right-text: #1c5a31; --wrong: #c2570c; --ink: none;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #161615; --panel: #1f1f1d; --edge: #33322f; --text: #ececea; --soft: #a3a29b; --grid: #2d2c2a;
    --first: #6ea3f5; --second: #f0954f; --right: #20382a; --right-text: #9bd4ae; --wrong: #e07b35; --ink: invert(1);
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.5rem 1.25rem 3rem; max-width: 66rem; background: var(--page); color: var(--text);
  font: 16px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
h1 { margin: 0; font-size: 1.9rem; letter-spacing: -0.02em; }
header p { margin: 0.35rem 0 1.6rem; color: var(--soft); }
section { display: grid; gap: 1rem; margin-bottom: 1rem; }
.tiles { grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); }
.pair { grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); align-items: start; }
.tile, .panel { margin: 0; background: var(--panel); border: 1px solid var(--edge); border-radius: 10px; }
.tile { padding: 0.85rem 1.1rem; }
.tile span, .tile small { display: block; color: var(--soft); font-size: 0.84rem; }
.tile strong { display: block; font-size: 1.9rem; line-height: 1.25; letter-spacing: -0.02em; }
.panel { padding: 1rem 1.1rem 1.1rem; }
figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0.2rem 1rem; font-weight: 600; margin-bottom: 0.7rem; }
.legend { display: flex; gap: 1rem; color: var(--soft); font-weight: 400; font-size: 0.84rem; align-items: center; }
.key i { display: inline-block; width: 0.9rem; height: 3px; border-radius: 2px; margin-right: 0.4rem; vertical-align: middle; background: var(--line); }
.key b { color: var(--text); font-weight: 600; }
.first { --line: var(--first); } .second { --line: var(--second); }
svg { display: block; width: 100%; height: auto; }
.grid { stroke: var(--grid); }
.tick { fill: var(--soft); font-size: 11.5px; }
polyline { fill: none; stroke: var(--line); stroke-width: 2; stroke-linejoin: round; }
circle { fill: var(--line); stroke: var(--panel); stroke-width: 1.5; }
table { width: 100%; border-collapse: separate; border-spacing: 2px; table-layout: fixed; font-size: 0.84rem; font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 500; }
tbody td { height: 2.1rem; text-align: center; border-radius: 4px; padding: 0; background: var(--page); }
tbody .right { background: var(--right); color: var(--right-text); }
tbody .wrong { background: color-mix(in srgb, var(--wrong) var(--share), var(--panel)); font-weight: 600; }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(4.2rem, 1fr)); gap: 0.75rem 0.5rem; margin: 0; padding: 0; list-style: none; }
.mistakes li { text-align: center; font-size: 0.84rem; line-height: 1.3; }
.mistakes img { display: block; width: 3.5rem; height: 3.5rem; margin: 0 auto 0.2rem; image-rendering: pixelated; filter: var(--ink); }
.mistakes span { display: block; color: var(--soft); } .mistakes b { color: var(--second); }
.mistakes small { color: var(--soft); }
`;
