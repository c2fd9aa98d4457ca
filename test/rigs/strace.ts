import { spawnSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Why tests that trace by strace can't run; undefined where they can. */
export function missingStrace(): string | undefined {
  const { status, error, stderr } = spawnSync('strace', ['-f', '-o', '/dev/null', 'true'], { encoding: 'utf8' });
  if (error !== undefined) return 'strace is not installed (apt-get install strace)';
  return status === 0 ? undefined : `strace can't follow processes here: ${stderr.trim()}`;
}

/** Why programs in C can't be built; undefined where they can. */
export function missingCc(): string | undefined {
  return spawnSync('cc', ['--version']).status === 0
    ? undefined
    : 'there is no C compiler (apt-get install gcc libc6-dev)';
}

/** Makes an empty folder a PATH that has the named programs of this one, and no others. */
export function pathOf(folder: string, programs: readonly string[]): string {
  for (const program of programs) {
    const found = spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).stdout.trim();
    symlinkSync(found, join(folder, program));
  }
  return folder;
}
