import type { Variation } from '@dag/engine';
import { type Artifact, type Change, type Decision, sameValue, unreachable, type Value } from '@dag/model';
import { secondsText } from './units.ts';

/** A change in the words of the user: what, how, and where it fits in a line, old and new value. */
export function changeText(change: Change): string {
  switch (change.changed) {
    case 'never-run':
      return 'never run';
    case 'always':
      return change.why === 'always_changed' ? 'always_changed' : 'no deps, params or outs are declared';
    case 'forced':
      return change.by === 'force' ? 'forced' : 'an upstream stage ran';
    case 'command':
      return `command modified: ${wordsText(change.before, change.after)}`;
    case 'wdir':
      return `wdir modified: ${change.before || '.'} → ${change.after || '.'}`;
    case 'definition':
      return `${change.part} changed: ${change.before || 'none'} → ${change.after || 'none'}`;
    case 'worker':
      return `worker module${change.path === undefined ? '' : ` ${change.path}`} ${change.how}`;
    case 'dep':
    case 'out':
    case 'data':
      return `${change.changed} ${change.path} ${howText(change.how)}${artifactsText(change.before, change.after)}`;
    case 'param':
      return `param ${change.file}:${change.key} ${change.how}${valuesText(change)}`;
    case 'env':
      return `env ${change.name} ${change.how}${valuesText(change)}`;
    default:
      return unreachable(change);
  }
}

/** Why a decision was taken, on one line. */
export function reasonText(decision: Decision): string {
  switch (decision.kind) {
    case 'skip':
      return decision.reason === 'frozen' ? 'frozen' : 'nothing changed';
    case 'restore': {
      const why = decision.changes.map(changeText).join('; ');
      if (decision.from.kind === 'lock') return `${why}: the cache has what pipeline.lock names`;
      const { startedAt, seconds } = decision.from.record;
      const when = startedAt.slice(0, 16).replace('T', ' ');
      return `${why}: result of the run of ${when} UTC (${secondsText(seconds)} saved)`;
    }
    case 'run':
      return decision.changes.map(changeText).join('; ');
    case 'blocked':
      return decision.by === undefined
        ? 'the run ended before its turn'
        : `stage '${decision.by}' failed or was blocked`;
    case 'undecided': {
      const changes = decision.changes.map(changeText);
      return [...changes, `depends on what ${decision.upstream.map((name) => `'${name}'`).join(', ')} makes`].join(
        '; ',
      );
    }
    default:
      return unreachable(decision);
  }
}

/** What is to be said of a stage that makes different bytes from the same inputs. */
export function variationText({ results, outs, made_with: facts = new Map() }: Variation): string {
  const other = Array.from(facts, ([name, values]) => `${name} (${values.join(', ')})`);
  const why = other.length === 0 ? '' : `; they were made with other ${other.join(', ')}`;
  return `not reproducible: runs with these inputs made ${results} different results (${outs.join(', ')})${why}`;
}

/** A change as scripts read it: the fields of the contract, with values and digests. */
export function changeJson(change: Change): Record<string, unknown> {
  switch (change.changed) {
    case 'dep':
    case 'out':
    case 'data': {
      const { changed, path, how, before, after } = change;
      return { changed, path, how, before: before?.digest, after: after?.digest };
    }
    case 'param': {
      const { changed, file, key, how, before, after } = change;
      return { changed, path: `${file}:${key}`, how, before, after };
    }
    case 'env': {
      const { changed, name, how, before, after } = change;
      return { changed, path: name, how, before, after };
    }
    case 'definition': {
      const { changed, part, how, before, after } = change;
      return { changed, path: part, how, before, after };
    }
    default:
      return { ...change };
  }
}

function howText(how: string): string {
  return how === 'not-in-cache' ? 'is not in the cache' : how;
}

function artifactsText(before: Artifact | undefined, after: Artifact | undefined): string {
  if (before === undefined || after === undefined) return '';
  if (before.kind !== after.kind) return ` (from a ${before.kind} to a ${after.kind})`;
  if (before.digest === after.digest) return ' (its executable bit)';
  return ` (${shortDigest(before)} → ${shortDigest(after)})`;
}

function shortDigest(artifact: Artifact): string {
  return artifact.digest.slice('blake3:'.length, 'blake3:'.length + 8);
}

function valuesText({ before, after }: { before?: Value | undefined; after?: Value | undefined }): string {
  if (before === undefined && after === undefined) return '';
  if (before === undefined) return ` (${valueText(after)})`;
  if (after === undefined) return ` (was ${valueText(before)})`;
  const leaves = differingLeaves(before, after);
  if (leaves !== undefined) {
    const more = leaves.length > 3 ? `, and ${leaves.length - 3} more` : '';
    return ` (${leaves.slice(0, 3).join(', ')}${more})`;
  }
  return ` (${valueText(before)} → ${valueText(after)})`;
}

/** `key.inner 1 → 2` for all that differs inside two maps; undefined where one of them is none. */
function differingLeaves(before: Value | undefined, after: Value | undefined, above = ''): string[] | undefined {
  if (!isMap(before) || !isMap(after)) return undefined;
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) => {
    const [was, is] = [before[key], after[key]];
    if (was !== undefined && is !== undefined && sameValue(was, is)) return [];
    const name = `${above}${key}`;
    return differingLeaves(was, is, `${name}.`) ?? [`${name} ${valueText(was)} → ${valueText(is)}`];
  });
}

function isMap(value: Value | undefined): value is { readonly [key: string]: Value } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function valueText(value: Value | undefined): string {
  if (value === undefined || value === null) return 'none';
  const text = typeof value === 'object' ? JSON.stringify(value, stringifyBigint) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function stringifyBigint(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

/** The words of a command that differ, with one word on each side to find them by. */
function wordsText(before: string, after: string): string {
  const [a, b] = [before.split(/(?<=\s)(?=\S)/), after.split(/(?<=\s)(?=\S)/)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const part = (words: string[]): string => {
    const text = words.slice(Math.max(0, start - 1), words.length - Math.max(0, end - 1)).join('');
    return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}…` : text.trimEnd() || text);
  };
  return `${part(a)} → ${part(b)}`;
}
