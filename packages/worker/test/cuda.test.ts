import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findCuda, gpuProblem } from '../src/child/backend/cuda.ts';
import { temporaryFolder, writeFiles } from './rig.ts';

let root: string;
beforeEach(() => {
  root = temporaryFolder();
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

const DRIVER = {
  'proc/driver/nvidia/version':
    'NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\nGCC version: 12.2.0\n',
};
const OPEN_DRIVER = {
  'proc/driver/nvidia/version':
    'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build  (root@host)\n',
};

describe('what there is of CUDA', () => {
  test('is looked for where the loader would, each library once, by its full version', () => {
    writeFiles(root, {
      ...DRIVER,
      'etc/ld.so.conf.d/cuda.conf': '# a comment\n/opt/cuda/lib\n',
      'opt/cuda/lib/libcudart.so.11.2.152': '',
      'usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15': '',
      'usr/local/cuda-12.4/lib64/libcudart.so.12.4.127': '',
      'own/deps/nvidia/cudnn/lib/libcudnn.so.8': '',
      'named/libcublas.so.11': '',
      'named/libcudart_static.a': '',
    });
    fs.symlinkSync('libcudart.so.11.2.152', join(root, 'opt/cuda/lib/libcudart.so.11.0'));
    fs.symlinkSync('libcuda.so.550.54.15', join(root, 'usr/lib/x86_64-linux-gnu/libcuda.so.1'));
    const found = findCuda({ LD_LIBRARY_PATH: `:${join(root, 'named')}` }, join(root, 'own'), root);
    expect(found).toEqual({
      driver: '550.54.15',
      libraries: {
        libcuda: [join(root, 'usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15')],
        libcudart: [
          join(root, 'opt/cuda/lib/libcudart.so.11.2.152'),
          join(root, 'usr/local/cuda-12.4/lib64/libcudart.so.12.4.127'),
        ],
        libcublas: [join(root, 'named/libcublas.so.11')],
        libcudnn: [join(root, 'own/deps/nvidia/cudnn/lib/libcudnn.so.8')],
      },
    });
    expect(gpuProblem({}, found)).toBe(
      'the driver is 550.54.15, there is libcudart.so.11.2.152, libcudart.so.12.4.127, there is libcublas.so.11, there is libcudnn.so.8',
    );
  });

  test('and what is missing is said', () => {
    expect(gpuProblem({}, findCuda({}, undefined, root))).toBe('there is no NVIDIA driver on this machine');
    writeFiles(root, { ...OPEN_DRIVER, 'usr/lib/x86_64-linux-gnu/libcuda.so.1': '' });
    const found = findCuda({}, undefined, root);
    expect(found.driver).toBe('570.124.06');
    expect(gpuProblem({}, found)).toBe(
      'the driver is 570.124.06, the loader does not find libcudart, libcublas, libcudnn',
    );
    for (const hidden of ['', '-1']) {
      expect(gpuProblem({ CUDA_VISIBLE_DEVICES: hidden }, found)).toBe(
        `CUDA_VISIBLE_DEVICES is '${hidden}', which hides all`,
      );
    }
  });
});
