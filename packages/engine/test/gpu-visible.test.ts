import { expect, test } from 'vitest';
import type { SmiAnswer } from '../src/gpu/smi.ts';
import { visibleGpus } from '../src/gpu/visible.ts';

const HOST: SmiAnswer = {
  kind: 'devices',
  devices: [
    { id: 'GPU-aaaa-1111', index: 0 },
    { id: 'GPU-aabb-2222', index: 1 },
    { id: 'MIG-cccc-1', index: 2, parent: 'GPU-cccc-3333' },
    { id: 'MIG-cccc-2', index: 2, parent: 'GPU-cccc-3333' },
  ],
};
const ABSENT: SmiAnswer = { kind: 'absent', tried: 'there is no nvidia-smi on PATH' };

function ids(env: Record<string, string>, answer = HOST): string[] {
  return visibleGpus(env, answer).devices.map((device) => device.id);
}

test('all of the host, unless something says otherwise', () => {
  expect(ids({})).toHaveLength(4);
  expect(ids({ DAG_GPUS: 'all' })).toHaveLength(4);
  expect(visibleGpus({}, HOST).why).toBeUndefined();
});

test.each(['', 'none', ' none ', '-1'])('DAG_GPUS=%j is no device', (DAG_GPUS) => {
  expect(visibleGpus({ DAG_GPUS }, HOST)).toEqual({ devices: [], why: `DAG_GPUS is '${DAG_GPUS.trim()}'` });
});

test.each([
  ['1', ['GPU-aabb-2222']],
  ['1, 0', ['GPU-aaaa-1111', 'GPU-aabb-2222']],
  ['GPU-aaaa', ['GPU-aaaa-1111']],
  ['gpu-aabb-2222', ['GPU-aabb-2222']],
  ['MIG-cccc-2', ['MIG-cccc-2']],
  ['2', ['MIG-cccc-1', 'MIG-cccc-2']],
  ['GPU-cccc', ['MIG-cccc-1', 'MIG-cccc-2']],
])('DAG_GPUS=%s leaves %j', (DAG_GPUS, expected) => {
  expect(ids({ DAG_GPUS })).toEqual(expected);
});

test.each(['7', 'GPU-aa', 'GPU-x', '0,7'])(
  'DAG_GPUS=%s names what is not there, or means two: none is taken',
  (DAG_GPUS) => {
    const { devices, why } = visibleGpus({ DAG_GPUS }, HOST);
    expect(devices).toEqual([]);
    expect(why).toContain('which is no GPU of this host (it has 0 GPU-aaaa-1111, 1 GPU-aabb-2222, 2 MIG-cccc-1');
  },
);

test('an outer CUDA_VISIBLE_DEVICES restricts, read as CUDA reads it', () => {
  expect(ids({ CUDA_VISIBLE_DEVICES: '1' })).toEqual(['GPU-aabb-2222']);
  expect(ids({ CUDA_VISIBLE_DEVICES: '0,9,1' })).toEqual(['GPU-aaaa-1111']);
  expect(ids({ CUDA_VISIBLE_DEVICES: '' })).toEqual([]);
  expect(ids({ CUDA_VISIBLE_DEVICES: 'NoDevFiles' })).toEqual([]);
  expect(visibleGpus({ CUDA_VISIBLE_DEVICES: '-1' }, HOST)).toEqual({
    devices: [],
    why: "CUDA_VISIBLE_DEVICES is '-1'",
  });
});

test('DAG_GPUS chooses among what CUDA_VISIBLE_DEVICES leaves', () => {
  expect(ids({ CUDA_VISIBLE_DEVICES: '0', DAG_GPUS: '0,1' })).toEqual(['GPU-aaaa-1111']);
  const none = visibleGpus({ CUDA_VISIBLE_DEVICES: '0', DAG_GPUS: '1' }, HOST);
  expect(none).toEqual({ devices: [], why: "DAG_GPUS is '1', CUDA_VISIBLE_DEVICES is '0'" });
});

test('where nvidia-smi says nothing, variables that name devices are believed', () => {
  expect(visibleGpus({}, ABSENT)).toEqual({ devices: [], why: 'there is no nvidia-smi on PATH' });
  expect(ids({ DAG_GPUS: 'GPU-x,GPU-y,GPU-x' }, ABSENT)).toEqual(['GPU-x', 'GPU-y']);
  expect(ids({ CUDA_VISIBLE_DEVICES: '2,3' }, ABSENT)).toEqual(['2', '3']);
  expect(ids({ CUDA_VISIBLE_DEVICES: '2,3', DAG_GPUS: '3' }, ABSENT)).toEqual(['3']);
  expect(ids({ CUDA_VISIBLE_DEVICES: '' }, ABSENT)).toEqual([]);
});
