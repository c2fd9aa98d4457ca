import {
  type AnyPath,
  byCodeUnit,
  isExternal,
  type ProjectPath,
  parentPath,
  relativePath,
  resolveAnyPath,
  type Value,
} from '@dag/model';
import type { Snapshot } from '../compare/snapshot.ts';
import { isMap } from './rows.ts';

/** Fields of files: one, or several. */
export type Fields = ReadonlyMap<AnyPath, readonly string[]>;

/** How a plot looks, as far as anything says so. */
export interface Looks {
  /** A field of the plot's own file, or of the files named. */
  readonly x?: string | Fields;
  readonly y?: readonly string[] | Fields;
  readonly xLabel?: string;
  readonly yLabel?: string;
  readonly title?: string;
  readonly template?: string;
  /** Whether the first line of separated values names the fields. */
  readonly header?: boolean;
}

/** A plot as a snapshot defines it. */
export interface Definition {
  /** What people call it: the path of its file, from the user's folder, or the name that it was given. */
  readonly id: string;
  /** The pipeline.yaml whose `plots:` has it, from the user's folder; empty for a stage's plot, or a target. */
  readonly from: string;
  /** The file that it is named after; undefined where it has a name of its own. */
  readonly path: AnyPath | undefined;
  readonly looks: Looks;
}

/** The plots of a snapshot: of pipeline.yaml files, of stages, and of targets that are files. */
export function definitionsOf(
  snapshot: Snapshot,
  targets: readonly Target[],
  { looks, cwd }: { readonly looks: Looks; readonly cwd: ProjectPath },
): Definition[] {
  const found: Definition[] = [];
  const add = (path: AnyPath, from: string, own: Looks): void => {
    const before = found.filter((one) => one.path === path && one.from === from).length;
    const id = relativePath(cwd, path) + (before === 0 ? '' : ` (${before + 1})`);
    found.push({ id, from, path, looks: { ...own, ...looks } });
  };
  const isWanted = (id: string, from: string): boolean =>
    targets.length === 0 || targets.some((target) => target.names(id) || target.names(`${from}::${id}`));
  const { pipeline } = snapshot;
  const plots = pipeline?.plots ?? [];
  const paths = plots.flatMap((plot) => resolveAnyPath(parentPath(plot.file), plot.id) ?? []);
  for (const { definition, file, id } of plots) {
    const from = relativePath(cwd, file);
    const own = looksOf(definition, parentPath(file));
    if (own.y instanceof Map) {
      if (isWanted(id, from)) found.push({ id, from, path: undefined, looks: { ...own, ...looks } });
      continue;
    }
    const path = resolveAnyPath(parentPath(file), id);
    if (path === undefined) continue;
    for (const inner of snapshot.files(path)) {
      if (closest(inner, paths) === path && isWanted(relativePath(cwd, inner), from)) add(inner, from, own);
    }
  }
  for (const [address, stage] of pipeline?.stages ?? []) {
    for (const { path, kind } of stage.outs) {
      if (kind !== 'plot') continue;
      const own = pipeline?.plotProperties.get(address)?.find((one) => one.path === path)?.properties ?? [{}];
      for (const inner of snapshot.files(path).filter((one) => isWanted(relativePath(cwd, one), ''))) {
        for (const properties of own) add(inner, '', looksOf(properties, parentPath(stage.file)));
      }
    }
  }
  for (const { path } of targets) {
    if (path === undefined || found.some((one) => one.path === path)) continue;
    const files = snapshot.files(path).filter((inner) => snapshot.content(inner).kind !== 'missing');
    for (const inner of files) if (found.every((one) => one.path !== inner)) add(inner, '', {});
  }
  return found;
}

/** A word on the command line that names plots. */
export interface Target {
  readonly path: AnyPath | undefined;
  names(id: string): boolean;
}

/** What a target names: plots whose id starts so, or fits it as a pattern, as with DVC. */
export function targetOf(written: string, path: AnyPath | undefined): Target {
  let pattern: RegExp | undefined;
  try {
    pattern = new RegExp(`^(?:${written})`);
  } catch {
    // It is no pattern: only what starts with it is meant.
  }
  return { path, names: (id) => id.startsWith(written) || pattern?.test(id) === true };
}

/** The looks that a definition in pipeline.yaml gives; paths in it are relative to `folder`. */
function looksOf(definition: Value, folder: ProjectPath): Looks {
  if (!isMap(definition)) return {};
  const text = (key: string): string | undefined => {
    const value = definition[key];
    return value === undefined || value === null || typeof value === 'object' ? undefined : String(value);
  };
  const fields = (value: Value | undefined): readonly string[] | Fields | undefined => {
    if (value === undefined || value === null) return undefined;
    if (!isMap(value)) return listOf(value);
    return new Map(
      Object.entries(value).flatMap(([file, names]): [AnyPath, readonly string[]][] => {
        const path = resolveAnyPath(folder, file);
        return path === undefined ? [] : [[path, listOf(names)]];
      }),
    );
  };
  const [x, y] = [fields(definition['x']), fields(definition['y'])];
  const looks = {
    x: x instanceof Map ? x : (x as readonly string[] | undefined)?.[0],
    y,
    xLabel: text('x_label'),
    yLabel: text('y_label'),
    title: text('title'),
    template: text('template'),
    header: definition['header'] === undefined ? undefined : definition['header'] !== false,
  };
  return Object.fromEntries(Object.entries(looks).filter(([, value]) => value !== undefined));
}

function listOf(value: Value): readonly string[] {
  return (Array.isArray(value) ? value : [value]).map(String);
}

/** The path itself, or the innermost of the folders above it, among some. */
function closest(path: AnyPath, among: readonly AnyPath[]): AnyPath | undefined {
  const holding = among.filter(
    (one) => one === path || (!isExternal(path) && path.startsWith(`${one}/`)) || one === '',
  );
  return holding.sort((a, b) => b.length - a.length || byCodeUnit(a, b))[0];
}

/** The files that a plot is drawn from. */
export function sourcesOf({ path, looks }: Pick<Definition, 'path' | 'looks'>): AnyPath[] {
  const own = looks.y instanceof Map ? [...looks.y.keys()] : path === undefined ? [] : [path];
  const x = looks.x instanceof Map ? [...looks.x.keys()].slice(0, 1) : [];
  return [...new Set([...own, ...x])];
}
