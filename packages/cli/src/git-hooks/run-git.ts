import { spawnSync } from 'node:child_process';
import { FailureError } from '@dag/model';

/** Git in one folder, with the environment of the caller. */
export interface Git {
  /** What it printed, without the last line end; undefined where it ended with another status than 0. */
  ask(...args: readonly string[]): string | undefined;
  /** The same; throws a FailureError `io` with what git said. */
  do(...args: readonly string[]): string;
}

export function gitIn(folder: string): Git {
  const run = (args: readonly string[]) => {
    const ended = spawnSync('git', [...args], { cwd: folder, encoding: 'utf8' });
    if (ended.error === undefined) return ended;
    throw new FailureError({ code: 'io', message: `git could not be run: ${ended.error.message}` });
  };
  return {
    ask(...args) {
      const { status, stdout } = run(args);
      return status === 0 ? stdout.replace(/\n$/, '') : undefined;
    },
    do(...args) {
      const { status, stdout, stderr } = run(args);
      if (status === 0) return stdout.replace(/\n$/, '');
      throw new FailureError({
        code: 'io',
        message: `git ${args[0]} failed: ${stderr.trim().replace(/^fatal: /, '')}`,
      });
    },
  };
}
