import { type AnyPath, type Diagnostic, folderOf } from '@dag/model';
import { newReport, type Report } from '../diagnostic/report.ts';
import type { Source } from '../diagnostic/source.ts';
import type { SourceReader } from '../pipeline.ts';
import type { MapNode, Node } from '../yaml/node.ts';
import { parseYaml } from '../yaml/parse.ts';
import { JsonProblem, readJson } from './json.ts';
import { PythonProblem, readPython } from './python.ts';
import { readToml, TomlError } from './toml.ts';
import { isNothing } from './value.ts';

/** A params file as read: not there, no map (`problem` says why), or its tree. */
export type DataFile =
  | { readonly kind: 'missing' }
  | { readonly kind: 'bad'; readonly problem: string }
  | { readonly kind: 'data'; readonly root: MapNode };

/** Reads params files, each once. */
export interface DataFiles {
  read(path: AnyPath): DataFile;
  /** Names of the files in the folder of a path, for telling which was meant. */
  beside(path: AnyPath): readonly string[];
}

const EMPTY: MapNode = { kind: 'map', entries: [], flow: false, start: 0, end: 0 };

export function dataFiles(reader: SourceReader, report: Report): DataFiles {
  const known = new Map<AnyPath, DataFile>();
  return {
    read(path) {
      const before = known.get(path);
      if (before) return before;
      const file = readDataFile(reader, path, report);
      known.set(path, file);
      return file;
    },
    beside: (path) => reader.list(folderOf(path)).flatMap(({ name, kind }) => (kind === 'file' ? [name] : [])),
  };
}

/** Reads a file of values by its extension: .json, .toml, .py, anything else is YAML. Syntax problems are reported. */
function readDataFile(reader: SourceReader, path: AnyPath, report: Report): DataFile {
  const bytes = reader.read(path);
  if (bytes === undefined) return { kind: 'missing' };
  const text = decodeText(bytes, path, report);
  if (text === undefined) return { kind: 'bad', problem: `${path} is not UTF-8 text` };
  const source: Source = { file: path, text };
  const root = readTree(source, report);
  if (root === 'broken') return { kind: 'bad', problem: `${path} can't be read` };
  if (root === undefined || isNothing(root)) return { kind: 'data', root: EMPTY };
  if (root.kind === 'map') return { kind: 'data', root };
  return { kind: 'bad', problem: `${path} holds ${root.kind === 'seq' ? 'a list' : 'a single value'}, not a map` };
}

/**
 * The tree of a file that holds values of any shape, a metrics file say, by the extension of its name; no root for an empty
 * one. What is wrong with it is said with its place.
 */
export function readValues(
  bytes: Uint8Array,
  file: AnyPath,
): { readonly root: Node | undefined } | { readonly problems: readonly Diagnostic[] } {
  const report = newReport();
  const text = decodeText(bytes, file, report);
  const root = text === undefined ? 'broken' : readTree({ file, text }, report);
  return root === 'broken' ? { problems: report.sorted() } : { root };
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes as text; undefined, and reported, when they are not UTF-8. */
export function decodeText(bytes: Uint8Array, file: AnyPath, report: Report): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    const at = { start: 0, end: 0 };
    report.add({ file, text: '' }, at, 'syntax', 'not UTF-8 text', 'save the file as UTF-8');
    return undefined;
  }
}

/** The tree of a file of values; undefined for an empty one. Problems are reported. */
export function readTree(source: Source, report: Report): Node | undefined | 'broken' {
  const { file, text } = source;
  const extension = /\.[^./]*$/.exec(file)?.[0].toLowerCase();
  const fail = (start: number, message: string): 'broken' => {
    report.add(source, { start, end: start + 1 }, 'syntax', message);
    return 'broken';
  };
  try {
    switch (extension) {
      case '.json':
        return readJson(text);
      case '.toml':
        return readToml(text);
      case '.py':
        return readPython(text);
    }
  } catch (error) {
    if (error instanceof JsonProblem) return fail(error.offset, `not JSON: ${error.message}`);
    if (error instanceof PythonProblem) return fail(error.offset, `not Python: ${error.message}`);
    if (error instanceof TomlError)
      return fail(offsetOf(text, error.line, error.column), `not TOML: ${firstLine(error.message)}`);
    throw error;
  }
  const { root, problems } = parseYaml(text);
  for (const { at, message, hint, conflict } of problems) {
    report.add(source, at, conflict ? 'conflict' : 'syntax', message, hint);
  }
  return problems.length > 0 ? 'broken' : root;
}

function firstLine(message: string): string {
  return (message.split('\n')[0] ?? message).replace(/^Invalid TOML document: /, '');
}

function offsetOf(text: string, line: number, column: number): number {
  let start = 0;
  for (let i = 1; i < line; i++) start = text.indexOf('\n', start) + 1;
  return Math.min(text.length, start + column - 1);
}
