import { describe, expect, test } from 'vitest';
import { blake3Digest, type Digest } from '../src/digest.ts';
import { type Fingerprint, fingerprintText, parseFingerprint } from '../src/fingerprint.ts';
import type { ProjectPath } from '../src/path.ts';

const path = (text: string): ProjectPath => text as ProjectPath;
const digest = (hex: string): Digest => blake3Digest(hex.repeat(32));

const fingerprint: Fingerprint = {
  cmd: ['a', 'b'],
  wdir: path('sub'),
  deps: new Map([
    [path('x'), { kind: 'file', digest: digest('ab'), size: 3, executable: true }],
    [path('d'), { kind: 'folder', digest: digest('cd'), size: 9, files: 2 }],
  ]),
  params: new Map([[path('params.yaml'), new Map([['lr', 0.1]])]]),
  env: new Map([['MODE', null]]),
  outs: new Set([path('o2'), path('o1')]),
};

describe('a fingerprint', () => {
  // The key of every run that anybody ever recorded hangs on this text: it must not change within a version.
  test('has one text', () => {
    expect(fingerprintText(fingerprint)).toBe(
      `{"cmd":["a","b"],"deps":{"d":{"digest":"blake3:${'cd'.repeat(32)}","kind":"folder"},` +
        `"x":{"digest":"blake3:${'ab'.repeat(32)}","executable":true,"kind":"file"}},"env":{"MODE":null},` +
        '"fingerprint":1,"outs":["o1","o2"],"params":{"params.yaml":{"lr":0.1}},"wdir":"sub"}',
    );
  });

  test('has it whatever the order of its parts, and whatever the sizes', () => {
    const other: Fingerprint = {
      ...fingerprint,
      deps: new Map([...fingerprint.deps].reverse().map(([at, dep]) => [at, { ...dep, size: 0 }])),
      outs: new Set([...fingerprint.outs].reverse()),
    };
    expect(fingerprintText(other)).toBe(fingerprintText(fingerprint));
  });

  test('can be read back, but for sizes', () => {
    const read = parseFingerprint(fingerprintText(fingerprint));
    expect(read?.cmd).toEqual(['a', 'b']);
    expect(read === undefined ? '' : fingerprintText(read)).toBe(fingerprintText(fingerprint));
  });

  test('has a salt only where one is set', () => {
    const text = fingerprintText({ ...fingerprint, salt: '2' });
    expect(text).toBe(fingerprintText(fingerprint).replace(',"wdir"', ',"salt":"2","wdir"'));
    expect(parseFingerprint(text)?.salt).toBe('2');
  });

  test('of a worker names its module, its files and its backend', () => {
    const { cmd: _, ...rest } = fingerprint;
    const worker = {
      module: path('w.ts'),
      backend: { name: 'wasm' } as const,
      files: new Map([[path('w.ts'), digest('ef')]]),
    };
    const text = fingerprintText({ ...rest, worker });
    expect(text).toContain(`"worker":{"backend":"wasm","files":{"w.ts":"blake3:${'ef'.repeat(32)}"},"module":"w.ts"}`);
    const pinned = { ...worker, backend: { threads: 2, name: 'node', onednn: false } as const };
    const more = fingerprintText({ ...rest, worker: pinned });
    expect(more).toContain('"worker":{"backend":{"name":"node","onednn":false,"threads":2},');
    expect(parseFingerprint(more)?.worker).toEqual(pinned);
    expect(parseFingerprint(text)?.worker).toEqual(worker);
  });

  test.each(['', '{', '[]', '{"fingerprint":2,"wdir":""}', 'null'])('is not read from %j', (text) => {
    expect(parseFingerprint(text)).toBeUndefined();
  });
});
