import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The built CLI, as users run it. */
export const DAG = join(dirname(fileURLToPath(import.meta.url)), '../../packages/cli/dist/dag.js');

/** The Node that runs it: DAG_TEST_NODE, or the one that runs the tests. */
export const NODE = process.env['DAG_TEST_NODE'] ?? process.execPath;

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A person's shell in a folder: its own HOME, and nothing of the caller's environment. */
export interface Shell {
  readonly folder: string;
  /** Runs `dag` and returns what came of it, whatever that is. */
  readonly dag: (...args: string[]) => Promise<Outcome>;
  /** Starts `dag` and leaves it to the caller. */
  readonly start: (...args: string[]) => ChildProcess;
  /** Runs a command that must succeed. @returns its standard output. */
  readonly run: (command: string, ...args: string[]) => Promise<string>;
}

export function openShell(folder: string, home: string, env: Readonly<Record<string, string>> = {}): Shell {
  if (!existsSync(DAG)) throw new Error('the CLI is not built: npm run build');
  const environment = scrubbedEnv(home, env);
  const exec = (file: string, args: readonly string[]) =>
    new Promise<Outcome>((resolve, reject) => {
      const child = execFile(
        file,
        args,
        { cwd: folder, env: environment, maxBuffer: 1 << 26 },
        (error, stdout, stderr) => {
          if (error !== null && typeof error.code === 'string') reject(error);
          else resolve({ status: child.exitCode, stdout, stderr });
        },
      );
      child.stdin?.end();
    });
  return {
    folder,
    dag: (...args) => exec(NODE, [DAG, ...args]),
    start: (...args) => spawn(NODE, [DAG, ...args], { cwd: folder, env: environment, stdio: 'ignore' }),
    run: async (command, ...args) => {
      const outcome = await exec(command, args);
      if (outcome.status === 0) return outcome.stdout;
      throw new Error(
        `${command} ${args.join(' ')}: exit status ${outcome.status}\n${outcome.stdout}${outcome.stderr}`,
      );
    },
  };
}

/** The environment of a person with this HOME: nothing of the caller's but where programs are. */
export function scrubbedEnv(home: string, extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    PATH: [dirname(NODE), process.env['PATH'] ?? ''].join(':'),
    HOME: home,
    LANG: 'C.UTF-8',
    CI: 'true',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'A Tester',
    GIT_AUTHOR_EMAIL: 'tester@example.com',
    GIT_COMMITTER_NAME: 'A Tester',
    GIT_COMMITTER_EMAIL: 'tester@example.com',
    AWS_EC2_METADATA_DISABLED: 'true',
    ...extra,
  };
}
