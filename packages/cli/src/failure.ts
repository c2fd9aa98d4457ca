import { type Diagnostic, type Failure, FailureError, unreachable } from '@dag/model';
import { styleDiagnostic } from '@dag/pipeline';
import { ioFailure } from '@dag/store';
import type { Io } from './io.ts';
import { jsonLine } from './render/json.ts';
import { paint } from './render/paint.ts';

/** Exit status of the contract. */
export const EXIT = { done: 0, unsuccessful: 1, usage: 2, surroundings: 3 } as const;

export function exitStatus(failure: Failure): number {
  switch (failure.code) {
    case 'invalid-pipeline':
    case 'usage':
    case 'missing-dep':
      return EXIT.usage;
    case 'stage-failed':
    case 'objects-failed':
    case 'refused':
      return EXIT.unsuccessful;
    case 'io':
    case 'remote':
    case 'resources':
    case 'locked':
      return EXIT.surroundings;
    default:
      return unreachable(failure);
  }
}

/** As many problems as a person reads at once; --json has them all. */
const MOST = 20;

/**
 * Problems in files, each under the word that says how bad it is; ends with a line end. Of very many the first are shown,
 * and how many others there are in which files.
 */
export function diagnosticsText(diagnostics: readonly Diagnostic[], word: string, colour: boolean): string {
  const style = {
    mark: (text: string) => paint('red', text, colour),
    place: (text: string) => paint('bold', text, colour),
  };
  const texts = diagnostics.slice(0, MOST).map((diagnostic) => `${word}: ${styleDiagnostic(diagnostic, style)}\n`);
  const rest = diagnostics.slice(MOST);
  if (rest.length > 0) {
    const files = [...new Set(rest.map(({ file }) => file))];
    const where = files.length > 3 ? `${files.length} files` : files.join(', ');
    texts.push(`${word}: and ${rest.length} more in ${where}\n  --json lists all of them\n`);
  }
  return texts.join('\n');
}

/** The failure as a person reads it; ends with a line end. */
export function failureText(failure: Failure, colour: boolean): string {
  const error = paint('red', 'error', colour);
  switch (failure.code) {
    case 'invalid-pipeline':
      return diagnosticsText(failure.diagnostics, error, colour);
    case 'objects-failed': {
      const items = failure.failed
        .slice(0, MOST)
        .map(({ path, digest, reason }) => `  ${path}${NO_OBJECT.test(digest) ? '' : ` (${digest})`}: ${reason}\n`);
      const more = failure.failed.length > MOST ? `  and ${failure.failed.length - MOST} more\n` : '';
      return `${error}: ${failure.message}\n${items.join('')}${more}${hintText(failure.hint)}`;
    }
    default:
      return `${error}: ${failure.message}\n${hintText(failure.hint)}`;
  }
}

/** The failure as NDJSON: one line a problem. */
export function failureJson(failure: Failure): string {
  if (failure.code !== 'invalid-pipeline') {
    const { code, message, hint } = failure;
    const extra = 'stage' in failure ? { stage: failure.stage } : 'path' in failure ? { path: failure.path } : {};
    const failed = failure.code === 'objects-failed' ? { failed: failure.failed } : {};
    return jsonLine({ event: 'error', code, message, ...extra, ...failed, ...(hint === undefined ? {} : { hint }) });
  }
  return failure.diagnostics
    .map(({ code, message, file, span, hint }) =>
      jsonLine({
        event: 'error',
        code,
        message,
        file,
        ...(span === undefined ? {} : { line: span.line, column: span.column }),
        ...(hint === undefined ? {} : { hint }),
      }),
    )
    .join('');
}

/** Shows whatever was thrown and gives the exit status: a failure by its text, a bug with its stack. */
export function showError(error: unknown, io: Io, json: boolean): number {
  const failure = asFailure(error);
  if (failure !== undefined) {
    if (json) io.out(failureJson(failure));
    else io.err(failureText(failure, io.colour.err));
    return exitStatus(failure);
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (json) io.out(jsonLine({ event: 'error', code: 'internal', message: stack }));
  else io.err(`${stack}\nThis is a bug in dag: please report it with the lines above.\n`);
  return 70;
}

/** What a user can cause, however it arrived here; undefined for a bug. */
export function asFailure(error: unknown): Failure | undefined {
  if (error instanceof FailureError) return error.failure;
  const { code, path, syscall = '', message } = error as NodeJS.ErrnoException;
  if (code === undefined || !SURROUNDINGS.has(code)) return undefined;
  const where = path === undefined ? {} : { path };
  if (NO_ROOM.has(code)) {
    return { code: 'io', message: `the disk is full${path === undefined ? '' : ` (writing '${path}')`}`, ...where };
  }
  const named = path === undefined ? error : ioFailure(error, DOING[syscall] ?? 'use', path);
  return named instanceof FailureError ? named.failure : { code: 'io', message, ...where };
}

const NO_ROOM: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);
/** Errors of the file system that are no bug, wherever they come from. */
const SURROUNDINGS: ReadonlySet<string> = new Set([
  ...NO_ROOM,
  ...['EACCES', 'EPERM', 'EROFS', 'EIO', 'EMFILE', 'ENFILE', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENAMETOOLONG', 'EBUSY'],
  ...['ESTALE', 'EFBIG', 'EUCLEAN', 'EBADMSG'],
]);
const DOING: Readonly<Record<string, string>> = {
  scandir: 'list the folder',
  stat: 'look at',
  lstat: 'look at',
  open: 'open',
  read: 'read',
  write: 'write',
  mkdir: 'make the folder',
  rename: 'rename',
  unlink: 'remove',
  rmdir: 'remove',
  rm: 'remove',
};

function hintText(hint: string | undefined): string {
  return hint === undefined ? '' : `  ${hint}\n`;
}

/** Stands for what has no object of its own: a symlink, or whatever someone else put in the way. */
const NO_OBJECT = /:0+$/;
