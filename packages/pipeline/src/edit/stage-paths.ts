import type { Diagnostic, ProjectPath, Result } from '@dag/model';
import { findEntry, type Node, textOf } from '../yaml/node.ts';
import { contentOf, flowText } from './content.ts';
import { applyEdits, BY_HAND, columnOf, lineEnd, refuse } from './document.ts';
import { appendEntry, appendFlow, dashBefore, insertLine, isAlias, isOwn, replaceValue } from './entry.ts';
import { findStage } from './stage.ts';

/** Lines of a text that an edit adds, or puts in the place of others. */
export interface ChangedLines {
  /** 1-based, in the text as it was: that of the first line that goes, or that the new ones stand before. */
  readonly line: number;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** Adds paths, relative to its wdir, to a stage's deps or outs, behind those that are there; all else stays as it was. */
export function addPathsText(
  text: string,
  file: ProjectPath,
  name: string,
  key: 'deps' | 'outs',
  paths: readonly string[],
): Result<string, Diagnostic[]> {
  const found = findStage(text, file, name);
  if (!found.ok) return found;
  const { document, value } = found.value;
  const places = [['stages', name]];
  if (value.kind !== 'map' || isAlias(document, value)) {
    return refuse(document, value, 'the stage is written elsewhere in the file', BY_HAND);
  }
  const entry = findEntry(value, key);
  if (entry === undefined) {
    return applyEdits(document, [appendEntry(document, value, key, contentOf(paths))], places);
  }
  const list = entry.value;
  const only = textOf(list);
  const isEmpty = (list.kind === 'scalar' && list.value === null) || (list.kind === 'seq' && list.items.length === 0);
  if (isOwn(value, entry) && (isEmpty || only !== undefined)) {
    const all = only === undefined ? paths : [only, ...paths];
    return applyEdits(document, [replaceValue(document, entry, contentOf(all), value.flow)], places);
  }
  if (!isOwn(value, entry) || list.kind !== 'seq' || isAlias(document, list)) {
    return refuse(document, list, `the ${key} of the stage are written elsewhere in the file`, BY_HAND);
  }
  if (list.flow) return applyEdits(document, [appendFlow(document, list, paths.map(flowText).join(', '))], places);
  const last = list.items.at(-1) as Node;
  const indent = ' '.repeat(columnOf(text, dashBefore(text, last)));
  const lines = paths.map((path) => `${indent}- ${flowText(path)}\n`).join('');
  return applyEdits(document, [insertLine(text, lineEnd(text, last.end), lines)], places);
}

/** Where two texts differ: from the first line to the last that does. */
export function changedLines(before: string, after: string): ChangedLines {
  const [old, now] = [linesOf(before), linesOf(after)];
  const shorter = Math.min(old.length, now.length);
  let same = 0;
  while (same < shorter && old[same] === now[same]) same++;
  let end = 0;
  while (end < shorter - same && old.at(-1 - end) === now.at(-1 - end)) end++;
  return { line: same + 1, before: old.slice(same, old.length - end), after: now.slice(same, now.length - end) };
}

function linesOf(text: string): string[] {
  return text.replace(/\r?\n$/, '').split(/\r?\n/);
}
