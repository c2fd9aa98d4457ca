import type { Stage } from '@dag/model';
import type { Project } from '../project.ts';
import type { Started } from '../trace/strace.ts';
import type { RunLog } from './log.ts';
import type { Meter } from './meter.ts';
import { type ProcessEnd, runProcess } from './process.ts';
import type { Usage } from './usage.ts';

/** The shell of a stage that names none, on every machine: stops at the first failing line. Never the user's `$SHELL`. */
export const SHELL: readonly string[] = ['/bin/sh', '-e', '-c'];

/** Variables that a stage with `strict_env` sees beside those it declares. */
const STRICT_MINIMUM = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'LC_ALL', 'LC_CTYPE', 'USER', 'LOGNAME', 'TZ'];

/** What a running stage is connected to. */
export interface StageIo {
  /** Variables of this run alone: the GPUs that it holds, its mark. */
  readonly env: Readonly<Record<string, string>>;
  readonly log: RunLog;
  onLine(stream: 'stdout' | 'stderr', line: string): void;
  /** Notes the process group that works; see `noteRun`. */
  onStart(pid: number): void;
  /** What to start in the place of a program, so that it is traced. */
  wrap?(program: Started, folder: string): Started;
  /** Ends what left the group of a process that is gone; see `endMarked`. */
  endStrays(pid: number): Promise<void>;
  readonly meter: Meter;
  /** Told what each process used, with all below it, when it is gone. */
  onUsage(usage: Usage): void;
  /** Milliseconds that it has to end by itself. */
  readonly grace: number;
  readonly stop: AbortSignal;
  readonly kill: AbortSignal;
  /** Aborted when it makes no progress. */
  readonly stalled: AbortSignal;
  /** Absolute path of the file that takes its metrics. */
  readonly metrics: string;
}

/** Runs the commands of a stage in order, until one fails. */
export async function runCommand(
  project: Project,
  stage: Stage,
  cmd: string | readonly string[],
  cwd: string,
  io: StageIo,
): Promise<ProcessEnd> {
  let end: ProcessEnd = { status: 'exited', exitCode: 0 };
  const deadline = stage.timeout === undefined ? undefined : Date.now() + stage.timeout;
  const [file = '', ...args] = stage.shell ?? SHELL;
  for (const command of typeof cmd === 'string' ? [cmd] : cmd) {
    end = await runProcess({
      file,
      args: [...args, command],
      cwd,
      ...io,
      env: { ...stageEnv(project, stage), ...io.env },
      ...(deadline === undefined ? {} : { timeout: Math.max(0, deadline - Date.now()) }),
    });
    if (end.status !== 'exited' || end.exitCode !== 0) break;
  }
  return end;
}

/** The environment of a stage: what it inherits, or with strict_env a documented minimum, and what it declares. */
export function stageEnv(project: Project, stage: Stage): Record<string, string | undefined> {
  const env: Record<string, string | undefined> = stage.strictEnv
    ? Object.fromEntries(STRICT_MINIMUM.map((name) => [name, project.env[name]]))
    : { ...project.env };
  for (const { name, value } of stage.env) env[name] = value ?? project.env[name];
  env['DAG_STAGE'] = stage.address;
  env['DAG_ROOT'] = project.root;
  return env;
}
