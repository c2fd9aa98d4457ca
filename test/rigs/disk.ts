import { execFileSync } from 'node:child_process';
import fs from 'node:fs';

/** A file system of its own in a folder. */
export interface Disk {
  /** Why none could be mounted there; undefined where one is. */
  readonly why: string | undefined;
  unmount(): void;
}

/** Makes a folder and mounts a tmpfs there, which needs root. @param size in bytes; by default what the kernel gives. */
export function mountDisk(folder: string, size?: number): Disk {
  fs.mkdirSync(folder, { recursive: true });
  const limit = size === undefined ? [] : ['-o', `size=${size}`];
  try {
    execFileSync('mount', ['-t', 'tmpfs', ...limit, 'none', folder], { stdio: 'ignore' });
  } catch {
    return { why: 'a tmpfs can not be mounted here', unmount: () => undefined };
  }
  return { why: undefined, unmount: () => void execFileSync('umount', ['-l', folder]) };
}
