import fs from 'node:fs';
import { FailureError } from '@dag/model';
import { explainIgnore } from '@dag/workspace';
import { EXIT } from '../failure.ts';
import { requireRoot, toProjectPath } from '../project/root.ts';
import type { Context } from '../verb.ts';

interface Options {
  readonly details?: boolean;
  readonly nonMatching?: boolean;
  readonly stdin?: boolean;
}

/** Exits with 0 where a path is left out (with details: where a line speaks of one), else with 1, as git's does. */
export async function checkIgnore(context: Context, named: readonly string[], options: Options): Promise<number> {
  checkOptions(named, options);
  const root = requireRoot({ root: context.root, cwd: context.cwd, env: context.io.env });
  const written = options.stdin === true ? fs.readFileSync(0, 'utf8').split('\n') : named;
  const results: unknown[] = [];
  let any = false;
  for (const text of written.filter((line) => line !== '')) {
    const path = toProjectPath(root, fs.realpathSync(context.cwd), text);
    if (path === undefined) {
      throw new FailureError({ code: 'usage', message: `'${text}' does not lie inside the project` });
    }
    const rule = path === '' ? undefined : explainIgnore(root, path);
    const ignored = rule?.ignores === true;
    results.push({ path: text, ignored, ...(rule && { file: rule.file, line: rule.line, pattern: rule.pattern }) });
    any ||= options.details === true ? rule !== undefined : ignored;
    if (options.details !== true) {
      if (ignored) context.print(text);
    } else if (rule !== undefined) {
      context.print(`${rule.file}:${rule.line}:${rule.pattern}\t${text}`);
    } else if (options.nonMatching === true) {
      context.print(`::\t${text}`);
    }
  }
  context.emit(results);
  return any ? EXIT.done : EXIT.unsuccessful;
}

function checkOptions(named: readonly string[], { details, nonMatching, stdin }: Options): void {
  const usage = (message: string): FailureError => new FailureError({ code: 'usage', message });
  if (stdin === true && named.length > 0) throw usage('name paths or give --stdin, not both');
  if (stdin !== true && named.length === 0) throw usage('name paths, or give them on standard input with --stdin');
  if (nonMatching === true && details !== true) throw usage('--non-matching goes with --details');
}
