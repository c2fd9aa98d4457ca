import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { type Owner, ownerOf, ownerState, ownerWithPid, tempName, thisOwner } from '../src/owner.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function start(script: string): ChildProcess {
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

const owner = (pid: number | undefined): Owner => {
  const found = ownerWithPid(pid ?? 0);
  if (found === undefined) throw new Error(`there is no process ${pid}`);
  return found;
};

test('a name tells who made it, and that is this process', () => {
  expect(ownerOf(tempName('claim'))).toEqual(thisOwner());
  expect(ownerState(thisOwner())).toBe('self');
  expect(ownerOf('claim.json')).toBeUndefined();
});

test('another process lives until it ends, and its pid may be another one by then', async () => {
  const child = start('exec sleep 1000');
  const living = owner(child.pid);
  expect(ownerState(living)).toBe('alive');
  expect(ownerState({ ...living, start: living.start + 1 })).toBe('dead');
  expect(ownerState({ ...living, host: '00000000' })).toBe('elsewhere');
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
  expect(ownerState(living)).toBe('dead');
});

test.skipIf(process.platform !== 'linux')(
  'one that has ended, and that its parent does not collect, is dead',
  async () => {
    // What becomes of the shell knows of no child.
    const parent = start('sleep 1000 & echo $!; exec sleep 1000');
    const [said] = (await once(parent.stdout as NonNullable<typeof parent.stdout>, 'data')) as [Buffer];
    await expect.poll(() => readFileSync(`/proc/${parent.pid}/comm`, 'utf8')).toBe('sleep\n');
    const child = owner(Number(said));
    expect(ownerState(child)).toBe('alive');
    process.kill(child.pid, 'SIGKILL');
    await expect.poll(() => readFileSync(`/proc/${child.pid}/stat`, 'utf8')).toContain(') Z ');
    expect(ownerState(child)).toBe('dead');
    expect(ownerWithPid(child.pid)).toEqual(child);
  },
);
