import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { needRig } from '../../../test/rigs/s3.ts';
import { copyTfjsNode, missingTfjsNode, tfjsNode } from '../../../test/rigs/tensorflow.ts';
import { runChild, workerRig, writeFiles } from './rig.ts';

const MISSING = missingTfjsNode();
const worker = workerRig();
let copy: string;
beforeEach((context) => {
  needRig(context, MISSING);
  copy = copyTfjsNode(worker.root, tfjsNode());
  writeFiles(worker.root, { 'main.ts': 'export default async (ctx: any) => { await ctx.tensorflow(); };' });
});

const ADDON = 'lib/napi-v8/tfjs_binding.node';
const LIBRARY = 'deps/lib/libtensorflow_cc.so.2';

/** What a stage that pins the native library is told of it. */
async function told(): Promise<{ readonly message: string; readonly hint: string | undefined }> {
  const { messages, output } = await runChild(worker.built, worker.root, { backend: { name: 'node' } });
  const last = messages.at(-1);
  if (last?.type !== 'failed') throw new Error(`${JSON.stringify(messages)}\n${output}`);
  const { message, hint } = last.error;
  expect(message).toMatch(/^the backend node that the stage pins can't be loaded \(.*\)$/);
  expect(message).toContain('; @tensorflow/tfjs-node-gpu: not installed');
  const why = message.slice(message.indexOf('(') + 1, message.indexOf('; @tensorflow/tfjs-node-gpu'));
  return { message: why.replaceAll(worker.root, 'ROOT'), hint };
}

function change(file: string, how: (bytes: Buffer) => Uint8Array): void {
  const bytes = how(fs.readFileSync(join(copy, file)));
  fs.rmSync(join(copy, file));
  fs.writeFileSync(join(copy, file), bytes);
}

/** The first pages alone, with a head that says how long the whole would be. */
function shorten(file: string): void {
  const head = Buffer.alloc(4096);
  const handle = fs.openSync(join(copy, file), 'r');
  fs.readSync(handle, head, 0, head.length, 0);
  fs.closeSync(handle);
  fs.rmSync(join(copy, file));
  fs.writeFileSync(join(copy, file), head);
}

const otherMachine = (bytes: Buffer): Buffer => {
  bytes.writeUInt16LE(process.arch === 'x64' ? 0xb7 : 0x3e, 18);
  return bytes;
};

const BUILD = /^let its install script run: 'npm rebuild @tensorflow\/tfjs-node'; .*docs\/backends\.md/;
const LIBRARY_HINT = /^make it anew: 'npm rebuild @tensorflow\/tfjs-node'; .*docs\/backends\.md/;

describe('a native library that can’t be loaded says why', () => {
  test.each<readonly [string, () => void, RegExp, RegExp]>([
    [
      'an addon that was never built',
      () => fs.rmSync(join(copy, 'lib'), { recursive: true }),
      /^@tensorflow\/tfjs-node: its addon, lib\/napi-v8\/tfjs_binding\.node, was not built: its install script was not run \(npm's ignore-scripts\), or failed$/,
      BUILD,
    ],
    ['an empty addon', () => change(ADDON, () => Buffer.alloc(0)), /tfjs_binding\.node, is empty$/, BUILD],
    [
      'an addon that is something else',
      () => change(ADDON, () => Buffer.from(`<html>${'x'.repeat(100)}`)),
      /its addon, lib\/napi-v8\/tfjs_binding\.node, is damaged: it is no shared library$/,
      BUILD,
    ],
    [
      'an addon that is cut short',
      () => change(ADDON, (bytes) => bytes.subarray(0, 8192)),
      /tfjs_binding\.node, is damaged: it ends after 8192 of \d+ bytes$/,
      BUILD,
    ],
    [
      'an addon for another machine',
      () => change(ADDON, otherMachine),
      /tfjs_binding\.node, is for (arm64, and this is x64|x64, and this is arm64)$/,
      BUILD,
    ],
    [
      'no C library',
      () => fs.rmSync(join(copy, 'deps'), { recursive: true }),
      /TensorFlow's C library, libtensorflow_cc\.so\.2, is missing: deps\/lib has none$/,
      LIBRARY_HINT,
    ],
    [
      'a C library of which a part is missing',
      () => {
        for (const name of fs.readdirSync(join(copy, 'deps/lib'))) {
          if (name.startsWith('libtensorflow_framework')) fs.rmSync(join(copy, 'deps/lib', name));
        }
      },
      /TensorFlow's C library, libtensorflow_framework\.so\.2, is missing: deps\/lib has libtensorflow\.so, /,
      LIBRARY_HINT,
    ],
    [
      'a C library that is a link to nowhere',
      () => {
        fs.rmSync(join(copy, LIBRARY));
        fs.symlinkSync('gone.so', join(copy, LIBRARY));
      },
      /TensorFlow's C library, deps\/lib\/libtensorflow\S*\.so\S*, is a link that leads nowhere$/,
      LIBRARY_HINT,
    ],
    [
      'a C library that is cut short',
      () => shorten(LIBRARY),
      /is damaged: it ends after 4096 of \d+ bytes$/,
      LIBRARY_HINT,
    ],
  ])('%s', async (_, harm, message, hint) => {
    harm();
    const said = await told();
    expect(said.message).toMatch(message);
    expect(said.hint).toMatch(hint);
  });

  describe('an addon that the system’s loader refuses', () => {
    const needCompiler = (context: { skip: (note?: string) => void }) => {
      try {
        execFileSync('cc', ['--version'], { stdio: 'ignore' });
      } catch {
        needRig(context, 'there is no C compiler (Debian: gcc libc6-dev)');
      }
    };
    /** Puts what is compiled from a line of C in the place of the addon. */
    const compile = (source: string, ...args: string[]): void => {
      fs.writeFileSync(join(worker.root, 'addon.c'), source);
      fs.rmSync(join(copy, ADDON));
      execFileSync('cc', ['-shared', '-fPIC', '-o', join(copy, ADDON), join(worker.root, 'addon.c'), ...args], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
    };
    /** A library to link with, which is not there when the addon is loaded. */
    const library = (name: string, source: string, ...args: string[]): string => {
      fs.mkdirSync(join(worker.root, 'link'), { recursive: true });
      fs.writeFileSync(join(worker.root, 'library.c'), source);
      const file = join(worker.root, 'link', name);
      execFileSync('cc', [
        '-shared',
        '-fPIC',
        '-nostdlib',
        `-Wl,-soname,${name}`,
        '-o',
        file,
        join(worker.root, 'library.c'),
        ...args,
      ]);
      return file;
    };

    test('because the system is older than the one it was compiled on', async (context) => {
      needCompiler(context);
      fs.writeFileSync(join(worker.root, 'versions'), 'GLIBC_9.99 { global: newest; };');
      const newer = library('libc.so.6', 'int newest;', `-Wl,--version-script,${join(worker.root, 'versions')}`);
      compile('extern int newest; int *use(void) { return &newest; }', '-nostdlib', newer);
      const { message, hint } = await told();
      expect(message).toMatch(
        /: tfjs_binding\.node was compiled for a newer system: it needs GLIBC 9\.99, and this system has \d+\.\d+$/,
      );
      expect(hint).toContain('docs/backends.md');
    });

    test('because a library that it needs is not there', async (context) => {
      needCompiler(context);
      const gone = library('libexample.so.7', 'int used;');
      compile('extern int used; int *use(void) { return &used; }', gone);
      const { message, hint } = await told();
      expect(message).toMatch(/: the system's loader does not find libexample\.so\.7$/);
      expect(hint).toBe('install what has libexample.so.7, or name its folder in LD_LIBRARY_PATH');
    });

    test('because it was compiled for another TensorFlow', async (context) => {
      needCompiler(context);
      compile('extern int TF_NotThere; int *use = &TF_NotThere;');
      const { message, hint } = await told();
      expect(message).toMatch(/: its addon was compiled for another TensorFlow: the library has no TF_NotThere$/);
      expect(hint).toMatch(BUILD);
    });
  });

  test('and a stage that pins none runs on the next, and says so', async () => {
    fs.rmSync(join(copy, 'lib'), { recursive: true });
    const { messages, output } = await runChild(worker.built, worker.root);
    expect(messages.at(-1)).toMatchObject({ type: 'done', backend: { name: 'wasm' } });
    expect(output).toMatch(
      /^warning: runs on wasm, as what comes before can't be loaded: @tensorflow\/tfjs-node: its addon, .* was not built/,
    );
  });
});
