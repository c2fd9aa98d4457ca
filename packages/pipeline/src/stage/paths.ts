import { type ProjectPath, resolvePath } from '@dag/model';
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

/** Like `projectPath`, for what a stage makes: the project itself, .git and .cache are refused as well. */
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
  if (path !== '' && first !== '.git' && first !== '.cache') return path;
  const what = path === '' ? 'the project itself' : `a path in ${first}`;
  report.add(source, at, 'bad-path', `${what} can't be an out or tracked data`);
  return undefined;
}
