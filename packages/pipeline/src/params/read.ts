import type { AnyPath, Diagnostic, ParamDep, Value } from '@dag/model';
import { type DataFile, dataFiles } from '../data/read.ts';
import { selectKey } from '../data/select.ts';
import { keyText, toValue } from '../data/value.ts';
import { newReport } from '../diagnostic/report.ts';
import type { SourceReader } from '../pipeline.ts';
import type { MapNode } from '../yaml/node.ts';

/** A parameter that is asked for and not there; without a key the whole file is missing. */
export interface MissingParam {
  readonly file: AnyPath;
  readonly key: string | undefined;
}

export interface ParamsRead {
  /** By file, by dotted key; a file tracked whole has its top-level keys. A missing file has no entry. */
  readonly values: ReadonlyMap<AnyPath, ReadonlyMap<string, Value>>;
  readonly missing: readonly MissingParam[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Params files, each parsed once until it is forgotten. */
export interface ParamFiles {
  /** The values that stages ask for, as the files are now or were when first asked for. */
  read(deps: readonly ParamDep[]): ParamsRead;
  /** Reads the file again when it is next asked for: something may have written it. */
  forget(file: AnyPath): void;
}

/** Every key of a params file, dotted where maps are nested, for telling which was meant. */
export function paramKeys(reader: SourceReader, file: AnyPath): string[] {
  const data = dataFiles(reader, newReport()).read(file);
  const keysOf = (map: MapNode, prefix: string): string[] =>
    map.entries.flatMap(({ key, value }) => {
      const name = `${prefix}${keyText(key.value)}`;
      return value.kind === 'map' ? [name, ...keysOf(value, `${name}.`)] : [name];
    });
  return data.kind === 'data' ? keysOf(data.root, '') : [];
}

/** Reads the values that stages ask for, once: see `paramFiles`. */
export function readParams(reader: SourceReader, deps: readonly ParamDep[]): ParamsRead {
  return paramFiles(reader).read(deps);
}

/**
 * Params files of a project: YAML 1.2 as DVC reads it, JSON, TOML or Python, by extension. A file that can't be read is a
 * diagnostic and has no values.
 */
export function paramFiles(reader: SourceReader): ParamFiles {
  const known = new Map<AnyPath, ParsedFile>();
  const parsed = (file: AnyPath): ParsedFile => {
    const before = known.get(file);
    if (before !== undefined) return before;
    const now = parseFile(reader, file);
    known.set(file, now);
    return now;
  };
  return {
    read: (deps) => select(deps, parsed),
    forget: (file) => void known.delete(file),
  };
}

interface ParsedFile {
  readonly data: DataFile;
  readonly diagnostics: readonly Diagnostic[];
}

function parseFile(reader: SourceReader, file: AnyPath): ParsedFile {
  const report = newReport();
  const data = dataFiles(reader, report).read(file);
  if (data.kind === 'bad' && !report.has(file)) {
    report.add({ file, text: '' }, { start: 0, end: 0 }, 'param', data.problem);
  }
  return { data, diagnostics: report.sorted() };
}

function select(deps: readonly ParamDep[], parsed: (file: AnyPath) => ParsedFile): ParamsRead {
  const values = new Map<AnyPath, Map<string, Value>>();
  const missing = new Map<string, MissingParam>();
  const diagnostics = new Set<Diagnostic>();
  for (const { file, keys } of deps) {
    const { data, diagnostics: problems } = parsed(file);
    for (const problem of problems) diagnostics.add(problem);
    if (data.kind === 'missing') missing.set(file, { file, key: undefined });
    if (data.kind !== 'data') continue;
    const found = values.get(file) ?? new Map<string, Value>();
    values.set(file, found);
    if (keys === 'all') {
      for (const entry of data.root.entries) found.set(keyText(entry.key.value), toValue(entry.value));
      continue;
    }
    for (const key of keys) {
      const node = selectKey(data.root, key);
      if (node === undefined) missing.set(`${file}\0${key}`, { file, key });
      else found.set(key, toValue(node));
    }
  }
  return { values, missing: [...missing.values()], diagnostics: [...diagnostics] };
}
