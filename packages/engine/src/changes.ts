import {
  type AnyPath,
  type Artifact,
  byCodeUnit,
  type Change,
  type Fingerprint,
  type LockedStage,
  type LockedWorker,
  type ProjectPath,
  pinsText,
  sameArtifact,
  samePins,
  sameValue,
  type Value,
} from '@dag/model';

/** What an earlier run depended on: a lock entry, or the fingerprint of a run record. */
export type Earlier = Omit<LockedStage, 'outs' | 'wdir'> & {
  readonly wdir: ProjectPath;
  readonly outs: ReadonlySet<AnyPath> | ReadonlyMap<AnyPath, Artifact>;
};

/**
 * How the definition and the inputs of a stage differ from an earlier run: a list in a fixed order, empty when they
 * are the same. `now.deps` and `now.params` hold only what is there; `declared` says what the stage asks for, so that
 * something that is gone from the disk (deleted) and something no longer asked for (removed) are told apart.
 */
export function compareInputs(earlier: Earlier, now: Fingerprint, declared: Declared): Change[] {
  return [
    ...compareCommand(earlier, now),
    ...compareWorker(earlier.worker, now.worker),
    ...(earlier.wdir === now.wdir
      ? []
      : [{ changed: 'wdir', how: 'modified', before: earlier.wdir, after: now.wdir } as const]),
    ...comparePart('salt', earlier.salt ?? '', now.salt ?? ''),
    ...comparePart('shell', (earlier.shell ?? []).join(' '), (now.shell ?? []).join(' ')),
    ...compareDeps(earlier.deps, now.deps, declared.deps),
    ...compareParams(earlier.params, now.params, declared.params),
    ...compareEnv(earlier.env, now.env),
    ...compareOutPaths(earlier.outs, now.outs),
  ];
}

/** What a stage asks for, whether or not it is there. */
export interface Declared {
  readonly deps: ReadonlySet<AnyPath>;
  /** Whether the stage asks for this key of this file; a file tracked whole asks for all. */
  readonly params: (file: AnyPath, key: string) => 'named' | 'whole-file' | undefined;
}

/** A command as one text: a list is its lines. */
export function commandText(cmd: string | readonly string[]): string {
  return typeof cmd === 'string' ? cmd : cmd.join('\n');
}

function compareCommand(earlier: Earlier, now: Fingerprint): Change[] {
  if (earlier.cmd === undefined && now.cmd === undefined) return [];
  const before = earlier.cmd === undefined ? '' : commandText(earlier.cmd);
  const after = now.cmd === undefined ? '' : commandText(now.cmd);
  const same = typeof earlier.cmd === typeof now.cmd && before === after;
  return same ? [] : [{ changed: 'command', how: 'modified', before, after }];
}

function compareWorker(before: LockedWorker | undefined, after: LockedWorker | undefined): Change[] {
  if (before === undefined && after === undefined) return [];
  if (before === undefined || after === undefined) {
    return [{ changed: 'worker', how: after === undefined ? 'removed' : 'added' }];
  }
  const changes: Change[] = [];
  if (before.module !== after.module) changes.push({ changed: 'worker', how: 'modified' });
  if (!samePins(before.backend, after.backend)) {
    const texts = { before: pinsText(before.backend), after: pinsText(after.backend) };
    changes.push({ changed: 'definition', part: 'backend', how: 'modified', ...texts });
  }
  for (const path of differing(before.files, after.files, (one) => before.files.get(one) === after.files.get(one))) {
    const [old, current] = [before.files.get(path), after.files.get(path)];
    const how = old === undefined ? 'added' : current === undefined ? 'removed' : 'modified';
    changes.push({ changed: 'worker', how, path, ...optional('before', old), ...optional('after', current) });
  }
  return changes;
}

function comparePart(part: 'salt' | 'shell', before: string, after: string): Change[] {
  return before === after ? [] : [{ changed: 'definition', part, how: 'modified', before, after }];
}

function compareDeps(
  before: ReadonlyMap<AnyPath, Artifact>,
  after: ReadonlyMap<AnyPath, Artifact>,
  declared: ReadonlySet<AnyPath>,
): Change[] {
  const changes: Change[] = [];
  const same = (path: AnyPath) =>
    before.has(path) && declared.has(path) && sameArtifact(before.get(path), after.get(path));
  for (const path of differing<AnyPath>(before, declared, same)) {
    const [old, current] = [before.get(path), after.get(path)];
    if (!declared.has(path)) changes.push({ changed: 'dep', path, how: 'removed', ...optional('before', old) });
    else if (old === undefined) changes.push({ changed: 'dep', path, how: 'added', ...optional('after', current) });
    else if (current === undefined) changes.push({ changed: 'dep', path, how: 'deleted', before: old });
    else changes.push({ changed: 'dep', path, how: 'modified', before: old, after: current });
  }
  return changes;
}

type ParamValues = ReadonlyMap<AnyPath, ReadonlyMap<string, Value>>;

function compareParams(before: ParamValues, after: ParamValues, declared: Declared['params']): Change[] {
  const changes: Change[] = [];
  for (const file of differing(before, after, () => false)) {
    const [old, current] = [before.get(file), after.get(file)];
    const same = (key: string) => sameValue(old?.get(key), current?.get(key));
    for (const key of differing(old ?? NONE, current ?? NONE, same)) {
      const [was, is] = [old?.get(key), current?.get(key)];
      const asked = declared(file, key);
      const base = { changed: 'param', file, key, ...optional('before', was), ...optional('after', is) } as const;
      if (was === undefined) changes.push({ ...base, how: asked === 'whole-file' ? 'new' : 'added' });
      else if (is === undefined) changes.push({ ...base, how: asked === undefined ? 'removed' : 'deleted' });
      else changes.push({ ...base, how: 'modified' });
    }
  }
  return changes;
}

function compareEnv(before: Fingerprint['env'], after: Fingerprint['env']): Change[] {
  const changes: Change[] = [];
  for (const name of differing(before, after, (one) => before.get(one) === after.get(one))) {
    const [was, is] = [before.get(name), after.get(name)];
    const base = { changed: 'env', name, ...optional('before', was), ...optional('after', is) } as const;
    if (was === undefined) changes.push({ ...base, how: 'added' });
    else if (is === undefined) changes.push({ ...base, how: 'removed' });
    else changes.push({ ...base, how: was === null ? 'new' : is === null ? 'deleted' : 'modified' });
  }
  return changes;
}

function compareOutPaths(before: Earlier['outs'], after: ReadonlySet<AnyPath>): Change[] {
  const changes: Change[] = [];
  for (const path of differing(before, after, (one) => before.has(one) && after.has(one))) {
    changes.push({ changed: 'out', path, how: before.has(path) ? 'removed' : 'added' });
  }
  return changes;
}

const NONE: Keyed<string> = new Set<string>();

/** The keys of either for which `same` does not hold, sorted. Mostly there are none, and then nothing is made. */
function differing<K extends string>(a: Keyed<K>, b: Keyed<K>, same: (key: K) => boolean): readonly K[] {
  let found: Set<K> | undefined;
  for (const keys of [a, b]) {
    for (const key of keys.keys()) {
      if (same(key)) continue;
      found ??= new Set();
      found.add(key);
    }
  }
  return found === undefined ? [] : [...found].sort(byCodeUnit);
}

interface Keyed<K> {
  keys(): Iterable<K>;
}

/** `{[key]: value}`, or nothing where there is no value. */
function optional<K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: T });
}
