import { dataOf, lockPath } from '@dag/engine';
import {
  type AnyPath,
  type Artifact,
  FailureError,
  groupBy,
  isWithin,
  overlaps,
  parentPath,
  type StageAddress,
  sameArtifact,
  type TrackedData,
} from '@dag/model';
import type { Pipeline } from '@dag/pipeline';
import type { OpenProject } from '../project/open.ts';

/** What a run of some stages reads and none of them makes. */
export interface Inputs {
  readonly paths: ReadonlySet<AnyPath>;
  /** Each pipeline.lock that names tracked data which is read: where it names something else, git has changed it. */
  readonly locks: ReadonlyMap<AnyPath, readonly TrackedData[]>;
  /** The stages that a change of a path may concern: those that read it, and what lies downstream of them. */
  affected(path: AnyPath): ReadonlySet<StageAddress>;
}

/** What the selected stages are made from: deps, params, modules, and the files that the pipeline is read from. */
export function inputsOf(project: OpenProject, selection: readonly StageAddress[]): Inputs {
  const { pipeline } = project;
  const sources = pipelineSources(pipeline);
  const reads = new Map(selection.map((address) => [address, readBy(project, address)]));
  const made = selection.flatMap((address) => (pipeline.stages.get(address)?.outs ?? []).map((out) => out.path));
  const isMade = (path: AnyPath): boolean => made.some((out) => isWithin(out, path));
  const paths = new Set(sources);
  const stages = selection.flatMap((address) => pipeline.stages.get(address) ?? []);
  const locks = new Map<AnyPath, readonly TrackedData[]>(
    groupBy(dataOf(project, stages), ({ file }) => lockPath(file)),
  );
  for (const file of locks.keys()) paths.add(file);
  for (const list of reads.values()) for (const path of list) if (!isMade(path)) paths.add(path);
  return {
    paths,
    locks,
    affected(path) {
      if (sources.has(path)) return new Set(selection);
      const changed = locks.get(path)?.map((data) => data.path) ?? [path];
      const isRead = (one: AnyPath): boolean => changed.some((other) => overlaps(one, other));
      const readers = selection.filter((address) => reads.get(address)?.some(isRead));
      return downstreamOf(pipeline, readers);
    },
  };
}

/** Each pipeline.yaml, and the files that its templates drew from. */
function pipelineSources(pipeline: Pipeline): Set<AnyPath> {
  const files = new Set<AnyPath>(pipeline.files);
  for (const used of pipeline.used.values()) for (const file of used.keys()) files.add(file);
  for (const file of pipeline.files) {
    const folder = parentPath(file);
    files.add((folder === '' ? 'params.yaml' : `${folder}/params.yaml`) as AnyPath);
  }
  return files;
}

function readBy(project: OpenProject, address: StageAddress): AnyPath[] {
  const stage = project.pipeline.stages.get(address);
  if (stage === undefined) return [];
  const modules = stage.action.kind === 'worker' ? [stage.action.module] : [];
  const imported = project.locks.stage(stage)?.worker?.files.keys() ?? [];
  return [...stage.deps.map((dep) => dep.path), ...stage.params.map((params) => params.file), ...modules, ...imported];
}

function downstreamOf(pipeline: Pipeline, from: readonly StageAddress[]): Set<StageAddress> {
  const found = new Set(from);
  for (const address of found) for (const next of pipeline.downstream(address)) found.add(next);
  return found;
}

/**
 * What inputs hold, by content: a file that is touched, or written anew with the same bytes, has not changed. The stat cache
 * keeps a look at many files from reading them all. What can't be read (somebody is still writing it, say) is taken for
 * changed whenever it is touched: the run that follows says what is wrong.
 */
export class Contents {
  readonly #project: OpenProject;
  readonly #paths: readonly AnyPath[];
  readonly #locks: Inputs['locks'];
  /** Without those that could not be read. */
  readonly #known = new Map<AnyPath, Artifact | undefined>();

  constructor(project: OpenProject, { paths, locks }: Inputs) {
    this.#project = project;
    this.#paths = [...paths].filter((path) => !locks.has(path));
    this.#locks = locks;
  }

  /** Takes what stands there from now on as known. */
  async learn(): Promise<void> {
    this.#know(this.#paths, await this.#look(this.#paths));
  }

  /** The inputs around `touched` whose content is another than the known one; it is known from then on. */
  async changed(touched: ReadonlySet<AnyPath>): Promise<AnyPath[]> {
    if (touched.size === 0) return [];
    const candidates = this.#paths.filter((path) => [...touched].some((one) => overlaps(path, one)));
    const now = await this.#look(candidates);
    const isKnown = (path: AnyPath): boolean => this.#known.has(path) && now.has(path);
    const changed = candidates.filter((path) => !isKnown(path) || !sameArtifact(this.#known.get(path), now.get(path)));
    this.#know(candidates, now);
    const locks = [...this.#locks].filter(([file]) => touched.has(file));
    for (const [file, data] of locks) if (await this.#isOther(data)) changed.push(file);
    return changed;
  }

  /** Whether data is not what its lock names: where it is, it was a run of ours that wrote that. */
  async #isOther(data: readonly TrackedData[]): Promise<boolean> {
    const { locks } = this.#project;
    const now = await this.#look(data.map(({ path }) => path));
    try {
      return data.some((entry) => {
        const locked = locks.data(entry);
        // Git may be about to write it.
        return locked !== undefined && !sameArtifact(now.get(entry.path), locked);
      });
    } catch (error) {
      if (error instanceof FailureError) return true;
      throw error;
    }
  }

  #know(paths: readonly AnyPath[], found: ReadonlyMap<AnyPath, Artifact | undefined>): void {
    for (const path of paths) {
      if (found.has(path)) this.#known.set(path, found.get(path));
      else this.#known.delete(path);
    }
  }

  /** What stands at paths; none of them where one can't be read. */
  async #look(paths: readonly AnyPath[]): Promise<ReadonlyMap<AnyPath, Artifact | undefined>> {
    try {
      return await this.#project.workspace.observe(paths);
    } catch (error) {
      if (error instanceof FailureError) return new Map();
      throw error;
    }
  }
}
