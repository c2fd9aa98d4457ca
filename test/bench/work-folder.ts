import { execFileSync } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  realpathSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A temporary folder for one bench: projects and data in it are made fresh, and deleted only at the end. */
export interface WorkFolder {
  /** Absolute path of a name in it. */
  at(...parts: string[]): string;
  /** Makes an empty folder with a git repository in it. @returns its path. */
  project(name: string): string;
  /**
   * Moves a path out of the way; nothing happens where there is none. It is deleted at the end, or by `empty`: ext4 makes
   * files several times more slowly for a while after many were deleted.
   */
  discard(path: string): void;
  /** Deletes what was moved out of the way. */
  empty(): void;
  /** The environment of every command that is measured: a HOME of its own, and nothing of the caller's but PATH. */
  readonly env: Readonly<Record<string, string>>;
  remove(): void;
}

/** Makes one in BENCH_DIR, or in the system's folder for temporary files. */
export function makeWorkFolder(): WorkFolder {
  const root = realpathSync(mkdtempSync(join(process.env['BENCH_DIR'] ?? tmpdir(), 'dag-bench-')));
  const [home, trash] = [join(root, 'home'), join(root, 'trash')];
  for (const folder of [home, trash]) mkdirSync(folder);
  const env = {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: home,
    LC_ALL: 'C.UTF-8',
    CI: 'true',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'A',
    GIT_AUTHOR_EMAIL: 'a@example.org',
    GIT_COMMITTER_NAME: 'A',
    GIT_COMMITTER_EMAIL: 'a@example.org',
    DVC_NO_ANALYTICS: 'true',
    // Where DVC keeps its own stat cache: with the project, not with the machine.
    DVC_SITE_CACHE_DIR: join(home, 'dvc-site'),
  };
  let discarded = 0;
  return {
    at: (...parts) => join(root, ...parts),
    project: (name) => {
      const folder = join(root, name);
      mkdirSync(folder);
      execFileSync('git', ['init', '-q', '-b', 'main'], { cwd: folder, env, stdio: 'ignore' });
      return folder;
    },
    discard: (path) => {
      try {
        renameSync(path, join(trash, `${discarded++}`));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    },
    empty: () => {
      execFileSync('rm', ['-rf', trash]);
      mkdirSync(trash);
    },
    env,
    remove: () => {
      execFileSync('rm', ['-rf', root]);
    },
  };
}

/** Writes a file and the folders above it. */
export function writeText(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** Writes `count` files of `size` bytes, spread over 20 folders: the same bytes each time, and no two files alike. */
export function writeSmallFiles(folder: string, count: number, size: number): void {
  const random = randomBytes();
  for (let i = 0; i < 20; i++) mkdirSync(join(folder, `${i}`), { recursive: true });
  for (let i = 0; i < count; i++) writeFileSync(join(folder, `${i % 20}`, `${i}.bin`), random(size));
}

/** Writes `count` files of `size` bytes, a multiple of 1 MiB, into one folder. */
export function writeLargeFiles(folder: string, count: number, size: number): void {
  const random = randomBytes();
  mkdirSync(folder, { recursive: true });
  for (let i = 0; i < count; i++) {
    const fd = openSync(join(folder, `${i}.bin`), 'wx');
    for (let written = 0; written < size; written += 1 << 20) writeSync(fd, random(1 << 20));
    closeSync(fd);
  }
}

/** The key stream of AES-CTR under a fixed key: fast, the same each time, and not to be compressed. */
function randomBytes(): (size: number) => Buffer {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16));
  return (size) => cipher.update(Buffer.alloc(size));
}
