import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FailureError, type Value } from '@dag/model';
import { jsonText } from '../render/json.ts';

/** What a page shows, in this order. */
export type Part =
  | { readonly kind: 'vega'; readonly id: string; readonly spec: Value }
  | { readonly kind: 'image'; readonly id: string; readonly images: readonly PageImage[] };

export interface PageImage {
  readonly revision: string;
  /** A data URI. */
  readonly url: string;
}

/**
 * One HTML page that holds all that it needs: nothing is fetched from anywhere.
 * @param template a page with `{plot_divs}` and `{scripts}` in it, DVC's placeholders; ours where there is none.
 * @throws FailureError `usage` for a template without `{plot_divs}`.
 */
export function pageOf(parts: readonly Part[], template: string = PAGE): string {
  if (!template.includes('{plot_divs}')) {
    throw new FailureError({
      code: 'usage',
      message: "the page's template has no {plot_divs}, where the plots go",
      hint: 'and {scripts} in its head, where what draws them goes',
    });
  }
  const values: { readonly [name: string]: string } = {
    scripts: parts.some(({ kind }) => kind === 'vega') ? scripts() : '',
    plot_divs: parts.map(section).join('\n'),
    refresh_tag: '',
  };
  return template.replace(/\{(scripts|plot_divs|refresh_tag)\}/g, (_, name: string) => values[name] ?? '');
}

function section(part: Part, index: number): string {
  if (part.kind === 'image') {
    const images = part.images.map(
      ({ revision, url }) =>
        `<figure><figcaption>${escaped(revision)}</figcaption><img src="${escaped(url)}" alt="${escaped(`${part.id} (${revision})`)}"></figure>`,
    );
    return `<section class="images"><h2>${escaped(part.id)}</h2>\n${images.join('\n')}\n</section>`;
  }
  // In a script nothing but `<` could end it.
  const json = jsonText(part.spec).replaceAll('<', '\\u003c');
  return `<section class="plot" aria-label="${escaped(part.id)}"><div id="plot-${index}"></div>
<script type="application/json" id="spec-${index}">${json}</script>
<script>drawPlot(${index})</script></section>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Draws the plot of a number; what goes wrong is said in its place. A template's version of the schema is no matter. */
const DRAW = `function drawPlot(index) {
  var place = document.getElementById('plot-' + index);
  try {
    var spec = JSON.parse(document.getElementById('spec-' + index).textContent);
    delete spec.$schema;
    vegaEmbed(place, spec, { mode: 'vega-lite' }).catch(function (error) { place.textContent = String(error); });
  } catch (error) { place.textContent = String(error); }
}`;

function scripts(): string {
  const libraries = ['vega', 'vega-lite', 'vega-embed'].map((name) =>
    fs.readFileSync(beside(`vega/${name}.js`), 'utf8'),
  );
  return [...libraries, DRAW].map((text) => `<script>${text.replaceAll('</script', '<\\/script')}</script>`).join('\n');
}

/** A file of the built program, beside this one. */
function beside(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

const PAGE = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{refresh_tag}<title>Plots</title>
<style>
body { font-family: system-ui, sans-serif; margin: 1.5rem; color: #222; background: #fff; }
main { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start; }
.plot, .images { border: 1px solid #ddd; border-radius: 6px; padding: 1rem; max-width: 100%; overflow-x: auto; }
.images h2 { font-size: 1rem; margin: 0 0 .5rem; }
figure { display: inline-block; margin: 0 1rem 0 0; vertical-align: top; }
figcaption { color: #666; font-size: .85rem; margin-bottom: .25rem; }
img { max-width: 100%; }
</style>
{scripts}
</head>
<body>
<noscript>Lines and points are drawn by JavaScript, which is switched off here.</noscript>
<main>
{plot_divs}
</main>
</body>
</html>
`;
