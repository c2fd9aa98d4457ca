import { type Diagnostic, err, ok, type ProjectPath, type Result, sameValue } from '@dag/model';
import { keyText, toValue } from '../data/value.ts';
import { quote } from '../diagnostic/quote.ts';
import { newReport } from '../diagnostic/report.ts';
import { findValue, type MapNode, type Node, type Range } from '../yaml/node.ts';
import { parseYaml } from '../yaml/parse.ts';

/** A text under edit: its tree, and how it writes lines. */
export interface Document {
  readonly file: ProjectPath;
  readonly text: string;
  /** Undefined for an empty text. */
  readonly root: MapNode | undefined;
  readonly eol: '\n' | '\r\n';
}

/** A piece of text to put in the place of a range. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Reads a text for editing; one that is no map, or is broken, can't be edited. */
export function openDocument(text: string, file: ProjectPath): Result<Document, Diagnostic[]> {
  const { root, problems } = parseYaml(text);
  const report = newReport();
  for (const { at, message, hint, conflict } of problems) {
    report.add({ file, text }, at, conflict ? 'conflict' : 'syntax', message, hint);
  }
  const empty = root === undefined || (root.kind === 'scalar' && root.value === null);
  if (problems.length === 0 && !empty && root.kind !== 'map') {
    report.add({ file, text }, root, 'wrong-type', 'a pipeline file must be a map');
  }
  if (report.count > 0) return err(report.sorted());
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  return ok({ file, text, eol, root: empty || root.kind !== 'map' ? undefined : root });
}

/** The hint where no command can make an edit. */
export const BY_HAND = 'edit the file itself';

/** A refusal to edit, at a place. */
export function refuse(document: Document, at: Range, message: string, hint?: string): Result<never, Diagnostic[]> {
  const report = newReport();
  report.add(document, at, 'bad-value', message, hint);
  return err(report.sorted());
}

/** A place in a document: keys from the top, as in `['stages', 'train']`. */
export type Place = readonly string[];

/**
 * The text with edits made; they don't overlap. New lines are written as the text writes them. Refuses what would change
 * anything but the places named: an anchor taken out that other parts name, a value that stands in several places;
 * and a removal that takes nothing away, as a map that is merged in has the same.
 */
export function applyEdits(
  document: Document,
  edits: readonly Edit[],
  places: readonly Place[],
  removed?: Place,
): Result<string, Diagnostic[]> {
  let text = '';
  let at = 0;
  for (const edit of [...edits].sort((a, b) => a.start - b.start || a.end - b.end)) {
    text += document.text.slice(at, edit.start) + edit.text.replaceAll('\n', document.eol);
    at = edit.end;
  }
  text += document.text.slice(at);
  const { root, problems } = parseYaml(text);
  const after = root?.kind === 'map' ? root : undefined;
  const [problem] = problems;
  const place = edits[0] ?? { start: 0, end: 0 };
  if (problem === undefined && sameBeside(document.root, after, places)) {
    if (removed === undefined || findPlace(after, removed) === undefined) return ok(text);
    return refuse(document, place, `a map that is merged in has ${quote(removed.at(-1) ?? '')} as well`, BY_HAND);
  }
  const message =
    problem === undefined
      ? 'other parts of the file would mean something else'
      : `other parts of the file need what would go: ${problem.message}`;
  return refuse(document, place, message, BY_HAND);
}

function findPlace(root: Node | undefined, place: Place): Node | undefined {
  return place.reduce(findValue, root);
}

/** Whether two maps hold the same beside the places named. */
function sameBeside(before: MapNode | undefined, after: MapNode | undefined, places: readonly Place[]): boolean {
  const [old, now] = [valuesOf(before), valuesOf(after)];
  for (const key of new Set([...old.keys(), ...now.keys()])) {
    const inner = places.flatMap(([first, ...rest]) => (first === key ? [rest] : []));
    if (inner.some((place) => place.length === 0)) continue;
    const [was, is] = [old.get(key), now.get(key)];
    if (inner.length > 0 ? !sameBeside(mapOf(was), mapOf(is), inner) : !sameNode(was, is)) return false;
  }
  return true;
}

function valuesOf(map: MapNode | undefined): Map<string, Node> {
  return new Map(map?.entries.map(({ key, value }) => [keyText(key.value), value]));
}

function sameNode(a: Node | undefined, b: Node | undefined): boolean {
  return a !== undefined && b !== undefined && sameValue(toValue(a), toValue(b));
}

function mapOf(node: Node | undefined): MapNode | undefined {
  return node?.kind === 'map' ? node : undefined;
}

/** Offset of the start of the line that `offset` is on, behind a byte order mark. */
export function lineStart(text: string, offset: number): number {
  const start = offset === 0 ? 0 : text.lastIndexOf('\n', offset - 1) + 1;
  return start === 0 && text.charCodeAt(0) === 0xfeff ? 1 : start;
}

/** Offset behind the line that `offset` is on, its break included. */
export function lineEnd(text: string, offset: number): number {
  const end = text.indexOf('\n', offset);
  return end === -1 ? text.length : end + 1;
}

/** Column of an offset, from 0. */
export function columnOf(text: string, offset: number): number {
  return Math.max(0, offset - lineStart(text, offset));
}
