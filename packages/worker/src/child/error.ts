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
    return { name: error.name, message: error.message, stack: userStack(error, root) };
  }
}

const MAX_CAUSES = 5;
/** How many frames an error keeps: V8's ten are often all a package's, with no word of where the module called it. */
const KEPT_FRAMES = 100;
/** How many frames of packages are shown of an error. */
const PACKAGE_FRAMES = 5;

/** Where this program's own files lie, those of `dag/worker` among them. */
const OWN_FOLDER = new URL('.', import.meta.url).href;

/** Has errors keep enough frames for the module's own to be among them, unless the user asked for a number of them. */
export function keepFrames(): void {
  const isAsked = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((text) =>
    text.includes('stack-trace-limit'),
  );
  if (!isAsked) Error.stackTraceLimit = KEPT_FRAMES;
}

/** An error's stack and those of its causes: the user's frames, a few of packages, with paths from the project root. */
function userStack(error: Error, root: string): string {
  const parts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; depth <= MAX_CAUSES && current !== undefined; depth++) {
    const text = current instanceof Error ? (current.stack ?? String(current)) : inspect(current);
    const shown = frames(text);
    parts.push(depth === 0 ? shown : `Caused by: ${shown}`);
    current = current instanceof Error ? current.cause : undefined;
  }
  const roots = root === '' ? [] : [`file://${realpathSync(root)}/`, `${realpathSync(root)}/`, `${root}/`];
  return roots.reduce((text, prefix) => text.replaceAll(prefix, ''), parts.join('\n'));
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
