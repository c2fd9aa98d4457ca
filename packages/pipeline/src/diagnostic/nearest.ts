import { quote } from './quote.ts';

/**
 * The word among `known` that a mistyped one most likely stands for: the least edits away, letters alone counting; else
 * one that goes on where it stops, or stops where it goes on. Undefined when none is near.
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  const wanted = letters(word);
  const limit = wanted.length < 2 ? 0 : Math.max(1, Math.floor(wanted.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  let longer: string | undefined;
  for (const candidate of known) {
    const plain = letters(candidate);
    if (longer === undefined && continues(plain, wanted)) longer = candidate;
    if (Math.abs(plain.length - wanted.length) > limit) continue;
    const distance = editDistance(wanted, plain);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best ?? longer;
}

function letters(word: string): string {
  return word.toLowerCase().replaceAll(/[-_ ]/g, '') || word;
}

function continues(a: string, b: string): boolean {
  return a.length >= 3 && b.length >= 3 && (a.startsWith(b) || b.startsWith(a));
}

/** Insertions, deletions, replacements and swaps of neighbours between two words (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let distance = Math.min((row[j - 1] ?? 0) + 1, (previous[j] ?? 0) + 1, (previous[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, (before[j - 2] ?? 0) + 1);
      }
      row.push(distance);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
}

/** `did you mean 'x'?`, where there is a near word. */
export function suggestion(word: string, known: Iterable<string>): string | undefined {
  const near = nearest(word, known);
  return near === undefined ? undefined : `did you mean ${quote(near)}?`;
}

const FEW = 8;

/** The near word, or else all words that could stand there, where they are few. */
export function suggestionOrAll(word: string, known: Iterable<string>): string | undefined {
  const words = [...known];
  const near = suggestion(word, words);
  if (near !== undefined || words.length === 0) return near;
  const more = words.length > FEW ? ` and ${words.length - FEW} more` : '';
  return `known here: ${words.slice(0, FEW).join(', ')}${more}`;
}
