import fs from 'node:fs';
import path from 'node:path';
import { type AnyPath, absolutePath, isExternal, parseAnyPath } from '@dag/model';
import { type FSWatcher, watch } from 'chokidar';

/** Milliseconds without another change after which changes are told: an editor's save is several. */
const QUIET_MS = 100;

export interface WatcherOptions {
  /** Absolute. */
  readonly root: string;
  /** Look at the files again and again, where the file system doesn't tell: some network disks and containers. */
  readonly poll: boolean;
  /** Told once all has been quiet for a moment, with all paths since the last time. */
  onChange(paths: ReadonlySet<AnyPath>): void;
  /** The system gives out no more watches: from now on files are looked at again and again. */
  onPoll(reason: string): void;
}

/**
 * Watches files and folders of a project, by the folders that lead to them: one that is not there, or goes and comes back
 * (as git does it), is watched for.
 */
export class Watcher {
  readonly #options: WatcherOptions;
  #watcher: FSWatcher | undefined;
  #paths: ReadonlySet<AnyPath> = new Set();
  #outside: readonly AnyPath[] = [];
  #touched = new Set<AnyPath>();
  #timer: NodeJS.Timeout | undefined;
  #poll: boolean;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#poll = options.poll;
  }

  /**
   * Watches these paths instead of those before; done when no change after it can be missed.
   * @returns whether they are others, so that changes before it may have been missed.
   */
  async set(paths: ReadonlySet<AnyPath>): Promise<boolean> {
    const same = paths.size === this.#paths.size && [...paths].every((one) => this.#paths.has(one));
    if (same && this.#watcher !== undefined) return false;
    this.#paths = paths;
    this.#outside = [...paths].filter(isExternal);
    await this.#watcher?.close();
    await this.#start();
    return true;
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#watcher?.close();
  }

  async #start(): Promise<void> {
    const { root } = this.#options;
    const { from, isWanted } = scopeOf(root, this.#paths);
    const watcher = watch([...from], {
      ignoreInitial: true,
      usePolling: this.#poll,
      atomic: false,
      ignored: (file) => path.basename(file) === '.git' || file === path.join(root, '.cache') || !isWanted(file),
    });
    this.#watcher = watcher;
    watcher.on('all', (_, file) => this.#touch(file));
    await new Promise<void>((resolve, reject) => {
      watcher.once('ready', resolve);
      watcher.on('error', (error) => {
        if (!this.#poll && isExhausted(error)) {
          this.#poll = true;
          this.#options.onPoll(`${(error as Error).message}`);
          watcher.close().then(() => this.#start().then(resolve, reject), reject);
        } else if (!isOfOnePath(error)) reject(error);
      });
    });
  }

  /** A file as its input is written: from the root, or absolute. */
  #nameOf(file: string): string {
    for (const one of this.#outside) if (file === one || file.startsWith(`${one}/`)) return file;
    return path.relative(this.#options.root, file).split(path.sep).join('/');
  }

  #touch(file: string): void {
    const touched = parseAnyPath(this.#nameOf(file));
    if (touched === undefined) return;
    this.#touched.add(touched);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const paths = this.#touched;
      this.#touched = new Set();
      this.#options.onChange(paths);
    }, QUIET_MS);
  }
}

/** Where to watch from, and what below it: the paths, all that is inside them, and the folders on the way there. */
function scopeOf(root: string, paths: ReadonlySet<AnyPath>): Scope {
  const from = new Set([root]);
  const wanted = new Set<string>();
  const onTheWay = new Set<string>();
  const real = new Map<string, boolean>();
  for (const one of paths) {
    const file = absolutePath(root, one);
    wanted.add(file);
    const folder = path.dirname(file);
    if (!real.has(folder)) real.set(folder, isExternal(one) ? false : leadsThere(root, folder));
    // Behind a link, or outside: watched by its own folder, so far as that may be read.
    if (real.get(folder) === false) from.add(isReadable(folder) ? folder : file);
    for (let at = folder; !onTheWay.has(at); at = path.dirname(at)) onTheWay.add(at);
  }
  return {
    from,
    isWanted: (file) => {
      if (onTheWay.has(file)) return true;
      for (let at = file; ; at = path.dirname(at)) {
        if (wanted.has(at)) return true;
        if (path.dirname(at) === at) return false;
      }
    },
  };
}

interface Scope {
  readonly from: ReadonlySet<string>;
  isWanted(file: string): boolean;
}

/** Whether the way from the root to a folder goes over no link; it need not be there. */
function leadsThere(root: string, folder: string): boolean {
  for (let at = folder; at.length > root.length; at = path.dirname(at)) {
    if (fs.lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink() === true) return false;
  }
  return true;
}

function isReadable(folder: string): boolean {
  try {
    fs.accessSync(folder, fs.constants.R_OK | fs.constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** No more inotify watches, or no more open files. */
function isExhausted(error: unknown): boolean {
  return ['ENOSPC', 'EMFILE', 'ENFILE'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/** Something is gone again, or may not be read: the stages that read it say so. */
function isOfOnePath(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '');
}
