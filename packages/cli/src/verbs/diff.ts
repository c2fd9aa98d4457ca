import { EXIT } from '../failure.ts';
import { compare, type Differences } from '../project/compare.ts';
import { openProject } from '../project/open.ts';
import { revisionSide, workspaceSide } from '../project/sides.ts';
import { paint } from '../render/paint.ts';
import { workProgress } from '../render/progress.ts';
import type { Context } from '../verb.ts';

interface Options {
  readonly targets?: readonly string[];
  readonly showHash?: boolean;
  readonly hideMissing?: boolean;
}

export async function diff(context: Context, [a = 'HEAD', b]: readonly string[], options: Options): Promise<number> {
  const project = await openProject(context);
  try {
    const { targets = [] } = options;
    const progress = workProgress(context, 'comparing');
    const old = revisionSide(context, project, a, targets);
    const now =
      b === undefined
        ? await workspaceSide(project, targets, { ...progress.options, signal: context.stop })
        : revisionSide(context, project, b, targets);
    progress.end();
    // Without commits there is nothing to compare with.
    if (old === undefined || now === undefined) return report(context, undefined, options);
    for (const target of targets) old.require(target, now);
    const found = compare(project.store, old, now);
    const withMissing = b === undefined && options.hideMissing !== true;
    return report(context, withMissing ? found : { ...found, missing: [] }, options);
  } finally {
    await project.close();
  }
}

function report(context: Context, found: Differences | undefined, options: Options): number {
  const isEmpty = found === undefined || Object.values(found).every((list) => list.length === 0);
  if (isEmpty) {
    context.emit({});
    return EXIT.done;
  }
  context.emit(asJson(found, options.showHash ?? false));
  const colour = context.io.colour.out;
  const groups = [
    ['Added', 'green', found.added.map((one) => [one.path, one.hash] as const)],
    ['Deleted', 'red', found.deleted.map((one) => [one.path, one.hash] as const)],
    ['Renamed', 'yellow', found.renamed.map((one) => [`${one.path.old} -> ${one.path.new}`, one.hash] as const)],
    ['Modified', 'yellow', found.modified.map((one) => [one.path, `${one.hash.old}..${one.hash.new}`] as const)],
    ['Not in cache', 'dim', found.missing.map((one) => [one.path, one.hash] as const)],
  ] as const;
  const summary: string[] = [];
  for (const [title, style, entries] of groups) {
    if (entries.length === 0) continue;
    context.print(`${paint(style, title, colour)}:`);
    for (const [path, hash] of entries)
      context.print(options.showHash === true ? `    ${hash}  ${path}` : `    ${path}`);
    context.print('');
    const files = entries.filter(([path]) => !path.endsWith('/')).length;
    if (files > 0) summary.push(`${files} ${title.toLowerCase()}`);
  }
  context.print(`files summary: ${summary.join(', ') || 'none'}`);
  return EXIT.done;
}

/** DVC's shape. */
function asJson(found: Differences, withHash: boolean) {
  const shown = <T extends { readonly path: unknown; readonly hash: unknown }>(entries: readonly T[]) =>
    entries.map(({ path, hash }) => (withHash ? { path, hash } : { path }));
  return {
    added: shown(found.added),
    deleted: shown(found.deleted),
    modified: shown(found.modified),
    renamed: shown(found.renamed),
    'not in cache': shown(found.missing),
  };
}
