import type { Metrics, Mistake } from '../card.ts';
import { renderChart } from './curve.ts';
import { STYLE } from './style.ts';

export interface PageData {
  /** One row an epoch: loss, accuracy, val_loss, val_accuracy. */
  readonly history: readonly Readonly<Record<string, number>>[];
  readonly metrics: Metrics;
  /** Rows are what a digit is, columns what the network took it for. */
  readonly confusion: readonly (readonly number[])[];
  readonly mistakes: readonly Mistake[];
}

/** The whole page: no script, and nothing that is loaded from elsewhere. */
export function renderPage({ history, metrics, confusion, mistakes }: PageData): string {
  const { accuracy, loss, digits, mistakes: wrong, recall } = metrics;
  const hardest = Object.entries(recall).reduce((a, b) => (b[1] < a[1] ? b : a));
  const tiles = [
    tile('Accuracy', percent(accuracy), `${digits - wrong} of ${digits} digits right`),
    tile('Loss', loss.toFixed(3), 'mean cross-entropy, in nats'),
    tile('Hardest digit', hardest[0], `${percent(hardest[1])} of them found`),
    tile('Epochs', String(history.length), 'passes over the training set'),
  ];
  const column = (name: string) => history.map((row) => row[name] ?? Number.NaN);
  const curves = (name: string) => [
    { name: 'training', style: 'first', values: column(name) },
    { name: 'held back', style: 'second', values: column(`val_${name}`) },
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Handwritten digits: ${percent(accuracy)} right</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>Handwritten digits</h1>
<p>A small convolutional network, measured on ${digits} real digits that it was never shown.</p>
</header>
<section class="tiles">${tiles.join('')}</section>
<section class="pair">
${renderChart(curves('loss'), { title: 'Loss', range: [0, 0], format: (value) => value.toFixed(2) })}
${renderChart(curves('accuracy'), { title: 'Accuracy', range: [1, 1], format: percent })}
</section>
<section class="pair">
${renderConfusion(confusion)}
${renderMistakes(mistakes, wrong)}
</section>
</body>
</html>
`;
}

function tile(label: string, value: string, note: string): string {
  return `<div class="tile"><span>${label}</span><strong>${value}</strong><small>${note}</small></div>`;
}

/** A table whose wrong cells are tinted by how many digits are in them; the right ones have a tint of their own. */
function renderConfusion(confusion: PageData['confusion']): string {
  const most = Math.max(1, ...confusion.flatMap((row, actual) => row.filter((_, predicted) => predicted !== actual)));
  const head = confusion.map((_, digit) => `<th scope="col">${digit}</th>`);
  const rows = confusion.map((row, actual) => {
    const cells = row.map((count, predicted) => {
      const tip = `${count === 1 ? 'once' : `${count} times`} a ${actual} was read as ${predicted}`;
      if (actual === predicted) return `<td class="right" title="${tip}">${count}</td>`;
      if (count === 0) return `<td class="none" title="${tip}"></td>`;
      return `<td class="wrong" style="--share:${Math.round(20 + 70 * (count / most))}%" title="${tip}">${count}</td>`;
    });
    return `<tr><th scope="row">${actual}</th>${cells.join('')}</tr>`;
  });
  return `<figure class="panel">
<figcaption>Confusion<span class="legend">rows: what it is · columns: what it was read as</span></figcaption>
<table><thead><tr><td></td>${head.join('')}</tr></thead><tbody>${rows.join('\n')}</tbody></table>
</figure>`;
}

function renderMistakes(mistakes: readonly Mistake[], wrong: number): string {
  const cards = mistakes.map(({ actual, predicted, confidence, picture }) => {
    const alt = `a ${actual} that was read as ${predicted}`;
    const text = `<b>${predicted}</b>, is ${actual}`;
    return `<li><img src="${picture}" alt="${alt}" title="${alt}, ${percent(confidence)} sure"><span>${text}</span><small>${percent(confidence)}</small></li>`;
  });
  const title = mistakes.length < wrong ? `The ${mistakes.length} surest of ${wrong} mistakes` : 'All mistakes';
  return `<figure class="panel">
<figcaption>${title}<span class="legend">read as, is, how sure it was</span></figcaption>
<ul class="mistakes">${cards.join('\n')}</ul>
</figure>`;
}

function percent(share: number): string {
  const text = (share * 100).toFixed(1);
  return `${text.endsWith('.0') ? text.slice(0, -2) : text} %`;
}
