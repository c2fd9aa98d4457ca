import {
  type AnyPath,
  type Artifact,
  byCodeUnit,
  type Lock,
  type LockedStage,
  type ProjectPath,
  parentPath,
  pinsValue,
  relativePath,
  sortedEntries,
  type Value,
} from '@dag/model';
import { yamlKey, yamlScalar } from '../yaml/write.ts';

/**
 * Writes a pipeline.lock: maps keyed by name or path, sorted by code unit, an artifact a line, so that texts of two
 * branches merge entry by entry and the same lock is the same text. Paths are written relative to the folder of `file`.
 * Stages are taken as they were when first written: change a copy, never the stage itself.
 */
export function renderLock(lock: Lock, file: ProjectPath): string {
  const folder = parentPath(file);
  let text = 'schema: 1\n';
  if (lock.data.size > 0) text += `data:\n${artifacts(lock.data, folder, '  ')}`;
  if (lock.stages.size > 0) text += 'stages:\n';
  for (const [name, stage] of sortedEntries(lock.stages)) text += `  ${yamlKey(name)}:\n${stageText(stage, folder)}`;
  return text;
}

/** Texts of stages that were written before: a lock of thousands is written anew after each stage that ran. */
const written = new WeakMap<LockedStage, { readonly folder: ProjectPath; readonly text: string }>();

function stageText(stage: LockedStage, folder: ProjectPath): string {
  const before = written.get(stage);
  if (before?.folder === folder) return before.text;
  const text = newStageText(stage, folder);
  written.set(stage, { folder, text });
  return text;
}

function newStageText(stage: LockedStage, folder: ProjectPath): string {
  const { cmd, worker, wdir, salt, shell } = stage;
  let text = '';
  if (typeof cmd === 'string') text += `    cmd: ${yamlScalar(cmd)}\n`;
  else if (cmd !== undefined) text += `    cmd:\n${cmd.map((one) => `      - ${yamlScalar(one)}\n`).join('')}`;
  if (worker !== undefined) {
    text += `    worker:\n      module: ${yamlScalar(relativePath(folder, worker.module))}\n`;
    if (worker.backend !== undefined) text += `      backend: ${flowValue(pinsValue(worker.backend))}\n`;
    text += '      files:\n';
    for (const [path, digest] of byPath(worker.files, folder)) text += `        ${yamlKey(path)}: '${digest}'\n`;
  }
  if (wdir !== undefined) text += `    wdir: ${yamlScalar(relativePath(folder, wdir))}\n`;
  if (shell !== undefined) text += `    shell:\n${shell.map((word) => `      - ${yamlScalar(word)}\n`).join('')}`;
  if (salt !== undefined) text += `    salt: ${yamlScalar(salt)}\n`;
  if (stage.deps.size > 0) text += `    deps:\n${artifacts(stage.deps, folder, '      ')}`;
  if (stage.params.size > 0) {
    text += '    params:\n';
    for (const [path, values] of byPath(stage.params, folder))
      text += `      ${yamlKey(path)}: ${flowMap(sortedEntries(values))}\n`;
  }
  if (stage.env.size > 0) text += `    env: ${flowMap(sortedEntries(stage.env))}\n`;
  if (stage.outs.size > 0) text += `    outs:\n${artifacts(stage.outs, folder, '      ')}`;
  return text === '' ? '    {}\n' : text;
}

function byPath<T>(entries: ReadonlyMap<AnyPath, T>, folder: ProjectPath): [string, T][] {
  return sortedEntries(Array.from(entries, ([path, value]): [string, T] => [relativePath(folder, path), value]));
}

function artifacts(entries: ReadonlyMap<AnyPath, Artifact>, folder: ProjectPath, indent: string): string {
  let text = '';
  for (const [path, artifact] of byPath(entries, folder)) {
    const { digest, size } = artifact;
    let more = '';
    if (artifact.kind === 'folder') more = `, files: ${artifact.files}`;
    else if (artifact.executable) more = ', executable: true';
    text += `${indent}${yamlKey(path)}: {digest: '${digest}', size: ${size}${more}}\n`;
  }
  return text;
}

function flowMap(entries: readonly (readonly [string, Value])[]): string {
  return `{${entries.map(([key, value]) => `${yamlKey(key)}: ${flowValue(value)}`).join(', ')}}`;
}

/** A value on one line. */
function flowValue(value: Value): string {
  if (value === null || typeof value !== 'object') return yamlScalar(value);
  if (Array.isArray(value)) return `[${value.map(flowValue).join(', ')}]`;
  const map = value as { readonly [key: string]: Value };
  return flowMap(
    Object.keys(map)
      .sort(byCodeUnit)
      .map((key) => [key, map[key] as Value]),
  );
}
