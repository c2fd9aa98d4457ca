import { type AnyPath, type Artifact, foldersAbove, type Stage, type StageAddress, type TrackedData } from '@dag/model';
import type { Project } from '../project.ts';

/** Who makes or tracks a path, and what the lock says that it is. */
export interface Owner {
  readonly path: AnyPath;
  readonly by: { readonly stage: StageAddress } | { readonly data: AnyPath };
  /** Undefined where the lock says nothing of it. */
  readonly artifact: Artifact | undefined;
}

/** Every out and all tracked data of a project, by path. */
export class Owners {
  readonly #byPath = new Map<AnyPath, Owner>();
  readonly #inside = new Map<AnyPath, Owner[]>();

  constructor(project: Pick<Project, 'pipeline' | 'locks'>) {
    for (const stage of project.pipeline.stages.values()) this.#addOuts(stage, project.locks.stage(stage)?.outs);
    for (const data of project.pipeline.data) this.#addData(data, project.locks.data(data));
  }

  /** Who owns this very path. */
  at(path: AnyPath): Owner | undefined {
    return this.#byPath.get(path);
  }

  /** Who owns a folder that the path lies in. */
  around(path: AnyPath): Owner | undefined {
    for (const folder of foldersAbove(path)) {
      const owner = this.#byPath.get(folder);
      if (owner !== undefined) return owner;
    }
    return undefined;
  }

  /** All that is owned inside a folder. */
  inside(folder: AnyPath): readonly Owner[] {
    return this.#inside.get(folder) ?? [];
  }

  #addOuts(stage: Stage, outs: ReadonlyMap<AnyPath, Artifact> | undefined): void {
    for (const { path } of stage.outs) this.#add({ path, by: { stage: stage.address }, artifact: outs?.get(path) });
  }

  #addData(data: TrackedData, artifact: Artifact | undefined): void {
    this.#add({ path: data.path, by: { data: data.path }, artifact });
  }

  #add(owner: Owner): void {
    this.#byPath.set(owner.path, owner);
    for (const folder of foldersAbove(owner.path)) {
      const there = this.#inside.get(folder);
      if (there === undefined) this.#inside.set(folder, [owner]);
      else there.push(owner);
    }
  }
}
