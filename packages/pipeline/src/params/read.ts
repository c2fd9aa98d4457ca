import type { Diagnostic, ParamDep, ProjectPath, Value } from '@dag/model';
import { dataFiles } from '../data/read.ts';
import { selectKey } from '../data/select.ts';
import { keyText, toValue } from '../data/value.ts';
import { newReport } from '../diagnostic/report.ts';
import type { SourceReader } from '../pipeline.ts';

/** A parameter that is asked for and not there; without a key the whole file is missing. */
export interface MissingParam {
  readonly file: ProjectPath;
  readonly key: string | undefined;
}

export interface ParamsRead {
  /** By file, by dotted key; a file tracked whole has its top-level keys. A missing file has no entry. */
  readonly values: ReadonlyMap<ProjectPath, ReadonlyMap<string, Value>>;
  readonly missing: readonly MissingParam[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Reads the values that stages ask for. YAML 1.2 as DVC reads it, JSON, TOML or Python, by extension; each file once.
 * A file that can't be read is a diagnostic and has no values.
 */
export function readParams(reader: SourceReader, deps: readonly ParamDep[]): ParamsRead {
  const report = newReport();
  const files = dataFiles(reader, report);
  const values = new Map<ProjectPath, Map<string, Value>>();
  const missing = new Map<string, MissingParam>();
  for (const { file, keys } of deps) {
    const data = files.read(file);
    if (data.kind === 'missing') missing.set(file, { file, key: undefined });
    if (data.kind === 'bad' && !report.has(file))
      report.add({ file, text: '' }, { start: 0, end: 0 }, 'param', data.problem);
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
  return { values, missing: [...missing.values()], diagnostics: report.sorted() };
}
