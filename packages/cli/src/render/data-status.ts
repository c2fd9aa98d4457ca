import type { DataChanges } from '../project/data-changes.ts';
import { type Paint, paint } from './paint.ts';

/** What `dag data status` found; sections that were not asked for are empty. */
export interface DataStatus {
  readonly notInCache: readonly string[];
  readonly notInRemote: readonly string[];
  /** pipeline.lock since HEAD. */
  readonly committed: Partial<DataChanges>;
  /** The workspace since pipeline.lock. */
  readonly uncommitted: Partial<DataChanges>;
  readonly untracked: readonly string[];
  readonly unchanged: readonly string[];
}

/** The shape of `dvc data status --json`: what is empty is left out. */
export function dataStatusJson({ notInCache, notInRemote, committed, uncommitted, ...rest }: DataStatus) {
  const all = {
    not_in_cache: notInCache,
    not_in_remote: notInRemote,
    committed: filled(committed),
    uncommitted: filled(uncommitted),
    ...rest,
  };
  return filled(all);
}

/** The same in sections, each with what can be done about it. */
export function dataStatusLines(status: DataStatus, colour: boolean): string[] {
  const sections: readonly (readonly [string, string | undefined, Paint, readonly string[]])[] = [
    ['Not in the cache', "'dag fetch' brings them, where a remote has them", 'red', status.notInCache],
    ['Not in the remote', "'dag push' sends them", 'red', status.notInRemote],
    ['Changes in pipeline.lock since HEAD', "'git commit' keeps them", 'green', changeLines(status.committed)],
    [
      'Changes that are not in pipeline.lock',
      "'dag repro' or 'dag commit' records them, 'dag checkout' discards them",
      'yellow',
      changeLines(status.uncommitted),
    ],
    ['Untracked files', "'dag add' or 'git add' tracks them", 'cyan', status.untracked],
    ['Unchanged', undefined, 'dim', status.unchanged],
  ];
  return sections
    .filter(([, , , rows]) => rows.length > 0)
    .flatMap(([title, hint, style, rows], index) => [
      ...(index === 0 ? [] : ['']),
      `${title}:`,
      ...(hint === undefined ? [] : [`  (${hint})`]),
      ...rows.map((row) => `    ${paint(style, row, colour)}`),
    ]);
}

function changeLines({ modified = [], added = [], renamed = [], deleted = [], unknown = [] }: Partial<DataChanges>) {
  return [
    ...modified.map((path) => `modified: ${path}`),
    ...added.map((path) => `added: ${path}`),
    ...renamed.map((one) => `renamed: ${one.old} -> ${one.new}`),
    ...deleted.map((path) => `deleted: ${path}`),
    ...unknown.map((path) => `unknown: ${path}`),
  ];
}

function filled(map: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(map).filter(([, value]) => (Array.isArray(value) ? value : Object.keys(value)).length > 0),
  );
}
