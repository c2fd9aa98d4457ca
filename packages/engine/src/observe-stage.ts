import type {
  AnyPath,
  Artifact,
  Diagnostic,
  Digest,
  Failure,
  Fingerprint,
  LockedStage,
  LockedWorker,
  ProjectPath,
  Stage,
  StageAddress,
  Value,
} from '@dag/model';
import type { MissingParam } from '@dag/pipeline';
import type { Declared } from './changes.ts';
import type { Observed } from './decide.ts';
import type { Observer } from './observer.ts';
import type { Project } from './project.ts';

/** A stage as it stands, and what keeps it from running. */
export interface StageView {
  readonly observed: Observed;
  readonly missingDeps: readonly AnyPath[];
  /** Deps that are not there either, and count as what `missing` took them for. */
  readonly assumed: ReadonlyMap<AnyPath, Artifact>;
  readonly missingParams: readonly MissingParam[];
  /** What is wrong with its params files; nothing that is said of the stage holds before that is mended. */
  readonly paramProblems: readonly Diagnostic[];
  /** Why its module can't run. */
  readonly moduleProblem?: Failure;
}

export interface ViewOptions {
  /** Upstream stages whose outs are about to change. */
  readonly pending?: readonly StageAddress[];
  /** What to take for a dep that is absent; undefined leaves it absent. */
  readonly missing?: (path: AnyPath) => Artifact | undefined;
}

/** Looks at everything that a decision about one stage needs. */
export async function viewStage(
  project: Project,
  observer: Observer,
  stage: Stage,
  options: ViewOptions = {},
): Promise<StageView> {
  const seen = await observer.observe(stagePaths(stage));
  const deps = new Map<AnyPath, Artifact>();
  const missingDeps: AnyPath[] = [];
  const assumed = new Map<AnyPath, Artifact>();
  for (const { path } of stage.deps) {
    const there = seen.get(path);
    const artifact = there ?? options.missing?.(path);
    if (there === undefined && artifact !== undefined) assumed.set(path, artifact);
    if (artifact === undefined) missingDeps.push(path);
    else deps.set(path, artifact);
  }
  const params = observer.params(stage.params);
  const worker = await viewWorker(project, observer, stage);
  const fingerprint: Fingerprint = {
    ...(stage.action.kind === 'command' ? { cmd: stage.action.cmd } : {}),
    ...(worker.worker === undefined ? {} : { worker: worker.worker }),
    wdir: stage.wdir,
    deps,
    params: withUsed(params.values, project.pipeline.used.get(stage.address)),
    env: new Map(stage.env.map(({ name, value }) => [name, value ?? project.env[name] ?? null])),
    outs: new Set(stage.outs.map((out) => out.path)),
    ...(stage.salt === undefined ? {} : { salt: stage.salt }),
    ...(stage.shell === undefined ? {} : { shell: stage.shell }),
  };
  const observed: Observed = {
    fingerprint,
    declared: declaredBy(stage),
    outs: new Map(stage.outs.map((out) => [out.path, seen.get(out.path)])),
    pending: options.pending ?? [],
  };
  return {
    observed,
    missingDeps,
    assumed,
    missingParams: params.missing,
    paramProblems: params.diagnostics,
    ...(worker.failure === undefined ? {} : { moduleProblem: worker.failure }),
  };
}

/** Every path that a stage's decision looks at. */
export function stagePaths(stage: Stage): AnyPath[] {
  return [...stage.deps, ...stage.outs].map(({ path }) => path);
}

/** The entry that the lock gets for a run with this fingerprint. */
export function lockedStage(stage: Stage, fingerprint: Fingerprint, outs: ReadonlyMap<AnyPath, Artifact>): LockedStage {
  const { cmd, worker, wdir, deps, params, env, salt, shell } = fingerprint;
  const folder = stage.file.slice(0, Math.max(0, stage.file.lastIndexOf('/')));
  return {
    ...(cmd === undefined ? {} : { cmd }),
    ...(worker === undefined ? {} : { worker }),
    ...(wdir === folder ? {} : { wdir }),
    ...(salt === undefined ? {} : { salt }),
    ...(shell === undefined ? {} : { shell }),
    deps,
    params,
    env,
    outs,
  };
}

function declaredBy(stage: Stage): Declared {
  const params = new Map(stage.params.map(({ file, keys }) => [file, keys]));
  return {
    deps: new Set(stage.deps.map((dep) => dep.path)),
    params: (file, key) => {
      const keys = params.get(file);
      if (keys === 'all') return 'whole-file';
      return keys?.includes(key) ? 'named' : undefined;
    },
  };
}

type ParamValues = Fingerprint['params'];

function withUsed(declared: ParamValues, used: ParamValues | undefined): ParamValues {
  if (used === undefined || used.size === 0) return declared;
  const all = new Map<AnyPath, ReadonlyMap<string, Value>>(declared);
  for (const [file, values] of used) all.set(file, new Map([...values, ...(all.get(file) ?? [])]));
  return all;
}

async function viewWorker(
  project: Project,
  observer: Observer,
  stage: Stage,
): Promise<{ worker?: LockedWorker; failure?: Failure }> {
  if (stage.action.kind !== 'worker') return {};
  const { module, backend } = stage.action;
  const pinned = backend === undefined ? {} : { backend };
  const locked = project.locks.stage(stage);
  const unchanged = await unchangedClosure(observer, module, locked);
  if (unchanged !== undefined) return { worker: { module, ...pinned, files: unchanged } };
  const closure = await project.modules.closure(module);
  if (!closure.ok) {
    return {
      worker: { module, ...pinned, files: await lastClosure(observer, module, locked) },
      failure: closure.error,
    };
  }
  return { worker: { module, ...pinned, files: closure.value.files } };
}

/**
 * The closure that the lock holds, if none of its files changed, so that esbuild needn't be asked again. An import is
 * taken to lead where it led: a new file that an import without an extension would now find is not seen.
 */
async function unchangedClosure(
  observer: Observer,
  module: ProjectPath,
  locked: LockedStage | undefined,
): Promise<ReadonlyMap<ProjectPath, Digest> | undefined> {
  const files = locked?.worker?.files;
  if (files === undefined || locked?.worker?.module !== module || files.size === 0) return undefined;
  const seen = await observer.observe(files.keys());
  for (const [path, digest] of files) if (seen.get(path)?.digest !== digest) return undefined;
  return files;
}

/** What is known of a module that does not compile: the files that it consisted of when it last did, as they are now. */
async function lastClosure(
  observer: Observer,
  module: ProjectPath,
  locked: LockedStage | undefined,
): Promise<ReadonlyMap<ProjectPath, Digest>> {
  const seen = await observer.observe([module, ...(locked?.worker?.files.keys() ?? [])]);
  const files = [...seen].flatMap(([path, artifact]) =>
    artifact === undefined ? [] : [[path, artifact.digest] as const],
  );
  return new Map(files);
}
