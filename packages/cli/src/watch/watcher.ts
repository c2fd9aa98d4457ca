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

/** Watches files and folders of a project. A path that is not there is watched for. */
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
    const watcher = watch(
      [...this.#paths].map((one) => absolutePath(root, one)),
      {
        ignoreInitial: true,
        usePolling: this.#poll,
        atomic: false,
        ignored: (file) => path.basename(file) === '.git' || file === path.join(root, '.cache'),
      },
    );
    this.#watcher = watcher;
    watcher.on('all', (_, file) => this.#touch(file));
    await new Promise<void>((resolve, reject) => {
      watcher.once('ready', resolve);
      watcher.on('error', (error) => {
        if (!this.#poll && isExhausted(error)) {
          this.#poll = true;
          this.#options.onPoll(`${(error as Error).message}`);
          watcher.close().then(() => this.#start().then(resolve, reject), reject);
        } else if (!isAbsence(error)) reject(error);
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

/** No more inotify watches, or no more open files. */
function isExhausted(error: unknown): boolean {
  return ['ENOSPC', 'EMFILE', 'ENFILE'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function isAbsence(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
}
