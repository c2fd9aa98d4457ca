import { realpathSync } from 'node:fs';
import { inspect } from 'node:util';
import type { WireError } from '../protocol.ts';

/** Something that the worker itself found wrong, in the user's words; its stack is of no interest. */
export class WorkerError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'WorkerError';
    this.hint = hint;
  }

  /** Anything thrown, as it crosses the channel. */
  static toWire(error: unknown, root: string): WireError {
    if (error instanceof WorkerError) {
      const { name, message, hint } = error;
      return { name, message, ...(hint === undefined ? {} : { hint }) };
    }
    if (!(error instanceof Error)) return { name: 'Error', message: inspect(error) };
    // What a user calls `dag/worker` is a file of this program's to Node, and so is the bundle that imports a package.
    const message = error.message.replace(OWN_MODULE, 'dag/worker').replace(FROM_BUNDLE, '');
    const [, missing] = MISSING_PACKAGE.exec(message) ?? [];
    const hint = missing === undefined ? {} : { hint: `npm install ${missing}` };
    return { name: error.name, message, stack: userStack(error, root), ...hint };
  }
}

const MAX_CAUSES = 5;
/** What Node says of a package that `import()` does not find; those of other imports are told before anything runs. */
const MISSING_PACKAGE = /^Cannot find package '([^']+)'/;
const FROM_BUNDLE = / imported from \S*[\\/]\.cache[\\/]tmp[\\/]\S+\.mjs$/;
/** How many frames an error keeps: V8's ten are often all a package's, with no word of where the module called it. */
const KEPT_FRAMES = 100;
/** How many frames of packages are shown of an error. */
const PACKAGE_FRAMES = 5;

/** Where this program's own files lie, those of `dag/worker` among them. */
const OWN_FOLDER = new URL('.', import.meta.url).href;
const OWN_MODULE = new RegExp(`${OWN_FOLDER.replace(/[^\w/]/g, '\\$&')}[\\w.-]+`);

/** Has errors keep enough frames for the module's own to be among them, unless the user asked for a number of them. */
export function keepFrames(): void {
  const isAsked = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((text) =>
    text.includes('stack-trace-limit'),
  );
  if (!isAsked) Error.stackTraceLimit = KEPT_FRAMES;
}

/** An error's stack and those of its causes: the user's frames, a few of packages, with paths from the project root. */
function userStack(error: Error, root: string): string {
  const parts = [error, ...causesOf(error).slice(0, MAX_CAUSES)].map((one, i) => {
    const text = one instanceof Error ? (one.stack ?? String(one)) : inspect(one);
    return i === 0 ? frames(text) : `Caused by: ${frames(text)}`;
  });
  const roots = root === '' ? [] : [`file://${realpathSync(root)}/`, `${realpathSync(root)}/`, `${root}/`];
  return roots.reduce((text, prefix) => text.replaceAll(prefix, ''), parts.join('\n'));
}

/** What an error names as its cause, the cause's cause and so on; of one that stands for several, each. */
function causesOf(error: unknown, seen = new Set<unknown>()): unknown[] {
  if (!(error instanceof Error) || seen.has(error)) return [];
  seen.add(error);
  const direct = [...(error instanceof AggregateError ? error.errors : []), error.cause];
  return direct.flatMap((cause) => (cause === undefined || seen.has(cause) ? [] : [cause, ...causesOf(cause, seen)]));
}

/** A stack without the frames of Node and of this program, and with the innermost of those of packages. */
function frames(stack: string): string {
  let packages = 0;
  const isShown = (line: string) => {
    if (!/^\s+at /.test(line)) return true;
    if (line.includes('node:internal') || line.includes(OWN_FOLDER)) return false;
    return !line.includes('/node_modules/') || packages++ < PACKAGE_FRAMES;
  };
  return stack.split('\n').filter(isShown).join('\n');
}
