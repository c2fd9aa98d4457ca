import fs from 'node:fs';
import path from 'node:path';
import { type AnyPath, absolutePath, type Stage, type StageAddress } from '@dag/model';
import type { Pipeline } from '@dag/pipeline';

/** What a path is to a stage that runs. */
export type Verdict =
  /** It, or a folder around it, is a dep; or a params file or module, which are known in other ways. */
  | { readonly is: 'dep'; readonly dep: AnyPath | undefined }
  | { readonly is: 'out' }
  /** Of dag itself: the cache, the program, what runs its workers. */
  | { readonly is: 'own' }
  /** Of the system, a language, or a package that was installed: not what a project is made of. */
  | { readonly is: 'package' }
  /** Of git's folder. */
  | { readonly is: 'git' }
  /** Where programs keep what they need for a while. */
  | { readonly is: 'temporary' }
  | { readonly is: 'project' }
  /** A user's file that lies elsewhere. */
  | { readonly is: 'outside' };

/** Folders of the system. What a stage reads there comes with the machine. */
const SYSTEM = '/bin /boot /dev /etc /lib /lib32 /lib64 /libx32 /nix /opt /proc /run /sbin /snap /sys /usr /var'.split(
  ' ',
);

/** What stands beside the `bin` that a program was run from. */
const INSTALLED = ['bin', 'etc', 'include', 'lib', 'lib64', 'libexec', 'share', 'ssl'];

/** Folders by this name hold packages, or what a language keeps of its own. */
const PACKAGE_FOLDERS = new Set([
  'node_modules',
  'site-packages',
  'dist-packages',
  '__pycache__',
  '.ipynb_checkpoints',
]);

/** Folders of the temporary one in which programs keep things from one run to the next. */
const KEPT_FOR_LATER = /^(?:node-compile-cache|v8-compile-cache|jiti|tsx-|torchinductor_|hsperfdata_|\.X|\.ICE)/;

/** More folders than these are not remembered. */
const MOST_FOLDERS = 50_000;

/** Where things are, as far as they are the same for all stages. */
export interface Surroundings {
  /** The project root: absolute, without symlinks. */
  readonly root: string;
  /** Folders of dag itself; absolute. */
  readonly own: readonly string[];
  readonly home: string | undefined;
  readonly temporary: string;
}

/** Knows what paths are to one stage. Paths are absolute and in normal form. */
export class Scope {
  readonly #root: string;
  readonly #home: string | undefined;
  readonly #named = new Map<string, Verdict>();
  readonly #folders = new Map<string, Verdict>();

  constructor(stage: Stage, { root, own, home, temporary }: Surroundings, modules: Iterable<AnyPath> = []) {
    this.#root = root;
    this.#home = home;
    for (const folder of SYSTEM) this.#name(folder, { is: 'package' });
    for (const folder of [temporary, '/tmp', '/var/tmp', '/dev/shm']) this.#name(folder, { is: 'temporary' });
    this.#name(root, { is: 'project' });
    for (const folder of own) this.#name(folder, { is: 'own' });
    const known = [...stage.params.map(({ file }) => file), ...modules];
    for (const file of known) this.#name(absolutePath(root, file), { is: 'dep', dep: undefined });
    for (const { path: dep } of stage.deps) this.#name(absolutePath(root, dep), { is: 'dep', dep });
    for (const out of stage.outs) this.#name(absolutePath(root, out.path), { is: 'out' });
  }

  /** What a file is; where it is known by two paths, what the stage declared under either counts. */
  of(file: string, alias?: string): Verdict {
    const verdict = this.#of(file);
    if (alias === undefined || alias === file || verdict.is === 'dep' || verdict.is === 'out') return verdict;
    const other = this.#of(alias);
    return other.is === 'dep' || other.is === 'out' ? other : verdict;
  }

  /** A program was run from here: what is installed beside it is no part of a project. */
  learnProgram(file: string): void {
    const folder = path.dirname(file);
    if (path.basename(folder) !== 'bin') return;
    const prefix = path.dirname(folder);
    if (this.#root === prefix || this.#root.startsWith(`${prefix}/`) || prefix === this.#home) return;
    if (prefix !== '/' && !this.#named.has(`${prefix}/bin`)) {
      for (const name of INSTALLED) this.#learn(`${prefix}/${name}`);
    }
  }

  /** A folder holds a Python environment. */
  learnEnvironment(folder: string): void {
    if (folder !== this.#root) this.#learn(folder);
  }

  #learn(folder: string): void {
    if (this.#named.has(folder)) return;
    this.#named.set(folder, { is: 'package' });
    this.#folders.clear();
  }

  #name(folder: string, verdict: Verdict): void {
    this.#named.set(folder, verdict);
    const real = realPath(folder);
    if (!this.#named.has(real)) this.#named.set(real, verdict);
  }

  #of(file: string): Verdict {
    const named = this.#named.get(file);
    if (named !== undefined) return named;
    const folder = path.dirname(file);
    if (folder === file) return { is: 'outside' };
    const name = path.basename(file);
    const around = this.#inFolder(folder);
    // What the stage declares, it declares whatever it is called.
    if (around.is === 'dep' || around.is === 'out' || around.is === 'own') return around;
    if (PACKAGE_FOLDERS.has(name)) return { is: 'package' };
    if (name === '.git') return { is: 'git' };
    if (around.is === 'temporary' && KEPT_FOR_LATER.test(name)) return { is: 'package' };
    if (folder === this.#home && name.startsWith('.') && around.is !== 'project') return { is: 'package' };
    return around;
  }

  #inFolder(folder: string): Verdict {
    const known = this.#folders.get(folder);
    if (known !== undefined) return known;
    const verdict = this.#of(folder);
    if (this.#folders.size >= MOST_FOLDERS) this.#folders.clear();
    this.#folders.set(folder, verdict);
    return verdict;
  }
}

/** Who makes or tracks paths of a project: a stage, or `data:`. */
export class Makers {
  readonly #root: string;
  readonly #paths = new Map<string, StageAddress | 'data'>();

  constructor(root: string, pipeline: Pipeline) {
    this.#root = root;
    for (const { path: data } of pipeline.data) this.#paths.set(absolutePath(root, data), 'data');
    for (const stage of pipeline.stages.values()) {
      for (const out of stage.outs) this.#paths.set(absolutePath(root, out.path), stage.address);
    }
  }

  /** The out or tracked data that a file is, or is part of. */
  of(file: string): { readonly path: string; readonly by: StageAddress | 'data' } | undefined {
    for (let at = file; at.length > this.#root.length; at = path.dirname(at)) {
      const by = this.#paths.get(at);
      if (by !== undefined) return { path: at, by };
    }
    return undefined;
  }

  /** Whether a folder holds something that a stage makes. */
  isAroundOut(folder: string): boolean {
    for (const [file, by] of this.#paths) if (by !== 'data' && file.startsWith(`${folder}/`)) return true;
    return false;
  }
}

/** A path with all symlinks resolved, as far as it is there. */
export function realPath(file: string): string {
  try {
    return fs.realpathSync.native(file);
  } catch {
    const folder = path.dirname(file);
    return folder === file ? file : path.join(realPath(folder), path.basename(file));
  }
}
