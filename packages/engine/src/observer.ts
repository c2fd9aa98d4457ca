import { type AnyPath, type Artifact, FailureError, foldersAbove, type ParamDep } from '@dag/model';
import { type ParamFiles, type ParamsRead, paramFiles, type SourceReader } from '@dag/pipeline';
import type { Workspace } from '@dag/workspace';

/** Paths of one look: enough for all threads, and few enough that what it takes to look does not count beside the graph. */
const AT_ONCE = 4096;

/**
 * What stands in the workspace, looked at once: many paths in one go, then answered from memory until something is
 * known to have changed there.
 */
export class Observer {
  readonly #workspace: Workspace;
  readonly #params: ParamFiles;
  readonly #seen = new Map<AnyPath, Artifact | undefined>();
  readonly #written = new Map<AnyPath, number>();
  /** Paths that were asked for, by each folder above them. */
  readonly #below = new Map<AnyPath, Set<AnyPath>>();

  constructor({ workspace, reader }: { readonly workspace: Workspace; readonly reader: SourceReader }) {
    this.#workspace = workspace;
    this.#params = paramFiles(reader);
  }

  /** The values of declared params. */
  params(deps: readonly ParamDep[]): ParamsRead {
    return this.#params.read(deps);
  }

  /** The artifacts at these paths; undefined for one that is absent. */
  async observe<P extends AnyPath>(paths: Iterable<P>): Promise<ReadonlyMap<P, Artifact | undefined>> {
    const wanted = [...new Set(paths)];
    const unseen = wanted.filter((path) => !this.#seen.has(path));
    for (let from = 0; from < unseen.length; from += AT_ONCE) {
      const some = unseen.slice(from, from + AT_ONCE);
      for (const [path, artifact] of await this.#look(some)) this.#remember(path, artifact);
    }
    return new Map(wanted.map((path) => [path, this.#seen.get(path)]));
  }

  /** When what stands at a path, or a file in there, was last written, as far as it was looked at; ms since 1970. */
  writtenAt(path: AnyPath): number | undefined {
    return this.#written.get(path);
  }

  /** A file that vanishes while it is looked at (another process has set it aside, say) makes it look again. */
  async #look(paths: readonly AnyPath[]): Promise<ReadonlyMap<AnyPath, Artifact | undefined>> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#workspace.observe(paths, { onWritten: (path, time) => this.#written.set(path, time) });
      } catch (error) {
        const cause = error instanceof FailureError ? error.cause : undefined;
        if ((cause as NodeJS.ErrnoException | undefined)?.code !== 'ENOENT' || tries === 10) throw error;
      }
    }
  }

  /** Looks again at everything that overlaps these paths, when it is next asked for. */
  forget(paths: Iterable<AnyPath>): void {
    for (const path of paths) {
      this.#params.forget(path);
      this.#seen.delete(path);
      for (const below of this.#below.get(path) ?? []) this.#seen.delete(below);
      for (const above of foldersAbove(path)) this.#seen.delete(above);
    }
  }

  /** Takes what was just committed or checked out, without looking again. */
  learn(artifacts: Iterable<readonly [AnyPath, Artifact]>): void {
    const known = [...artifacts];
    this.forget(known.map(([path]) => path));
    for (const [path, artifact] of known) this.#remember(path, artifact);
  }

  #remember(path: AnyPath, artifact: Artifact | undefined): void {
    this.#seen.set(path, artifact);
    for (const above of foldersAbove(path)) {
      const below = this.#below.get(above) ?? new Set();
      this.#below.set(above, below.add(path));
    }
  }
}
