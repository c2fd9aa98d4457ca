import { type Digest, FailureError, isInside, isWithin, type ObjectFailure, type ProjectPath } from '@dag/model';
import type { Remade } from '@dag/remote';
import type { DamagedObject } from '@dag/store';
import { EXIT } from '../failure.ts';
import { bringBack } from '../project/bring-back.ts';
import { healRemote } from '../project/heal-remote.ts';
import { type OpenProject, openProject } from '../project/open.ts';
import { defaultRemotes, openNamedRemote, remoteConfig, remotesOf } from '../project/remotes.ts';
import { historyRoots, namesOf, recordRoots, type Use, workspaceRoots } from '../project/roots.ts';
import { allTracked } from '../project/tracked.ts';
import { transferProgress, workProgress } from '../render/progress.ts';
import { bytesText, count } from '../render/units.ts';
import type { Context } from '../verb.ts';

interface Options {
  readonly sample?: string;
  readonly remote?: string;
}

export async function fsck(context: Context, _positional: readonly string[], options: Options): Promise<number> {
  const sample = options.sample === undefined ? 1 : share(options.sample);
  const project = await openProject(context, { mutates: true });
  try {
    if (options.remote !== undefined) remoteConfig(project, options.remote);
    const progress = workProgress(context, 'checking');
    const report = await project.workspace.checkCache({
      sample,
      onProgress: ({ objects, bytes }) => progress.options.onProgress({ files: objects, bytes }),
      signal: context.stop,
    });
    progress.end();
    const records = badRecords(project);
    const there = new Set(report.damaged.map(({ digest }) => digest).filter((digest) => project.store.has(digest)));
    let uses = await usesOf(context, project, report.damaged);
    let mended = await refetch(context, project, report.damaged, uses, options.remote);
    // A folder that came back tells what lay in it.
    if (mended.size > 0 && uses.size < report.damaged.length) {
      uses = await usesOf(context, project, report.damaged);
      mended = await refetch(context, project, report.damaged, uses, options.remote);
    }
    const failed = report.damaged.flatMap((one) => failuresOf(one, uses.get(one.digest)));
    show(context, report.damaged, uses, { there, mended });
    for (const pack of report.packs) {
      context.emit({ event: 'damaged', pack });
      context.print(
        `damaged  a pack, now ${pack}: what was in it can't be told; 'dag fetch' or 'dag repro' bring it back`,
      );
    }
    for (const file of records) {
      context.emit({ event: 'damaged', record: file });
      context.print(`damaged  a run record, now removed: ${file}`);
    }
    const { objects, bytes } = report;
    const inRemote =
      options.remote === undefined ? undefined : await checkRemote(context, project, options.remote, sample);
    failed.push(...(inRemote?.failed ?? []));
    context.emit({ event: 'summary', objects, bytes, failed, mended: [...mended], packs: report.packs, records });
    const found = report.damaged.length + report.packs.length + records.length;
    context.print(
      `${count(objects, 'object')} checked, ${bytesText(bytes)}: ${found === 0 ? 'all are whole' : `${found} damaged, ${mended.size} of them there again`}.`,
    );
    if (inRemote !== undefined) context.print(inRemote.text);
    return found === 0 && inRemote?.isWhole !== false ? EXIT.done : EXIT.unsuccessful;
  } finally {
    await project.close();
  }
}

/** Checks what is in a remote too; what is damaged there is taken out of its index and named. */
async function checkRemote(context: Context, project: OpenProject, name: string, sample: number) {
  const remote = await openNamedRemote(project, context, name);
  const progress = transferProgress(context, name);
  try {
    const report = await remote.check({ sample, signal: context.stop, onEvent: progress.event });
    progress.end();
    const others = [...new Set([...defaultRemotes(project, context), ...project.pipeline.settings.remotes.keys()])];
    const takenOut = { ...report, others: others.filter((other) => other !== name) };
    const heals = report.damaged.length > 0 && remote.writable;
    const healed = heals ? await healRemote(context, project, remote, takenOut) : new Set<Digest>();
    // What came back tells what lay in it.
    const wanted = new Set(report.damaged.map(({ digest }) => digest));
    const here = namesOf(project.store, workspaceRoots(project.root, project.pipeline.files), wanted);
    const uses =
      here.size === wanted.size ? here : namesOf(project.store, historyRoots(project.root, context.io.env), wanted);
    const useOf = (digest: Digest) => (here.get(digest) ?? uses.get(digest) ?? [])[0];
    const damaged = report.damaged.map((object) => ({ ...object, use: useOf(object.digest) }));
    const failed = damaged.flatMap(({ digest, use }): ObjectFailure[] => {
      const end = healed.has(digest) ? ', and sent again' : remote.writable ? ', and nowhere else to be had' : '';
      const reason = `damaged in the remote '${name}'${end}`;
      context.emit({ event: 'damaged', digest, paths: use === undefined ? [] : [use.path], reason, remote: name });
      context.print(`damaged  ${use?.path ?? 'nothing that is known uses it'}  ${digest.slice(0, 19)}: ${reason}`);
      return [{ path: use?.path ?? '', digest, reason }];
    });
    sayRemade(context, name, report.remade, remote.writable);
    const isWhole = report.damaged.length + report.remade.indexes === 0;
    const again =
      healed.size > 0 ? `, ${damaged.filter(({ digest }) => healed.has(digest)).length} of them there again` : '';
    const result = isWhole ? 'all are whole' : `${count(damaged.length, 'object')} in them damaged${again}`;
    const text = `${count(report.packs, 'pack')} of the remote '${name}' checked, ${bytesText(report.bytes)}: ${result}.`;
    return { failed, isWhole, text };
  } finally {
    progress.end();
    remote.close();
  }
}

function sayRemade(context: Context, name: string, { indexes, packs, entries }: Remade, isWritable: boolean): void {
  if (indexes + packs > 0) context.emit({ event: 'remade', remote: name, indexes, packs, entries });
  if (indexes > 0) {
    const what = isWritable ? 'removed, and made again from what lies in packs' : 'what only it names is not found';
    context.print(`damaged  ${count(indexes, 'index object')} of the remote '${name}': ${what}`);
  }
  if (packs > 0) {
    const found = entries === 1 ? '1 entry' : `${entries} entries`;
    context.print(
      `restored ${count(packs, 'pack')} that no index named: ${found} of the remote '${name}' are found again`,
    );
  }
}

/** The share that `--sample 10%` (or `10`) asks for, from 0 to 1. */
function share(text: string): number {
  const percent = /^(\d+(?:\.\d+)?)%?$/.exec(text)?.[1];
  if (percent !== undefined && Number(percent) > 0 && Number(percent) <= 100) return Number(percent) / 100;
  throw new FailureError({ code: 'usage', message: `--sample takes a share like 10%, not '${text}'` });
}

function badRecords(project: OpenProject): string[] {
  const files = [...project.store.runs.files()];
  const bad = files.filter(({ record, isLater }) => record === undefined && !isLater).map(({ file }) => file);
  for (const file of bad) project.store.runs.remove(file);
  return bad;
}

/** Where damaged objects are used: in the workspace, else in history, else by a run. */
async function usesOf(
  context: Context,
  project: OpenProject,
  damaged: readonly DamagedObject[],
): Promise<Map<Digest, Use[]>> {
  const { store, root, pipeline } = project;
  const wanted = new Set(damaged.map(({ digest }) => digest));
  if (wanted.size === 0) return new Map();
  const here = namesOf(store, workspaceRoots(root, pipeline.files), wanted);
  if (here.size === wanted.size) return here;
  const history = historyRoots(root, context.io.env);
  const runs = [...store.runs.list()].flatMap(recordRoots);
  const uses = new Map([...namesOf(store, [...history, ...runs], wanted), ...here]);
  if (uses.size < wanted.size) {
    const tracked = allTracked(project).map(({ path }) => path);
    for (const [path, { digest, kind }] of await project.workspace.list(tracked.filter(isInside))) {
      if (wanted.has(digest) && !uses.has(digest)) uses.set(digest, [{ path, kind }]);
    }
  }
  return uses;
}

function failuresOf({ digest, reason }: DamagedObject, uses: readonly Use[] = []): ObjectFailure[] {
  if (uses.length === 0) return [{ path: '', digest, reason }];
  return uses.map(({ path }) => ({ path, digest, reason }));
}

function show(
  context: Context,
  damaged: readonly DamagedObject[],
  uses: ReadonlyMap<Digest, readonly Use[]>,
  { there, mended }: { readonly there: ReadonlySet<Digest>; readonly mended: ReadonlySet<Digest> },
): void {
  for (const { digest, reason, quarantined } of damaged) {
    const known = uses.get(digest) ?? [];
    const paths = known.map(({ path }) => path);
    context.emit({ event: 'damaged', digest, paths, reason, quarantined, mended: mended.has(digest) });
    const names = known.map(({ path, from }) => (from === undefined ? path : `${path} (${from})`));
    const name = names.length === 0 ? 'nothing that is known uses it' : names.join(', ');
    const what = there.has(digest) ? 'the cache has it twice' : mended.has(digest) ? 'fetched again' : reason;
    context.print(`damaged  ${name}  ${digest.slice(0, 19)}: ${what}; the bad bytes are in ${quarantined}`);
  }
  if (damaged.length > mended.size) {
    context.say(
      "What was not fetched again: 'dag commit' or 'dag add' stores it where the workspace still has it, 'dag repro' makes it.",
    );
  }
}

/** Brings damaged objects back from the remotes of the paths that use them, in their order. @returns those that came. */
async function refetch(
  context: Context,
  project: OpenProject,
  damaged: readonly DamagedObject[],
  uses: ReadonlyMap<Digest, readonly Use[]>,
  named: string | undefined,
): Promise<Set<Digest>> {
  const tracked = allTracked(project);
  const defaults = defaultRemotes(project, context);
  const wanted = damaged.map(({ digest, size }) => {
    const use = uses.get(digest)?.[0];
    const owner = use && tracked.find(({ path }) => isWithin(path, use.path as ProjectPath));
    const usual = owner === undefined ? defaults : remotesOf(project, context, owner, undefined);
    return { digest, size, use, remotes: [...new Set(named === undefined ? usual : [named, ...usual])] };
  });
  await bringBack(context, project, wanted);
  return new Set(damaged.map(({ digest }) => digest).filter((digest) => project.store.has(digest)));
}
