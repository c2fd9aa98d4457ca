import { baseName, type ProjectPath, resolvePath } from '@dag/model';
import { quote } from '../diagnostic/quote.ts';
import type { Report } from '../diagnostic/report.ts';
import type { Source } from '../diagnostic/source.ts';
import type { Range } from '../yaml/node.ts';

/** A path as written, seen from a folder of the project; reported when it leads out of it. */
export function projectPath(
  folder: ProjectPath,
  written: string,
  at: Range,
  source: Source,
  report: Report,
): ProjectPath | undefined {
  if (written === '') {
    report.add(source, at, 'bad-path', 'a path is empty');
    return undefined;
  }
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(written);
  const path = url ? undefined : resolvePath(folder, written);
  if (path !== undefined) return path;
  const hint = written.startsWith('/')
    ? 'write it relative to the project; bring data from elsewhere in first'
    : 'bring the file into the project, and name it by its path there';
  report.add(
    source,
    at,
    'bad-path',
    `${quote(written)} lies outside the project`,
    url ? 'fetch it in a stage of its own' : hint,
  );
  return undefined;
}

/** A path that a stage reads: like `projectPath`, but no pipeline file, which says what a stage is. */
export function depPath(
  folder: ProjectPath,
  written: string,
  at: Range,
  source: Source,
  report: Report,
): ProjectPath | undefined {
  if (!isPipelineFile(written)) return projectPath(folder, written, at, source, report);
  const hint = written.endsWith('.dvc') ? 'name the data itself' : 'what it says of a stage counts already';
  report.add(source, at, 'bad-path', `${quote(written)} can't be a dep: it is a file of pipelines`, hint);
  return undefined;
}

/** DVC's names too: such a file in a project is one that was not moved over. */
function isPipelineFile(written: string): boolean {
  return written.endsWith('.dvc') || (written.endsWith('.yaml') && /(?:^|\/)(?:pipeline|dvc)\.yaml$/.test(written));
}

/**
 * Like `projectPath`, for what a stage makes or what is tracked: the project itself, what lies in .git and .cache, pipeline
 * files and locks are refused as well.
 */
export function outPath(
  folder: ProjectPath,
  written: string,
  at: Range,
  source: Source,
  report: Report,
): ProjectPath | undefined {
  const path = projectPath(folder, written, at, source, report);
  if (path === undefined) return undefined;
  const first = path.split('/', 1)[0];
  const own = isPipelineFile(written) || baseName(path) === 'pipeline.lock';
  if (path !== '' && first !== '.git' && first !== '.cache' && !own) return path;
  const what = path === '' ? 'the project itself' : own ? `the pipeline file ${quote(path)}` : `a path in ${first}`;
  report.add(source, at, 'bad-path', `${what} can't be an out or tracked data`);
  return undefined;
}
