import { describe, expect, test } from 'vitest';
import { nativeSettings, type Processor, thisProcessor } from '../src/child/backend/settings.ts';

const AVX512 = ['sse4_1', 'avx', 'avx2', 'avx512f', 'avx512bw', 'avx512dq', 'avx512vl'];
const on = (flags: readonly string[], platform = 'linux-x64'): Processor => ({
  platform,
  flags: new Set(flags),
  cores: 8,
});

describe('what the native library finds in its environment', () => {
  test('is what it would choose itself, said aloud, where nothing is pinned', () => {
    expect(nativeSettings({}, {}, on([...AVX512, 'avx512_vnni']))).toEqual({
      env: { TF_NUM_INTRAOP_THREADS: '8', TF_DETERMINISTIC_OPS: '1', TF_ENABLE_ONEDNN_OPTS: '1' },
      facts: { threads: 8, deterministic: true, onednn: true, isa: 'avx512_core_vnni' },
    });
    expect(nativeSettings({}, {}, on(['sse4_1', 'avx', 'avx2'])).facts).toMatchObject({ onednn: false, isa: 'avx2' });
  });

  test('is what is pinned, whatever the user’s own environment says', () => {
    const pins = { name: 'node', threads: 2, onednn: false, isa: 'avx2', deterministic: false } as const;
    const env = {
      TF_NUM_INTRAOP_THREADS: '6',
      TF_ENABLE_ONEDNN_OPTS: '1',
      ONEDNN_MAX_CPU_ISA: 'SSE41',
      TF_DETERMINISTIC_OPS: '1',
    };
    expect(nativeSettings(pins, env, on(AVX512))).toEqual({
      env: {
        TF_NUM_INTRAOP_THREADS: '2',
        TF_DETERMINISTIC_OPS: '0',
        TF_ENABLE_ONEDNN_OPTS: '0',
        ONEDNN_MAX_CPU_ISA: 'AVX2',
      },
      facts: { threads: 2, deterministic: false, onednn: false, isa: 'avx2' },
    });
    expect(nativeSettings({}, env, on(AVX512)).facts).toEqual({
      ...{ threads: 6, deterministic: true, onednn: true, isa: 'sse41' },
    });
  });

  test('a pin that the processor can’t keep is refused, and so is one that means nothing there', () => {
    expect(() => nativeSettings({ isa: 'avx512_core' }, {}, on(['sse4_1', 'avx', 'avx2']))).toThrow(
      'the stage pins isa avx512_core, and the most that this processor has is avx2',
    );
    expect(() => nativeSettings({ isa: 'avx2_vnni' }, {}, on(AVX512))).toThrow('has is avx512_core');
    expect(() => nativeSettings({ isa: 'avx2' }, {}, on([], 'darwin-arm64'))).toThrow('on darwin-arm64');
    expect(() => nativeSettings({ onednn: false }, {}, on([], 'darwin-arm64'))).toThrow('on darwin-arm64');
    expect(nativeSettings({ threads: 2 }, {}, on([], 'darwin-arm64'))).toEqual({
      env: { TF_NUM_INTRAOP_THREADS: '2', TF_DETERMINISTIC_OPS: '1' },
      facts: { threads: 2, deterministic: true },
    });
  });

  test('this machine is known', () => {
    const { platform, cores, flags } = thisProcessor();
    expect(cores).toBeGreaterThan(0);
    expect(platform).toBe(`${process.platform}-${process.arch}`);
    if (platform === 'linux-x64') expect(flags).toContain('sse2');
  });
});
