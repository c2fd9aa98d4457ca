import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Failure, ProjectPath } from '@dag/model';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compilerFailure } from '../src/module/diagnose.ts';
import { bundleModule, type ModuleClosure, moduleClosure } from '../src/module.ts';
import { fakeDigest, temporaryFolder, writeFiles } from './rig.ts';

let root: string;
beforeEach(() => {
  root = temporaryFolder();
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const MAIN = 'src/main.ts' as ProjectPath;

async function closure(): Promise<ModuleClosure> {
  const result = await moduleClosure({ root, module: MAIN, hash: fakeDigest });
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

async function failure(): Promise<Failure> {
  const result = await moduleClosure({ root, module: MAIN, hash: fakeDigest });
  if (result.ok) throw new Error('compiled');
  return result.error;
}

async function run(files: Record<string, string>): Promise<unknown> {
  writeFiles(root, files);
  const outFile = join(root, '.cache/tmp/main.mjs');
  const publicModule = join(root, 'tool/worker.mjs');
  const result = await bundleModule({ root, module: MAIN, hash: fakeDigest, outFile, publicModule });
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  const module: { default: unknown } = await import(pathToFileURL(outFile).href);
  return module.default;
}

describe('the closure of a module', () => {
  test('holds the module, what it imports at any depth, and JSON; nothing else', async () => {
    writeFiles(root, {
      'src/main.ts': `import { a } from './a.ts'; import table from './table.json' with { type: 'json' };
        import { readFileSync } from 'node:fs'; import type { T } from './types.ts'; import { pack } from 'pack';
        export default async () => [a, table, readFileSync, pack, (await import('./late.js')).late] as T;`,
      'src/a.ts': `export * from '../lib/b.ts';`,
      'lib/b.ts': 'export const a = 1;',
      'src/late.js': 'export const late = 2;',
      'src/table.json': '{"x": 1}',
      'src/types.ts': 'export type T = unknown;',
      'src/unrelated.ts': 'export const no = 1;',
      'node_modules/pack/package.json': '{"name": "pack", "main": "index.js"}',
      'node_modules/pack/index.js': 'exports.pack = 1;',
    });
    const { files, packages, tensorflow } = await closure();
    expect([...files.keys()]).toEqual(['lib/b.ts', 'src/a.ts', 'src/late.js', 'src/main.ts', 'src/table.json']);
    expect(files.get('lib/b.ts' as ProjectPath)).toBe(fakeDigest(readFileSync(join(root, 'lib/b.ts'))));
    expect(packages).toEqual(['pack']);
    expect(tensorflow).toBe(false);
  });

  test('changes with an imported helper and not with an unrelated file', async () => {
    writeFiles(root, {
      'src/main.ts': `import { helper } from './helper.ts'; export default helper;`,
      'src/helper.ts': 'export const helper = () => 1;',
      'src/unrelated.ts': 'export const other = 1;',
    });
    const before = await closure();
    writeFiles(root, { 'src/unrelated.ts': 'export const other = 2;' });
    expect(await closure()).toEqual(before);
    writeFiles(root, { 'src/helper.ts': 'export const helper = () => 2;' });
    const after = await closure();
    expect([...after.files.keys()]).toEqual([...before.files.keys()]);
    expect(after.files.get('src/helper.ts' as ProjectPath)).not.toBe(before.files.get('src/helper.ts' as ProjectPath));
    expect(after.files.get(MAIN)).toBe(before.files.get(MAIN));
  });

  test('holds a workspace package inside the root, by its own path', async () => {
    writeFiles(root, {
      'src/main.ts': `import { own } from '@me/own'; export default own;`,
      'packages/own/package.json': '{"name": "@me/own", "exports": "./index.ts"}',
      'packages/own/index.ts': 'export const own: number = 1;',
    });
    mkdirSync(join(root, 'node_modules/@me'), { recursive: true });
    symlinkSync('../../packages/own', join(root, 'node_modules/@me/own'));
    const { files, packages } = await closure();
    expect([...files.keys()]).toEqual(['packages/own/index.ts', 'src/main.ts']);
    expect(packages).toEqual([]);
  });

  test('can be had before packages are installed, and sees that TensorFlow is among them', async () => {
    writeFiles(root, {
      'src/main.ts': `import * as tf from '@tensorflow/tfjs-core'; import { saveLayersModel } from 'dag/worker';
        export default () => [tf, saveLayersModel];`,
    });
    const { files, packages, tensorflow } = await closure();
    expect([...files.keys()]).toEqual(['src/main.ts']);
    expect(packages).toEqual(['@tensorflow/tfjs-core']);
    expect(tensorflow).toBe(true);
  });
});

describe('a module that is wrong', () => {
  test('a syntax error has its line, column and source line', async () => {
    writeFiles(root, { 'src/main.ts': `export default 1;\nconst größe = 3; const = 4;\n` });
    expect(await failure()).toEqual({
      code: 'invalid-pipeline',
      diagnostics: [
        {
          code: 'syntax',
          message: 'Expected identifier but found "="',
          file: 'src/main.ts',
          span: { line: 2, column: 24, length: 1 },
          sourceLine: 'const größe = 3; const = 4;',
        },
      ],
    });
  });

  test('local imports that lead nowhere are all named, where they stand', async () => {
    writeFiles(root, { 'src/main.ts': `import './nope.ts';\nimport '../gone.ts';\nexport default 1;\n` });
    const found = await failure();
    expect(found.code === 'invalid-pipeline' && found.diagnostics).toMatchObject([
      { code: 'bad-path', message: 'cannot find "./nope.ts"', file: 'src/main.ts', span: { line: 1, column: 8 } },
      { code: 'bad-path', message: 'cannot find "../gone.ts"', file: 'src/main.ts', span: { line: 2, column: 8 } },
    ]);
  });

  test('an import from outside the project is refused', async () => {
    const other = temporaryFolder();
    writeFiles(other, { 'x.ts': 'export const x = 1;' });
    writeFiles(root, { 'src/main.ts': `import { x } from ${JSON.stringify(join(other, 'x.ts'))}; export default x;` });
    const found = await failure();
    rmSync(other, { recursive: true });
    expect(found.code === 'invalid-pipeline' && found.diagnostics[0]?.message).toContain('is outside the project');
  });

  test('one that does not exist is a missing dep', async () => {
    expect(await failure()).toMatchObject({ code: 'missing-dep', path: 'src/main.ts' });
  });

  test('a part that an installed package lacks is told apart from a package that is not installed', async () => {
    writeFiles(root, {
      'node_modules/some/package.json': '{"exports": {".": "./a.js"}}',
      'src/main.ts': `import { x } from 'some/deep'; export default x;`,
    });
    const outFile = join(root, 'out.mjs');
    const result = await bundleModule({ root, module: MAIN, hash: fakeDigest, outFile, publicModule: outFile });
    expect(!result.ok && result.error).toMatchObject({
      diagnostics: [
        { message: 'the package some is installed, and has no "some/deep"', span: { line: 1, column: 19 } },
      ],
    });
  });

  test('a package that is not installed stops the bundle and names itself', async () => {
    writeFiles(root, { 'src/main.ts': `import { x } from '@scope/absent/deep.js'; export default x;` });
    const outFile = join(root, 'out.mjs');
    const result = await bundleModule({ root, module: MAIN, hash: fakeDigest, outFile, publicModule: outFile });
    expect(!result.ok && result.error).toMatchObject({
      code: 'invalid-pipeline',
      diagnostics: [{ message: 'the package @scope/absent is not installed', span: { line: 1, column: 19 } }],
    });
    expect(existsSync(outFile)).toBe(false);
  });
});

describe('the bundle of a module', () => {
  test('finds packages from the importing file, though it lies elsewhere', async () => {
    const value = await run({
      'src/main.ts': `import a from 'pack'; import { b } from './inner/b.ts'; export default [a, b];`,
      'src/inner/b.ts': `import b from 'pack'; export { b };`,
      'src/node_modules/pack/package.json': '{"name": "pack", "exports": {"import": "./index.mjs"}}',
      'src/node_modules/pack/index.mjs': `export default 'outer';`,
      'src/inner/node_modules/pack/package.json': '{"name": "pack"}',
      'src/inner/node_modules/pack/index.js': `module.exports = 'inner';`,
    });
    expect(value).toEqual(['outer', 'inner']);
  });

  test('import.meta is that of the source file, line numbers too', async () => {
    const value = await run({
      'src/main.ts': `import { where } from '../lib/where.ts';\nexport default [where, import.meta.url];`,
      'lib/where.ts': `#!/usr/bin/env node\nexport const where = [import.meta.dirname, import.meta.filename];`,
    });
    const url = pathToFileURL(join(root, 'src/main.ts')).href;
    expect(value).toEqual([[join(root, 'lib'), join(root, 'lib/where.ts')], url]);
  });

  test('dag/worker is the one of the dag that runs', async () => {
    const value = await run({
      'tool/worker.mjs': `export const own = 'the tool';`,
      'src/main.ts': `import { own } from 'dag/worker'; export default own;`,
    });
    expect(value).toBe('the tool');
  });

  test('a local CommonJS file can require packages and Node itself', async () => {
    const value = await run({
      'src/main.ts': `import old from './old.cjs'; export default old;`,
      'src/old.cjs': `module.exports = [require('pack'), require('node:path').sep, typeof require('fs')];`,
      'node_modules/pack/index.js': 'module.exports = 7;',
    });
    expect(value).toEqual([7, '/', 'object']);
  });
});

/** Ends esbuild's process, as the kernel does where memory runs out. */
function killCompiler(): void {
  const all = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n');
  const mine = all.map((line) => line.trim().split(/\s+/)).filter(([, parent]) => Number(parent) === process.pid);
  const [pid] = mine.find((words) => words.some((word) => word.startsWith('--service='))) ?? [];
  process.kill(Number(pid), 'SIGKILL');
}

describe('when esbuild is killed', () => {
  test('what compiles just then, and all that comes after, goes to a new one', async () => {
    writeFiles(root, { 'src/main.ts': 'export default 1;' });
    await closure();
    const atWork = Array.from({ length: 8 }, closure);
    killCompiler();
    for (const { files } of await Promise.all(atWork)) expect(files.size).toBe(1);
    killCompiler();
    expect((await closure()).files.size).toBe(1);
  });

  test('one that can not run at all is named, with what the system says', () => {
    expect(compilerFailure(new Error('The service was stopped: spawn esbuild EACCES\n  at x'))).toMatchObject({
      code: 'io',
      message: 'esbuild, which compiles worker modules, does not run: The service was stopped: spawn esbuild EACCES',
    });
  });
});
