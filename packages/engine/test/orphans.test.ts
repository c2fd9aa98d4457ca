import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { thisOwner } from '@dag/store';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { endOrphans, noteRun } from '../src/run/orphans.ts';

let cache: string;
const children: ChildProcess[] = [];
beforeEach((context) => {
  if (process.platform !== 'linux') context.skip('processes are found by their environment on Linux only');
  cache = fs.mkdtempSync(path.join(os.tmpdir(), 'dag-orphans-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  fs.rmSync(cache, { recursive: true, force: true });
});

/** A process of a stage that does nothing until it is told to end, out of its group. */
function work(run: string, stage: string): ChildProcess {
  const child = spawn('cat', {
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { ...process.env, DAG_RUN: run, DAG_STAGE: stage },
  });
  children.push(child);
  return child;
}

/** A note as a dag leaves it that was killed. */
function leaveNote(random: string): string {
  const { pid } = spawnSync('true');
  const name = `group-${thisOwner().host}-${pid}-1-${random}`;
  fs.mkdirSync(path.join(cache, 'running'), { recursive: true });
  fs.writeFileSync(path.join(cache, 'running', name), JSON.stringify({ stage: 'train' }));
  return name;
}

function notes(): string[] {
  return fs.readdirSync(path.join(cache, 'running'));
}

test('all that bears the mark of a dead run ends, and of a living one nothing', async () => {
  const dead = leaveNote('aaaaaaaaaaaa');
  const living = noteRun(cache, 'evaluate');
  const [orphan, other] = [work(dead, 'train'), work(living.name, 'evaluate')];
  const ended = new Promise((resolve) => orphan.once('exit', (_, signal) => resolve(signal)));
  expect(await endOrphans(cache)).toEqual([{ stage: 'train', pid: orphan.pid }]);
  expect(await ended).toBe('SIGTERM');
  expect([other.exitCode, other.signalCode]).toEqual([null, null]);
  expect(notes()).toEqual([living.name]);
  living.remove();
  expect(notes()).toEqual([]);
});

test('what is left of another user, in a cache that both share, stays for that one to end', async (context) => {
  if (process.getuid?.() !== 0) return context.skip('files can be given to others by root only');
  const theirs = leaveNote('bbbbbbbbbbbb');
  fs.chownSync(path.join(cache, 'running', theirs), 65_534, 65_534);
  const orphan = work(theirs, 'train');
  expect(await endOrphans(cache)).toEqual([]);
  expect([orphan.exitCode, orphan.signalCode]).toEqual([null, null]);
  expect(notes()).toEqual([theirs]);
});
