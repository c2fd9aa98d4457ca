import { readFileSync } from 'node:fs';
import { findCommand } from './peers.ts';

/** System calls of a command and all processes that it started. */
export interface Counts {
  /** Calls that wait for the disk: fsync, fdatasync, syncfs, sync. */
  readonly syncs: number;
  /** Files and folders that were opened. */
  readonly opened: number;
}

const SYNCS = ['fsync', 'fdatasync', 'syncfs', 'sync'];
const OPENS = ['open', 'openat'];

/**
 * Runs a command under strace.
 * @returns undefined where strace isn't installed or the command failed.
 */
export async function counted(
  command: readonly string[],
  report: string,
  run: (command: readonly string[]) => Promise<number | string>,
): Promise<Counts | undefined> {
  const strace = findCommand(process.env['STRACE'], 'strace');
  if (strace === undefined) {
    await run(command);
    return undefined;
  }
  const trace = `trace=${[...SYNCS, ...OPENS].join(',')}`;
  const outcome = await run([strace, '-f', '--seccomp-bpf', '-qq', '-c', '-e', trace, '-o', report, ...command]);
  return typeof outcome === 'string' ? undefined : parse(readFileSync(report, 'utf8'));
}

/** A line is: share, seconds, microseconds a call, calls, errors (or nothing), name. */
function parse(text: string): Counts {
  let [syncs, opened] = [0, 0];
  for (const line of text.split('\n')) {
    const words = line.trim().split(/\s+/);
    const name = words.at(-1) ?? '';
    const calls = Number(words[3]);
    const errors = words.length === 6 ? Number(words[4]) : 0;
    if (SYNCS.includes(name)) syncs += calls;
    if (OPENS.includes(name)) opened += calls - errors;
  }
  return { syncs, opened };
}
