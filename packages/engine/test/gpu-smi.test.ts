import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { askNvidiaSmi, parseQuery } from '../src/gpu/smi.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dag-smi-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true }));

/** Puts a program named nvidia-smi before all others. */
function smi(script: string): { PATH: string } {
  fs.writeFileSync(path.join(folder, 'nvidia-smi'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { PATH: `${folder}:${process.env['PATH']}` };
}

const MiB = 1024 * 1024;

test('devices, with what the driver says of each', async () => {
  const env = smi(`cat <<X
0, GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77, NVIDIA H100 80GB HBM3, 81559, 3, 550.54.15, Default, Disabled
1, GPU-11111111-2222-3333-4444-555555555555, NVIDIA H100 80GB HBM3, 81559, 70112, 550.54.15, Exclusive_Process, Disabled
X`);
  expect(await askNvidiaSmi(env)).toEqual({
    kind: 'devices',
    devices: [
      {
        id: 'GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77',
        index: 0,
        name: 'NVIDIA H100 80GB HBM3',
        memory: 81559 * MiB,
        used: 3 * MiB,
        driver: '550.54.15',
      },
      {
        id: 'GPU-11111111-2222-3333-4444-555555555555',
        index: 1,
        name: 'NVIDIA H100 80GB HBM3',
        memory: 81559 * MiB,
        used: 70112 * MiB,
        driver: '550.54.15',
        oneProcess: true,
      },
    ],
  });
});

test('what a driver does not say is left out, and lines that are no device are passed over', () => {
  const text = [
    'WARNING: infoROM is corrupted at gpu 0000:3B:00.0',
    '0, GPU-a, [N/A], [Not Supported], [N/A], 535.1, [N/A], [N/A]',
    '1, [GPU is lost], NVIDIA T4, 100, 1, 535.1, Default, Disabled',
    '2, GPU-c, NVIDIA GB10, [N/A], 12, 580.9, Default, [N/A], something, new',
    '',
  ].join('\n');
  expect(parseQuery(text)).toEqual([
    { id: 'GPU-a', index: 0, driver: '535.1', mig: false, prohibited: false },
    { id: 'GPU-c', index: 2, name: 'NVIDIA GB10', used: 12 * MiB, driver: '580.9', mig: false, prohibited: false },
  ]);
});

test('a GPU in MIG mode counts as its instances, and one that is prohibited does not count', async () => {
  const env = smi(`
if [ "$1" = -L ]; then cat <<X
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa)
  MIG 3g.20gb     Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
  MIG 1g.5gb      Device  1: (UUID: MIG-0c757cd7-e942-5726-a0b8-0e8fb7067135)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb)
GPU 2: NVIDIA A100-SXM4-40GB (UUID: GPU-cccc)
GPU 3: NVIDIA A100-SXM4-40GB (UUID: GPU-dddd)
X
else cat <<X
0, GPU-aaaa, NVIDIA A100-SXM4-40GB, 40960, [N/A], 550.1, Default, Enabled
1, GPU-bbbb, NVIDIA A100-SXM4-40GB, 40960, 12, 550.1, Default, Disabled
2, GPU-cccc, NVIDIA A100-SXM4-40GB, 40960, 12, 550.1, Default, Enabled
3, GPU-dddd, NVIDIA A100-SXM4-40GB, 40960, 12, 550.1, Prohibited, Disabled
X
fi`);
  const answer = await askNvidiaSmi(env);
  expect(answer).toMatchObject({
    kind: 'devices',
    devices: [
      {
        id: 'MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f',
        parent: 'GPU-aaaa',
        name: 'NVIDIA A100-SXM4-40GB MIG 3g.20gb',
        memory: 20e9,
      },
      { id: 'MIG-0c757cd7-e942-5726-a0b8-0e8fb7067135', parent: 'GPU-aaaa', memory: 5e9 },
      { id: 'GPU-bbbb' },
    ],
    note: "GPU-cccc is in MIG mode and has no instance, GPU-dddd is in compute mode 'Prohibited'",
  });
});

test('compute instances share the memory of their GPU instance, so that none is theirs', async () => {
  const env = smi(`
if [ "$1" = -L ]; then cat <<X
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa)
  MIG 1c.3g.20gb  Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
  MIG 1g.10gb+me  Device  1: (UUID: MIG-0c757cd7-e942-5726-a0b8-0e8fb7067135)
X
else echo '0, GPU-aaaa, NVIDIA A100-SXM4-40GB, 40960, [N/A], 550.1, Default, Enabled'
fi`);
  const answer = await askNvidiaSmi(env);
  expect(answer.kind === 'devices' && answer.devices.map(({ memory }) => memory)).toEqual([undefined, 10e9]);
});

test('an old driver is asked without the fields that it does not know', async () => {
  const env = smi(`
case "$1" in *mig.mode*) echo 'Field "mig.mode.current" is not a valid field to query.'; exit 2;; esac
echo '0, GPU-old, Tesla K80, 11441, 0, 418.87'`);
  expect(await askNvidiaSmi(env)).toMatchObject({ kind: 'devices', devices: [{ id: 'GPU-old', driver: '418.87' }] });
});

test('one that fails is quoted', async () => {
  const env = smi(
    `echo "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver." ; echo more; exit 9`,
  );
  expect(await askNvidiaSmi(env)).toEqual({
    kind: 'failed',
    tried:
      "nvidia-smi failed with exit status 9: NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
  });
});

test('one that hangs is given up, and killed with what it started', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const env = smi(`sleep 1000 & echo $! > ${folder}/new; mv ${folder}/new ${folder}/pid; wait`);
  const answer = askNvidiaSmi(env, 300);
  while (!fs.existsSync(path.join(folder, 'pid'))) await new Promise((resolve) => setImmediate(resolve));
  vi.advanceTimersByTime(300);
  vi.useRealTimers();
  expect(await answer).toEqual({ kind: 'failed', tried: 'nvidia-smi did not answer within 0.3 s' });
  const pid = Number(fs.readFileSync(path.join(folder, 'pid'), 'utf8'));
  await expect.poll(() => isGone(pid)).toBe(true);
});

test('where there is none, that is said', async () => {
  const answer = await askNvidiaSmi({ PATH: folder });
  expect(answer).toEqual({ kind: 'absent', tried: 'there is no nvidia-smi on PATH' });
});

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return fs.readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return true;
  }
}
