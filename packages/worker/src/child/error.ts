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

/** Where this program's own files lie, those of `dag/worker` among them. */
const OWN_FOLDER = new URL('.', import.meta.url).href;

/** An error's stack and those of its causes: the user's frames, with paths from the project root. */
function userStack(error: Error, root: string): string {
  const parts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; depth <= MAX_CAUSES && current !== undefined; depth++) {
    const text = current instanceof Error ? (current.stack ?? String(current)) : inspect(current);
    parts.push(depth === 0 ? text : `Caused by: ${text}`);
    current = current instanceof Error ? current.cause : undefined;
  }
  const roots = root === '' ? [] : [`file://${realpathSync(root)}/`, `${realpathSync(root)}/`, `${root}/`];
  return parts
    .join('\n')
    .split('\n')
    .filter((line) => !/^\s+at /.test(line) || !(line.includes('node:internal') || line.includes(OWN_FOLDER)))
    .map((line) => roots.reduce((text, prefix) => text.replaceAll(prefix, ''), line))
    .join('\n');
}
