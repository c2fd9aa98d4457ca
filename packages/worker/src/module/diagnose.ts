import type { Diagnostic, Failure, ProjectPath } from '@dag/model';
import type { BuildFailure, Message } from 'esbuild';

/** What esbuild found wrong with a module, as the user's diagnostics. Undefined for an error that is not esbuild's. */
export function moduleFailure(error: unknown, module: ProjectPath): Failure | undefined {
  if (!isBuildFailure(error)) return undefined;
  return { code: 'invalid-pipeline', diagnostics: error.errors.map((message) => toDiagnostic(message, module)) };
}

/** What is wrong where esbuild itself can't run, or was ended twice. */
export function compilerFailure(error: unknown): Failure {
  const [said] = (error instanceof Error ? error.message : String(error)).trim().split('\n');
  return {
    code: 'io',
    message: `esbuild, which compiles worker modules, does not run: ${said}`,
    hint: 'if it was killed, memory may have run out; if it is missing or for another system, install dag again',
  };
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors) && error.errors.length > 0;
}

const HINTS: Readonly<Record<string, string>> = {
  'bad-path': 'a local import is relative to the file that holds it; check the spelling',
  package: 'run `npm install`; if it is new, `npm install PACKAGE`',
  entry: 'see the `exports` of its package.json; another version may have it',
  outside: 'only files inside the project can be tracked; move it in, or make it a package',
};

function toDiagnostic(message: Message, module: ProjectPath): Diagnostic {
  const { location } = message;
  const kind = typeof message.detail === 'string' ? message.detail : undefined;
  const hint = kind === undefined ? (location?.suggestion ? `write ${location.suggestion}` : undefined) : HINTS[kind];
  return {
    code: kind === undefined ? 'syntax' : 'bad-path',
    message: message.text,
    file: location?.file ?? module,
    ...(location === null
      ? {}
      : {
          span: {
            line: location.line,
            column: codePoints(location.lineText, location.column) + 1,
            length: Math.max(1, spanLength(location.lineText, location.column, location.length)),
          },
          sourceLine: location.lineText,
        }),
    ...(hint === undefined ? {} : { hint }),
  };
}

/** Code points in the first `bytes` bytes of a line; esbuild counts bytes, we count what the user sees. */
function codePoints(line: string, bytes: number): number {
  return [...Buffer.from(line).subarray(0, bytes).toString('utf8')].length;
}

function spanLength(line: string, column: number, length: number): number {
  return codePoints(line, column + length) - codePoints(line, column);
}
