import fs from 'node:fs';
import path from 'node:path';
import {
  type AnyPath,
  type Artifact,
  absolutePath,
  isInside,
  isWithin,
  type LockedStage,
  type ProjectPath,
  type Stage,
  sameArtifact,
} from '@dag/model';
import { BACKEND_FACTS } from '../history/made-with.ts';
import { viewStage } from '../observe-stage.ts';
import { Observer } from '../observer.ts';
import type { FetchItem, Project } from '../project.ts';
import type { Made } from '../repro-run.ts';
import { runKey } from '../run-key.ts';
import { type NumbersByKey, numbersIn } from './compare/numbers.ts';
import { anyHolds, compareOut, type ImageCompare } from './compare/out.ts';
import { Owners } from './owners.ts';
import type { CleanTree, ContextDifference, OneRun, Originals, Strays } from './types.ts';

/** What git has of outs that are not cached, kept beside before they are made again. @returns those that are as locked. */
export async function keepCommitted(tree: CleanTree, stage: Stage, locked: LockedStage): Promise<ReadonlySet<AnyPath>> {
  const paths = stage.outs.filter(({ cache, path }) => !cache && isInside(path)).map(({ path }) => path);
  const there = await tree.project.workspace.observe(paths);
  const kept = paths.filter(
    (path) => there.get(path) !== undefined && sameArtifact(there.get(path), locked.outs.get(path)),
  );
  for (const path of kept) copy(absolutePath(tree.project.root, path), absolutePath(tree.beside, path));
  return new Set(kept);
}

export async function compareOuts(
  tree: CleanTree,
  stage: Stage,
  locked: LockedStage,
  made: Made,
  committed: ReadonlySet<AnyPath>,
  { originals, images }: { readonly originals: Originals; readonly images?: ImageCompare | undefined },
): Promise<Pick<Extract<OneRun, { status: 'ran' }>, 'differing' | 'unknown' | 'holdsPath'>> {
  const { root } = tree.project;
  const differs = stage.outs.flatMap(({ path }) => {
    const before = locked.outs.get(path);
    return before === undefined || sameArtifact(before, made.outs.get(path)) ? [] : [{ path, artifact: before }];
  });
  const wanted = differs.filter((item): item is FetchItem => !committed.has(item.path) && isInside(item.path));
  const gone = new Set(await originals.bring(wanted, tree.beside));
  const isKnown = ({ path }: { path: AnyPath; artifact: Artifact }) => isInside(path) && !gone.has(path);
  const checks = stage.verify ?? [];
  const differing = differs
    .filter(isKnown)
    .flatMap(({ path }) =>
      compareOut(path, absolutePath(tree.beside, path), absolutePath(root, path), { checks, images }),
    );
  const isIgnored = (path: AnyPath) => checks.some((check) => check.path === path && check.ignore === true);
  return {
    differing,
    unknown: differs.filter((item) => !isKnown(item) && !isIgnored(item.path)).map(({ path }) => path),
    holdsPath: differing
      .filter(({ path, comparison }) => comparison.verdict === 'different' && anyHolds(absolutePath(root, path), root))
      .map(({ path }) => path),
  };
}

/** What was written beside the outs: neither them, nor what was put there for the stage to read. */
export function strayFiles(tree: CleanTree, stage: Stage, inputs: readonly FetchItem[]): Strays {
  const known = [...stage.outs.map(({ path }) => path), ...inputs.map(({ path }) => path)];
  const isStray = (path: ProjectPath) => !known.some((one) => isWithin(one, path));
  const { changed, added, ignored } = tree.strays();
  const owners = new Owners(tree.project);
  const isOwned = (path: ProjectPath) => (owners.at(path) ?? owners.around(path)) !== undefined;
  const strays = ignored.filter(isStray);
  return {
    changed: changed.filter(isStray),
    // What belongs to another stage is ignored by git as a rule, and is not this one's to write.
    added: [...added.filter(isStray), ...strays.filter(isOwned)].sort(),
    ignored: strays.filter((path) => !isOwned(path)),
  };
}

/** How the surroundings differ from those of the locked run, where there is a record of it. */
export async function contextsOf(
  { project }: CleanTree,
  stage: Stage,
  locked: LockedStage,
  made: Made,
  originals: Originals,
): Promise<readonly ContextDifference[]> {
  const { observed } = await viewStage(project, new Observer(project), stage);
  const records = await originals.records(runKey(observed.fingerprint));
  const record = records.find(({ outs }) =>
    [...outs].every(([path, artifact]) => sameArtifact(artifact, locked.outs.get(path))),
  );
  if (record === undefined) return [];
  const now = { ...project.context(), ...made.context };
  const names = stage.action.kind === 'worker' ? [...PLATFORM, ...WORKER] : PLATFORM;
  return names.flatMap((name) => {
    const [before, after] = [record.context[name], now[name]];
    return before === undefined || after === undefined || before === after
      ? []
      : [{ name, before: `${before}`, now: `${after}` }];
  });
}

/** What of the surroundings may decide the last bits of a number. */
const PLATFORM = ['platform', 'backend', 'backendPackage'];
const WORKER = ['cpu', 'node', ...BACKEND_FACTS, 'gpus', 'gpuDriver'];

/** The numbers in the metrics files that a stage has made. */
export function metricsOf({ root }: Project, stage: Stage): Map<AnyPath, NumbersByKey> {
  const files = stage.outs.filter(({ kind, path: at }) => {
    return kind === 'metric' && fs.statSync(absolutePath(root, at), { throwIfNoEntry: false })?.isFile() === true;
  });
  return new Map(files.map(({ path: at }) => [at, numbersIn(fs.readFileSync(absolutePath(root, at)), at)]));
}

function copy(from: string, to: string): void {
  fs.mkdirSync(path.dirname(to), { recursive: true });
  fs.cpSync(from, to, { recursive: true, verbatimSymlinks: true, mode: fs.constants.COPYFILE_FICLONE });
}
