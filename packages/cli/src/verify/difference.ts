import type { Comparison, Deviation, Difference, PathComparison } from '@dag/engine';
import { unreachable } from '@dag/model';

/** How a path differs, on one line. */
export function comparisonText({ path, comparison, as, sameAs, problem }: PathComparison): string {
  switch (comparison.verdict) {
    case 'identical':
      return `${path} is the same`;
    case 'canonical':
      return `${path} says the same in other bytes (as ${as})`;
    case 'tolerated':
      return `${path} is within its tolerance: ${deviationText(comparison.deviation)}`;
    case 'different': {
      const off = comparison.deviation === undefined ? '' : `; ${deviationText(comparison.deviation)}`;
      const same = sameAs === undefined ? '' : `; it says the same as ${sameAs}`;
      const lacks = problem === undefined ? '' : `; ${problem}`;
      return `${path}: ${differenceText(comparison.difference)}${off}${same}${lacks}`;
    }
    default:
      return unreachable(comparison);
  }
}

/** Where two versions first differ. */
export function differenceText(difference: Difference): string {
  switch (difference.kind) {
    case 'byte':
      return `byte ${difference.offset} is ${byteText(difference.after)}, was ${byteText(difference.before)}`;
    case 'line':
      return `line ${difference.line} is ${valueText(difference.after, true)}, was ${valueText(difference.before, true)}`;
    case 'key':
      return `${difference.key || 'the value'} is ${valueText(difference.after)}, was ${valueText(difference.before)}`;
    case 'cell': {
      const { row, column, before, after } = difference;
      return `row ${row}, column ${column} is ${valueText(after)}, was ${valueText(before)}`;
    }
    case 'tensor':
      return `tensor ${difference.tensor}[${difference.index.join(', ')}] is ${difference.after}, was ${difference.before}`;
    case 'pixel':
      return `pixel ${difference.x}, ${difference.y} is (${difference.after.join(', ')}), was (${difference.before.join(', ')})`;
    case 'part':
      return `its ${difference.part} is ${difference.after}, was ${difference.before}`;
    case 'file':
      return difference.how === 'added' ? 'it was not there' : 'it is not there any more';
    default:
      return unreachable(difference);
  }
}

function deviationText({ differing, of, absolute, relative }: Deviation): string {
  const part = Number.isFinite(relative) ? ` (${(relative * 100).toPrecision(2)}%)` : '';
  return `${differing} of ${of} numbers off, by ${Number(absolute.toPrecision(3))}${part} at most`;
}

/** As scripts read it. */
export function comparisonJson({ path, comparison, as, sameAs }: PathComparison): object {
  const { verdict } = comparison;
  return {
    path,
    verdict,
    as,
    ...(sameAs === undefined ? {} : { sameAs }),
    ...('difference' in comparison ? { difference: comparison.difference } : {}),
    ...('deviation' in comparison && comparison.deviation !== undefined
      ? { deviation: finite(comparison.deviation) }
      : {}),
  };
}

/** JSON has no word for infinity. */
function finite(deviation: Deviation): object {
  const known = (number: number) => (Number.isFinite(number) ? number : null);
  return { ...deviation, absolute: known(deviation.absolute), relative: known(deviation.relative) };
}

/** Whether nothing but numbers differs. */
export function isNumeric(comparison: Comparison): boolean {
  return comparison.verdict !== 'different' || comparison.deviation !== undefined;
}

function byteText(byte: number | undefined): string {
  return byte === undefined ? 'not there' : `0x${byte.toString(16).padStart(2, '0')}`;
}

function valueText(value: string | undefined, quoted = false): string {
  if (value === undefined) return 'not there';
  const text = value.length > 60 ? `${value.slice(0, 57)}…` : value;
  return quoted ? JSON.stringify(text) : text;
}
