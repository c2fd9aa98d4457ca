import { type Diagnostic, err, ok, type ProjectPath, type Result } from '@dag/model';
import { newReport } from '../diagnostic/report.ts';
import type { MapNode, Range } from '../yaml/node.ts';
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

/** A refusal to edit, at a place. */
export function refuse(document: Document, at: Range, message: string, hint?: string): Result<never, Diagnostic[]> {
  const report = newReport();
  report.add(document, at, 'bad-value', message, hint);
  return err(report.sorted());
}

/**
 * The text with edits made; they don't overlap. New lines are written as the text writes them. Refuses what would leave a
 * text that can't be read: an anchor taken out that other parts name.
 */
export function applyEdits(document: Document, edits: readonly Edit[]): Result<string, Diagnostic[]> {
  let text = '';
  let at = 0;
  for (const edit of [...edits].sort((a, b) => a.start - b.start)) {
    text += document.text.slice(at, edit.start) + edit.text.replaceAll('\n', document.eol);
    at = edit.end;
  }
  text += document.text.slice(at);
  const [problem] = parseYaml(text).problems;
  if (problem === undefined) return ok(text);
  const place = edits[0] ?? { start: 0, end: 0 };
  const message = `other parts of the file need what would go: ${problem.message}`;
  return refuse(document, place, message, 'edit the file itself');
}

/** Offset of the start of the line that `offset` is on. */
export function lineStart(text: string, offset: number): number {
  return offset === 0 ? 0 : text.lastIndexOf('\n', offset - 1) + 1;
}

/** Offset behind the line that `offset` is on, its break included. */
export function lineEnd(text: string, offset: number): number {
  const end = text.indexOf('\n', offset);
  return end === -1 ? text.length : end + 1;
}

/** Column of an offset, from 0. */
export function columnOf(text: string, offset: number): number {
  const column = offset - lineStart(text, offset);
  return text.charCodeAt(0) === 0xfeff && lineStart(text, offset) === 0 ? Math.max(0, column - 1) : column;
}
