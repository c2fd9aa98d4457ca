import path from 'node:path';
import { byCodeUnit, type ProjectPath, relativePath, type Stage } from '@dag/model';
import { addPathsText, changedLines } from '@dag/pipeline';
import type { Project } from '../project.ts';
import type { Collected, Touched } from './collect.ts';
import {
  kindOf,
  type Missed,
  type StageTrace,
  type TraceEdit,
  type UndeclaredRead,
  type UndeclaredWrite,
} from './report.ts';
import type { Makers, Scope } from './scope.ts';

/** From so many files of one folder on, the folder stands for them. */
const MANY = 5;

/** What watched a run, and what it could not see. */
export interface Watched {
  readonly by: StageTrace['by'];
  readonly problems: readonly string[];
}

/** Holds what a run touched against what the stage declares; looks at the files as they are after it. */
export function judge(
  project: Project,
  stage: Stage,
  { scope, makers }: { readonly scope: Scope; readonly makers: Makers },
  collected: Collected,
  watched: Watched,
): StageTrace {
  const { root } = project;
  const shown = (file: string): string => (file.startsWith(`${root}/`) ? file.slice(root.length + 1) : file);
  const leftovers: string[] = [];
  const reads: Touched[] = [];
  const writes: (Touched & { readonly how: UndeclaredWrite['how'] })[] = [];
  for (const touched of collected.touched) {
    const kind = kindOf(touched.file);
    if (kind === 'folder' || kind === 'other') continue;
    if (touched.written) {
      if (kind === undefined && touched.before !== true) continue;
      if (kind === 'file' && scope.of(touched.file).is === 'temporary') leftovers.push(touched.file);
      else writes.push({ ...touched, how: kind === 'file' ? 'written' : 'deleted' });
    }
    if (touched.read && (kind === 'file' || touched.written)) reads.push(touched);
  }
  const tracked = project.trackedByGit(
    [...reads, ...writes].flatMap(({ shown: file }) =>
      file.startsWith(`${root}/`) ? [shown(file) as ProjectPath] : [],
    ),
  );
  const readList = reads.map((touched): UndeclaredRead => {
    const name = shown(touched.shown);
    const maker = makers.of(touched.shown) ?? makers.of(touched.file);
    const from = name.startsWith('/') ? 'outside' : tracked.has(name as ProjectPath) ? 'git' : 'workspace';
    const program = touched.program;
    if (maker === undefined || maker.by === 'data')
      return { path: name, program, from: maker === undefined ? from : 'data' };
    return { path: name, program, from: 'stage', stage: maker.by };
  });
  const writeList = writes.map((touched): UndeclaredWrite => {
    const name = shown(touched.shown);
    const maker = makers.of(touched.shown) ?? makers.of(touched.file);
    const { program, how } = touched;
    const base = { path: name, program, how };
    if (scope.of(touched.file, touched.shown).is === 'dep') return { ...base, of: 'dep' };
    if (maker !== undefined)
      return maker.by === 'data' ? { ...base, of: 'data' } : { ...base, of: 'stage', stage: maker.by };
    return tracked.has(name as ProjectPath) ? { ...base, of: 'git' } : base;
  });
  const around = (folder: string): boolean => makers.isAroundOut(path.join(root, folder));
  const allReads = gather(readList, (a) => `${a.from} ${a.stage ?? ''}`, around, stage);
  const allWrites = gather(writeList, (a) => `${a.how} ${a.of ?? ''} ${a.stage ?? ''}`, around, stage);
  const problems = [...watched.problems, ...(collected.isCut ? ['it touched more files than are kept in memory'] : [])];
  const used = collected.used;
  const absent = collected.absent.map(shown).sort(byCodeUnit);
  const missed = absent.flatMap((name): Missed['files'][number][] => {
    const by = makers.of(path.join(root, name))?.by;
    if (by === undefined || by === stage.address) return [];
    return [{ path: name, ...(by === 'data' ? { from: 'data' } : { from: 'stage', stage: by }) }];
  });
  return {
    stage: stage.address,
    file: stage.file,
    line: stage.line,
    by: watched.by,
    complete: problems.length === 0,
    problems,
    reads: allReads,
    writes: allWrites,
    edits: editsOf(project, stage, allReads, allWrites),
    // Of one that was not seen in full it is not known.
    unread: problems.length > 0 ? [] : stage.deps.flatMap((dep) => (used.has(dep.path) ? [] : [dep.path])),
    connections: collected.connections,
    readsGit: collected.readsGit,
    absent,
    missed: {
      files: missed,
      edits: missed.length === 0 ? [] : editsOf(project, stage, [...allReads, ...missed], allWrites),
    },
    packages: collected.packages,
    leftovers: leftovers.sort(byCodeUnit),
  };
}

interface Named {
  readonly path: string;
  readonly files?: number;
}

/** Many files of one folder and one sort become the folder, where it can be declared as a whole. */
function gather<T extends Named>(
  list: readonly T[],
  sortOf: (one: T) => string,
  isAroundOut: (folder: string) => boolean,
  stage: Stage,
): T[] {
  const folders = new Map<string, T[]>();
  for (const one of list) {
    const key = `${sortOf(one)}\0${path.dirname(one.path)}`;
    const others = folders.get(key);
    if (others === undefined) folders.set(key, [one]);
    else others.push(one);
  }
  const gathered: T[] = [];
  for (const files of folders.values()) {
    const [first] = files;
    if (first === undefined) continue;
    const folder = path.dirname(first.path);
    const whole = folder !== '.' && folder !== '/' && !holds(folder, stage) && !isAroundOut(folder);
    if (files.length < MANY || !whole) gathered.push(...files);
    else gathered.push({ ...first, path: folder, files: files.length });
  }
  // A folder that stands for itself stands for what is below it, too.
  const wholes = new Map(gathered.flatMap((one) => (one.files === undefined ? [] : [[one.path, one] as const])));
  const inside = new Map<T, number>();
  const rest = gathered.filter((one) => {
    for (let at = path.dirname(one.path); at !== '.' && at !== '/'; at = path.dirname(at)) {
      const whole = wholes.get(at);
      if (whole === undefined || sortOf(whole) !== sortOf(one)) continue;
      inside.set(whole, (inside.get(whole) ?? 0) + (one.files ?? 1));
      return false;
    }
    return true;
  });
  return rest
    .map((one) => (inside.has(one) ? { ...one, files: (one.files ?? 0) + (inside.get(one) ?? 0) } : one))
    .sort((a, b) => byCodeUnit(a.path, b.path));
}

/** Whether a folder is one that the stage works in, or that holds its pipeline.yaml. */
function holds(folder: string, { wdir, file }: Stage): boolean {
  return [wdir, file].some((one) => one === folder || one.startsWith(`${folder}/`));
}

function editsOf(
  project: Project,
  stage: Stage,
  reads: readonly Named[],
  writes: readonly UndeclaredWrite[],
): TraceEdit[] {
  // What it changes of others, or of its own deps, is mended in the command.
  const made = writes.filter(({ how, of, path }) => how === 'written' && of === undefined && !path.startsWith('/'));
  const isMade = new Set(writes.map(({ path }) => path));
  const bytes = project.reader.read(stage.file);
  if (bytes === undefined) return [];
  const text = Buffer.from(bytes).toString('utf8');
  const edit = (key: 'deps' | 'outs', list: readonly Named[]): TraceEdit[] => {
    const paths = list.map(({ path }) => relativePath(stage.wdir, path as ProjectPath));
    if (paths.length === 0) return [];
    const edited = addPathsText(text, stage.file, stage.name, key, paths);
    return edited.ok ? [{ file: stage.file, key, paths, ...changedLines(text, edited.value) }] : [];
  };
  return [
    ...edit(
      'deps',
      reads.filter(({ path }) => !isMade.has(path)),
    ),
    ...edit('outs', made),
  ];
}
