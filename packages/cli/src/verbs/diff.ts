import { type Digest, digestHex } from '@dag/model';
import { WORKSPACE } from '../compare/open.ts';
import { openRevisions } from '../compare/revisions.ts';
import { compareStages, type StageDifferences } from '../compare/stages.ts';
import { EXIT } from '../failure.ts';
import { compare, type Differences } from '../project/compare.ts';
import { openProject } from '../project/open.ts';
import { revisionSide, type Side, workspaceSide } from '../project/sides.ts';
import { changeJson, changeText } from '../render/change.ts';
import { type Paint, paint } from '../render/paint.ts';
import { workProgress } from '../render/progress.ts';
import { tableLines } from '../render/table.ts';
import { bytesText } from '../render/units.ts';
import type { Context } from '../verb.ts';

interface Options {
  readonly targets?: readonly string[];
  readonly showHash?: boolean;
  readonly showSize?: boolean;
  readonly md?: boolean;
  readonly stages?: boolean;
  readonly hideMissing?: boolean;
}

export async function diff(context: Context, [a = 'HEAD', b]: readonly string[], options: Options): Promise<number> {
  const project = await openProject(context, { revisionsOnly: a !== WORKSPACE && b !== undefined && b !== WORKSPACE });
  try {
    const { targets = [] } = options;
    const progress = workProgress(context, 'comparing');
    const sideOf = (name: string): Promise<Side> | Side | undefined =>
      name === WORKSPACE
        ? workspaceSide(project, targets, { ...progress.options, signal: context.stop })
        : revisionSide(context, project, name, targets);
    const old = await sideOf(a);
    const now = await sideOf(b ?? WORKSPACE);
    progress.end();
    // Without commits there is nothing to compare with.
    if (old === undefined || now === undefined) return report(context, undefined, options);
    for (const target of targets) old.require(target, now);
    const found = compare(project.store, old, now);
    const revisions = options.stages === true ? openRevisions(project) : undefined;
    const stages =
      revisions === undefined ? undefined : compareStages(revisions.snapshot(a), revisions.snapshot(b ?? WORKSPACE));
    const withMissing = b === undefined && options.hideMissing !== true;
    return report(context, withMissing ? found : { ...found, missing: [] }, options, stages);
  } finally {
    await project.close();
  }
}

function report(context: Context, found: Differences | undefined, options: Options, stages?: StageDifferences): number {
  const isEmpty =
    found === undefined || [...Object.values(found), ...stageLists(stages)].every((list) => list.length === 0);
  context.emit(
    isEmpty ? {} : { ...asJson(found, options), ...(stages === undefined ? {} : { stages: stagesJson(stages) }) },
  );
  if (isEmpty) return EXIT.done;
  for (const line of options.md === true ? markdownLines(found, options) : lines(context, found, options)) {
    context.print(line);
  }
  if (stages !== undefined) for (const line of stageLines(context, stages, options)) context.print(line);
  return EXIT.done;
}

function stageLists(stages: StageDifferences | undefined): readonly (readonly unknown[])[] {
  return stages === undefined ? [] : [stages.added, stages.deleted, [...stages.modified]];
}

function stagesJson({ added, deleted, modified }: StageDifferences) {
  return { added, deleted, modified: new Map([...modified].map(([name, changes]) => [name, changes.map(changeJson)])) };
}

/** Stages with what set their last runs apart, as `dag why` says it. */
function stageLines(context: Context, { added, deleted, modified }: StageDifferences, { md }: Options): string[] {
  const rows = [
    ...added.map((stage) => ['added', stage, ''] as const),
    ...deleted.map((stage) => ['deleted', stage, ''] as const),
    ...[...modified].flatMap(([stage, changes]) =>
      changes.map((change) => ['modified', stage, changeText(change)] as const),
    ),
  ];
  if (rows.length === 0) return [];
  if (md === true) return tableLines(['Status', 'Stage', 'Change'], rows, { markdown: true });
  const named = [...new Set(rows.map(([status, stage]) => `${status} ${stage}`))];
  return [
    '',
    `${paint('yellow', 'Stages', context.io.colour.out)}:`,
    ...named.flatMap((name) => [
      `    ${name}`,
      ...rows.flatMap(([status, stage, text]) =>
        `${status} ${stage}` === name && text !== '' ? [`        ${text}`] : [],
      ),
    ]),
  ];
}

/** A path of a list, as text. */
interface Row {
  readonly path: string;
  readonly hash: string;
  readonly size: string;
}

/** The lists in DVC's order, each with its title. */
function groupsOf(found: Differences): (readonly [title: string, style: Paint, rows: readonly Row[]])[] {
  const row = ({ path, hash, size }: Differences['added'][number]): Row => ({
    path,
    hash: short(hash),
    size: bytesText(size),
  });
  const renamed = found.renamed.map(({ path, ...rest }) => row({ path: `${path.old} -> ${path.new}`, ...rest }));
  const modified = found.modified.map(({ path, hash, size }) => ({
    path,
    hash: `${short(hash.old)}..${short(hash.new)}`,
    size: size.old === size.new ? bytesText(size.new) : `${bytesText(size.old)} -> ${bytesText(size.new)}`,
  }));
  return [
    ['Added', 'green', found.added.map(row)],
    ['Deleted', 'red', found.deleted.map(row)],
    ['Renamed', 'yellow', renamed],
    ['Modified', 'yellow', modified],
    ['Not in cache', 'dim', found.missing.map(row)],
  ];
}

function short(digest: Digest): string {
  return digestHex(digest).slice(0, 8);
}

function lines(context: Context, found: Differences, { showHash, showSize }: Options): string[] {
  const summary: string[] = [];
  const shown = groupsOf(found).flatMap(([title, style, rows]) => {
    if (rows.length === 0) return [];
    const files = rows.filter(({ path }) => !path.endsWith('/')).length;
    if (files > 0) summary.push(`${files} ${title.toLowerCase()}`);
    const line = ({ path, hash, size }: Row): string =>
      `    ${showHash === true ? `${hash}  ` : ''}${path}${showSize === true ? `  ${size}` : ''}`;
    return [`${paint(style, title, context.io.colour.out)}:`, ...rows.map(line), ''];
  });
  return [...shown, `files summary: ${summary.join(', ') || 'none'}`];
}

function markdownLines(found: Differences, { showHash, showSize }: Options): string[] {
  const chosen = <T>(status: T, hash: T, path: T, size: T): T[] => [
    status,
    ...(showHash === true ? [hash] : []),
    path,
    ...(showSize === true ? [size] : []),
  ];
  const rows = groupsOf(found).flatMap(([title, , group]) =>
    group.map(({ path, hash, size }) => chosen(title.toLowerCase(), hash, path, size)),
  );
  return tableLines(chosen('Status', 'Hash', 'Path', 'Size'), rows, { markdown: true });
}

/** DVC's shape; sizes beside it where they are asked for. */
function asJson(found: Differences, { showHash, showSize }: Options) {
  const shown = <T extends { readonly path: unknown; readonly hash: unknown; readonly size: unknown }>(
    entries: readonly T[],
  ) =>
    entries.map(({ path, hash, size }) => ({
      path,
      ...(showHash === true ? { hash } : {}),
      ...(showSize === true ? { size } : {}),
    }));
  return {
    added: shown(found.added),
    deleted: shown(found.deleted),
    modified: shown(found.modified),
    renamed: shown(found.renamed),
    'not in cache': shown(found.missing),
  };
}
