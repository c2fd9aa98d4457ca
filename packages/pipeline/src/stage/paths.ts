import {
  type AnyPath,
  absolutePath,
  baseName,
  isExternal,
  type ProjectPath,
  relateToRoot,
  resolveAnyPath,
} from '@dag/model';
import { quote } from '../diagnostic/quote.ts';
import type { Report } from '../diagnostic/report.ts';
import type { Source } from '../diagnostic/source.ts';
import type { SourceReader } from '../pipeline.ts';
import type { Range } from '../yaml/node.ts';

/** Where a path is written: what it is relative to, and where a problem with it goes. */
export interface PathsPlace {
  readonly folder: ProjectPath;
  readonly source: Source;
  readonly report: Report;
  /** Where the project lies. */
  readonly reader: Pick<SourceReader, 'root' | 'real'>;
}

/**
 * A path as written, which may lie outside the project; one that is absolute, or leads up and back in, is known for a path
 * of the project. Reported, and undefined, where it can't be used at all: a URL, or a folder that holds the project.
 */
export function anyPath(written: string, at: Range, place: PathsPlace): AnyPath | undefined {
  if (written === '') return refuse(place, at, 'a path is empty');
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(written)) {
    return refuse(
      place,
      at,
      `${quote(written)} is a URL: stages read and make files`,
      'fetch it in a stage of its own',
    );
  }
  if (written.includes('\0')) return refuse(place, at, `${quote(written)} is no path: it holds a NUL`);
  const path = resolveAnyPath(place.folder, written);
  if (path !== undefined && !isExternal(path)) return path;
  const inside = path === undefined ? 'around' : relate(path, place.reader);
  if (inside !== 'around') return inside ?? path;
  return refuse(place, at, `${quote(written)} holds the project itself`, 'name what is needed in it');
}

/** A path that must lie in the project. */
export function projectPath(
  written: string,
  at: Range,
  place: PathsPlace,
  hint = 'bring it into the project, and name it by its path there',
): ProjectPath | undefined {
  const path = anyPath(written, at, place);
  if (path === undefined || !isExternal(path)) return path;
  return refuse(place, at, `${quote(written)} lies outside the project`, hint);
}

/** Like `anyPath`, for what a stage reads: no pipeline file, which says what a stage is. */
export function depPath(written: string, at: Range, place: PathsPlace): AnyPath | undefined {
  if (!isPipelineFile(written)) return anyPath(written, at, place);
  const hint = written.endsWith('.dvc') ? 'name the data itself' : 'what it says of a stage counts already';
  return refuse(place, at, `${quote(written)} can't be a dep: it is a file of pipelines`, hint);
}

/** DVC's names too: such a file in a project is one that was not moved over. */
function isPipelineFile(written: string): boolean {
  return written.endsWith('.dvc') || (written.endsWith('.yaml') && /(?:^|\/)(?:pipeline|dvc)\.yaml$/.test(written));
}

/**
 * Like `anyPath`, for what a stage makes or what is tracked: the project itself, what lies in .git and .cache, pipeline files
 * and locks are refused as well.
 */
export function ownedPath(written: string, at: Range, place: PathsPlace): AnyPath | undefined {
  const path = anyPath(written, at, place);
  if (path === undefined) return undefined;
  const first = path.split('/', 1)[0];
  const own = isPipelineFile(written) || baseName(path) === 'pipeline.lock';
  if (path !== '' && first !== '.git' && first !== '.cache' && !own) return path;
  const what = path === '' ? 'the project itself' : own ? `the pipeline file ${quote(path)}` : `a path in ${first}`;
  return refuse(place, at, `${what} can't be an out or tracked data`);
}

/** Says that something which the cache is to hold lies outside. */
export function refuseExternal(written: string, at: Range, place: PathsPlace, what: string, hint: string): undefined {
  return refuse(place, at, `${quote(written)} lies outside the project, and ${what} must lie in it`, hint);
}

function refuse(place: PathsPlace, at: Range, message: string, hint?: string): undefined {
  place.report.add(place.source, at, 'bad-path', message, hint);
  return undefined;
}

/** What a path that seems to lie outside is to the project, by its name and by where symlinks lead. */
function relate(path: AnyPath, { root, real }: PathsPlace['reader']): ProjectPath | 'around' | undefined {
  if (root === undefined) return undefined;
  const absolute = absolutePath(root, path);
  return relateToRoot(root, absolute) ?? (real === undefined ? undefined : relateToRoot(root, real(absolute)));
}
