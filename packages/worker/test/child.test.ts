import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ChildMessage, PROTOCOL_VERSION, wrap } from '../src/protocol.ts';
import { type ChildOptions, packageFile, runChild, workerRig, writeFiles } from './rig.ts';

const worker = workerRig();

/** Runs a module whose default export has the given body. */
async function run(body: string, options: ChildOptions = {}, files: Record<string, string> = {}) {
  writeFiles(worker.root, { 'main.ts': `export default async (ctx) => {${body}};\n`, ...files });
  return await runChild(worker.built, worker.root, options);
}

const failed = (messages: ChildMessage[]) => {
  const last = messages.at(-1);
  if (last?.type !== 'failed') throw new Error(`ended with ${JSON.stringify(last)}`);
  return last.error;
};

describe('what a module is given', () => {
  test('seed, params, paths; and what it says comes through in order', async () => {
    const { messages, code, said, reported } = await run(
      `ctx.log(JSON.stringify([ctx.stage, ctx.seed, ctx.params, ctx.params.train.lr, ctx.backend]));
       ctx.log(ctx.dep('../data/raw/x.bin')); ctx.log(ctx.dep('data')); ctx.log(ctx.out('out/deep/model.json'));
       ctx.progress(0.25); ctx.metric('loss', 0.5, 3); ctx.metric('nan', NaN); ctx.progress({ done: 3, total: 4 });
       console.log('plain output');`,
      {
        seed: 7,
        wdir: 'sub',
        deps: ['data/raw', 'sub/data'],
        outs: ['sub/out'],
        params: { 'params.yaml': { 'train.lr': 0.1, 'train.layers': [1, 2], big: { a: null } } },
      },
    );
    expect(code).toBe(0);
    expect(said).toEqual([
      '["main",7,{"train":{"lr":0.1,"layers":[1,2]},"big":{"a":null}},0.1,null]',
      join(worker.root, 'data/raw/x.bin'),
      join(worker.root, 'sub/data'),
      join(worker.root, 'sub/out/deep/model.json'),
      'plain output',
    ]);
    expect(reported).toMatchObject([
      { name: 'loss', value: 0.5, step: 3 },
      { name: 'nan', value: Number.NaN },
    ]);
    expect(messages).toEqual([
      { type: 'ready', version: PROTOCOL_VERSION, node: process.version },
      { type: 'progress', fraction: 0.25 },
      { type: 'progress', done: 3, total: 4, fraction: 0.75 },
      { type: 'done' },
    ]);
    expect(existsSync(join(worker.root, 'sub/out/deep'))).toBe(true);
  });

  test('integers that a double cannot hold stay whole', async () => {
    const { said } = await run(`ctx.log(String(ctx.params.id + 1n));`, {
      params: { 'params.yaml': { id: 2n ** 63n } },
    });
    expect(said).toEqual(['9223372036854775809']);
  });

  test('what is not declared is refused by name', async () => {
    const cases = [
      [`ctx.dep('data/rawer')`, 'data/rawer is not among the deps of stage main (it has data/raw)'],
      [`ctx.out('data/raw')`, 'data/raw is not among the outs of stage main (it has none)'],
      [`ctx.params.train.epochs`, 'train.epochs is not among the params of stage main'],
      [`ctx.params.test`, 'test is not among the params of stage main'],
    ];
    const bodies = cases.map(([code]) => `try { ${code} } catch (e) { ctx.log(e.message) }`);
    const { said } = await run(bodies.join('\n'), { deps: ['data/raw'], params: { 'p.yaml': { 'train.lr': 1 } } });
    expect(said).toEqual(cases.map(([, text]) => `${text}; declare it in pipeline.yaml`));
  });

  test('paths are as in pipeline.yaml: from the working folder, or absolute where they lie outside the project', async () => {
    const outside = join(worker.root, '../far/in.csv');
    mkdirSync(join(worker.root, 'sub'));
    const { said } = await run(
      `for (const path of ['in.txt', ${JSON.stringify(outside)}, '../../far/in.csv', 'sub/in.txt']) try { ctx.log(ctx.dep(path)); } catch (e) { ctx.log(e.message) }`,
      { wdir: 'sub', deps: ['sub/in.txt', 'up.txt', outside] },
    );
    expect(said).toEqual([
      join(worker.root, 'sub/in.txt'),
      outside,
      outside,
      `sub/in.txt is not among the deps of stage main (it has in.txt, ../up.txt, ${outside}); declare it in pipeline.yaml`,
    ]);
  });

  test('Math.random and ctx.random are decided by the seed', async () => {
    const body = `ctx.log([Math.random(), ctx.random(), ctx.randomStream('x').next()].join());`;
    const numbers = async (seed: number) => (await run(body, { seed })).said[0];
    const first = await numbers(1);
    expect(first).toMatch(/^0\.\d+,0\.\d+,0\.\d+$/);
    expect(await numbers(1)).toEqual(first);
    expect(await numbers(2)).not.toEqual(first);
  });

  test('thousands of progress reports in one go become few messages, the last one among them', async () => {
    const { messages } = await run(`for (let i = 1; i <= 5000; i++) ctx.progress({ done: i, total: 5000 });`);
    const reports = messages.filter((message) => message.type === 'progress');
    expect(reports.length).toBeLessThan(100);
    expect(reports.at(-1)).toMatchObject({ done: 5000, fraction: 1 });
  });
});

describe('a module that goes wrong', () => {
  test('what it forgot to wait for is done all the same, and what fails there fails the stage', async () => {
    const write = (text: string) => `const fs = await import('node:fs/promises');
      (async () => {
        for (let i = 0; i < 50; i++) await fs.appendFile(ctx.out('all.txt'), i + ' ');
        ${text}
      })();`;
    const done = await run(write(''), { outs: ['all.txt'] });
    expect([done.code, done.messages.at(-1)?.type]).toEqual([0, 'done']);
    expect(readFileSync(join(worker.root, 'all.txt'), 'utf8')).toMatch(/ 48 49 $/);
    const late = await run(write(`throw new Error('too late');`), { outs: ['all.txt'] });
    expect([late.code, failed(late.messages).message]).toEqual([1, 'too late']);
    // What may never end is not waited for.
    const timers = await run(`setInterval(() => {}, 10); (await import('node:net')).createServer().listen(0);`);
    expect(timers.messages.at(-1)?.type).toBe('done');
  });

  test('an exception has the stack of the sources, causes included', async () => {
    const { messages, code } = await run(
      `const { deep } = await import('./lib/deep.ts');\n  deep(1);`,
      {},
      {
        'lib/deep.ts': `interface Unused { a: string }\n\nexport function deep(x: number): never {
  throw new RangeError('too deep', { cause: new Error('the floor') });\n}\n`,
      },
    );
    expect(code).toBe(1);
    const { name, message, stack } = failed(messages);
    expect([name, message]).toEqual(['RangeError', 'too deep']);
    expect(stack).toContain('RangeError: too deep\n    at deep (lib/deep.ts:4:9)');
    expect(stack).toMatch(/main\.ts:2:3/);
    expect(stack).toContain('Caused by: Error: the floor');
    expect(stack).not.toContain('worker-child');
    expect(stack).not.toContain('node:internal');
  });

  test('all that several came of is told, once; what is imported of dag/worker is called that', async () => {
    const { messages } = await run(
      `const refused = new Error('refused'); const all = new AggregateError([refused, new Error('gone', { cause: 'bye' })], 'none');
       refused.cause = all;
       throw new TypeError('fetch failed', { cause: all });`,
    );
    const heads = failed(messages)
      .stack?.split('\n')
      .filter((line) => !line.startsWith('    at '));
    expect(heads).toEqual([
      'TypeError: fetch failed',
      'Caused by: AggregateError: none',
      'Caused by: Error: refused',
      'Caused by: Error: gone',
      "Caused by: 'bye'",
    ]);

    writeFiles(worker.root, {
      'main.ts': `import { fitCallback } from 'dag/worker'; export default () => fitCallback();`,
    });
    expect(failed((await runChild(worker.built, worker.root)).messages).message).toBe(
      "The requested module 'dag/worker' does not provide an export named 'fitCallback'",
    );
  });

  test('so has one thrown while the module loads, from a callback, or nowhere awaited', async () => {
    writeFiles(worker.root, { 'main.ts': `export default () => {};\nnull.x;\n` });
    expect(failed((await runChild(worker.built, worker.root)).messages).stack).toContain('main.ts:2:6');
    const late = await run(`\nsetTimeout(() => { throw new Error('late') }); await new Promise(() => {});`);
    expect(failed(late.messages).stack).toMatch(/Error: late\n.*main\.ts:2:/);
    const lost = await run(`\nPromise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 1e6));`);
    expect(failed(lost.messages).stack).toMatch(/Error: lost\n.*main\.ts:2:/);
  });

  test('packages keep the places that they have, and their source maps are not read', async () => {
    const { messages } = await run(
      `const { thrower } = await import('thrower');\n  thrower();`,
      {},
      {
        'node_modules/thrower/package.json': '{ "main": "main.js" }',
        'node_modules/thrower/main.js':
          "exports.thrower = () => { throw new Error('theirs') };\n//# sourceMappingURL=main.js.map\n",
        'node_modules/thrower/main.js.map':
          '{"version":3,"file":"main.js","sources":["other.ts"],"names":[],"mappings":"AAAA"}',
      },
    );
    const { stack } = failed(messages);
    expect(stack).toMatch(/^Error: theirs\n.*node_modules\/thrower\/main\.js:1:33/);
    expect(stack).toMatch(/main\.ts:2:3/);
    expect(stack).not.toContain('other.ts');
  });

  test('the module’s own frames are among them however deep in a package it was thrown', async () => {
    const { messages } = await run(
      `const { dive } = await import('diver');\n  dive(60);`,
      {},
      {
        'node_modules/diver/package.json': '{ "main": "main.js" }',
        'node_modules/diver/main.js':
          "exports.dive = (depth) => { if (depth === 0) throw new Error('theirs'); exports.dive(depth - 1); };\n",
      },
    );
    const { stack } = failed(messages);
    expect(stack).toMatch(/main\.ts:2:3/);
    expect(stack?.split('\n').filter((line) => line.includes('diver'))).toHaveLength(5);
  });

  test('what is thrown need not be an error', async () => {
    expect(failed((await run(`throw { code: 7 }`)).messages)).toEqual({ name: 'Error', message: '{ code: 7 }' });
  });

  test('one that waits for what never comes is noticed', async () => {
    const { messages, code } = await run(`await new Promise(() => {});`);
    expect(failed(messages).message).toContain('waits for something that can never come');
    expect(code).toBe(1);
  });

  test('one without a default export, or for another protocol, is told so', async () => {
    writeFiles(worker.root, { 'main.ts': 'export const train = 1;' });
    expect(failed((await runChild(worker.built, worker.root)).messages)).toMatchObject({
      message: 'main.ts has no function as its default export',
      hint: 'write `export default async (ctx: WorkerContext) => { … }`',
    });
    const missing = failed((await run(`await import('not-there/deep');`)).messages);
    expect(missing).toMatchObject({ message: "Cannot find package 'not-there'", hint: 'npm install not-there' });
    for (const kind of ['async function*', 'function*']) {
      writeFiles(worker.root, { 'main.ts': `export default ${kind} (ctx) { ctx.log('never'); yield 1; }` });
      const { messages } = await runChild(worker.built, worker.root);
      expect(failed(messages).message).toContain('is a generator function, of which nothing runs');
    }
    const other = await run('', { version: 1 as 2 });
    expect(failed(other.messages)).toMatchObject({ message: 'this worker speaks protocol 2, its parent 1' });
  });

  test('two params files with one key are refused', async () => {
    const { messages } = await run('', { params: { 'a.yaml': { lr: 1 }, 'b.yaml': { lr: 2 } } });
    expect(failed(messages).message).toBe('lr is declared from both a.yaml and b.yaml; rename one');
  });
});

describe('a module that is told to end', () => {
  const cancelOnReady: ChildOptions = {
    onMessage: (message) => (message.type === 'ready' ? wrap({ type: 'cancel', reason: 'interrupted' }) : undefined),
  };

  test('ends at once when it never asked for the signal', async () => {
    const { code, messages } = await run(`await new Promise((r) => setTimeout(r, 1e6));`, cancelOnReady);
    expect([code, messages.length]).toEqual([143, 1]);
  });

  test('may tidy up when it did', async () => {
    const body = `await new Promise((r) => { const t = setTimeout(r, 1e6);
      ctx.signal.addEventListener('abort', () => { clearTimeout(t); r() }) });
      ctx.log('tidied: ' + ctx.signal.reason.message);`;
    const { code, said } = await run(body, cancelOnReady);
    expect(said).toEqual(['tidied: the stage was stopped (interrupted)']);
    expect(code).toBe(143);
  });
});

describe('TensorFlow backends', () => {
  /** Gives the project some packages, by links to where ours are. */
  function install(...names: string[]): void {
    mkdirSync(join(worker.root, 'node_modules/@tensorflow'), { recursive: true });
    for (const name of names) {
      symlinkSync(
        join(packageFile(`@tensorflow/${name}/package.json`), '..'),
        join(worker.root, 'node_modules/@tensorflow', name),
      );
    }
  }
  const version = '4.22.0';

  test('the first that loads is taken, and told', async () => {
    install('tfjs-core', 'tfjs-backend-wasm', 'tfjs-backend-cpu');
    const { messages, output } = await run(
      `const tf = await import('@tensorflow/tfjs-core'); ctx.log(tf.getBackend() + ctx.backend);`,
    );
    const facts = { threads: 1, simd: true };
    const backend = { name: 'wasm', package: '@tensorflow/tfjs-backend-wasm', version, facts };
    expect(messages).toEqual([
      { type: 'ready', version: PROTOCOL_VERSION, node: process.version, backend },
      { type: 'done', backend },
    ]);
    expect(output).toBe('wasmwasm\n');
  });

  test('a pin decides, and nothing is printed', async () => {
    install('tfjs-core', 'tfjs-backend-wasm', 'tfjs-backend-cpu');
    const { messages, output } = await run(
      `const tf = await ctx.tensorflow(); ctx.log(tf.getBackend() + tf.add(1, 2).dataSync());`,
      { backend: { name: 'cpu' } },
    );
    expect(messages.slice(1)).toEqual([
      {
        type: 'done',
        backend: { name: 'cpu', package: '@tensorflow/tfjs-backend-cpu', version, facts: { threads: 1 } },
      },
    ]);
    expect(output).toBe('cpu3\n');
  });

  test('it is loaded when first asked for, where the module imports none', async () => {
    install('tfjs-core', 'tfjs-layers', 'tfjs-backend-wasm');
    const { messages, said } = await run(
      `ctx.log(String(ctx.backend)); const tf = await ctx.tensorflow();
       ctx.log([ctx.backend, typeof tf.conv2d, typeof tf.layers.dense].join());`,
    );
    expect(messages[0]).toEqual({ type: 'ready', version: PROTOCOL_VERSION, node: process.version });
    expect(said).toEqual(['undefined', 'wasm,function,function']);
  });

  test('where none can be loaded, what was tried is told', async () => {
    const none = await run('await ctx.tensorflow()');
    expect(failed(none.messages).message).toMatchInlineSnapshot(
      `"no TensorFlow.js backend can be loaded (@tensorflow/tfjs-node-gpu: not installed; @tensorflow/tfjs-node: not installed; @tensorflow/tfjs-backend-webgpu: not installed; @tensorflow/tfjs-backend-wasm: not installed; @tensorflow/tfjs-backend-cpu: not installed)"`,
    );
    expect(failed(none.messages).hint).toBe('npm install @tensorflow/tfjs-backend-wasm');
    install('tfjs-core', 'tfjs-backend-wasm');
    const pinned = await run('', { backend: { name: 'gpu' } });
    expect(failed(pinned.messages).message).toMatchInlineSnapshot(
      `"the backend gpu that the stage pins can't be loaded (@tensorflow/tfjs-node-gpu: not installed; @tensorflow/tfjs-node: not installed)"`,
    );
    expect(pinned.code).toBe(1);
    const unknown = await run('', { backend: { name: 'abacus' as 'cpu' } });
    expect(failed(unknown.messages).message).toBe("there is no backend 'abacus'");
  });

  test('an exception after WebAssembly is loaded still has the module’s own stack', async () => {
    install('tfjs-core', 'tfjs-backend-wasm');
    const { messages, output } = await run(
      `await ctx.tensorflow();\nsetTimeout(() => { throw new Error('late') }); await new Promise(() => {});`,
    );
    expect(failed(messages).stack).toMatch(/Error: late\n.*main\.ts:2:/);
    expect(output).toBe('');
  });
});
