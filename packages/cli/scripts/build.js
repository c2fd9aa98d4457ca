// Builds the program: one split bundle, so that each verb loads only what it needs. What has native parts stays outside.
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { build, transform, transformSync } from 'esbuild';
import { writeCodeCache } from './code-cache.js';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const { version, dependencies, optionalDependencies } = JSON.parse(readFileSync(at('../../../package.json'), 'utf8'));

/** Node's own modules that take milliseconds to load, and that few verbs call. */
const SLOW = /\brequire\("(node:(?:child_process|crypto|worker_threads))"\)/g;

/** How bundled CommonJS packages call require. */
const REQUIRE = /\(0,\w+\.__require\)(?=\()/g;

const dist = at('../dist');
rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
const common = {
  outdir: dist,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  external: [...Object.keys({ ...dependencies, ...optionalDependencies }), '@tensorflow/*'],
  define: { DAG_VERSION: JSON.stringify(version) },
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: false,
  sourcemap: false,
  legalComments: 'linked',
  logLevel: 'warning',
};
const program = await build({
  ...common,
  entryPoints: {
    dag: at('../src/dag.ts'),
    // A thread of the workspace; it is looked for beside the chunk that starts it.
    'hash-worker': at('../../workspace/src/threads/hash-worker.ts'),
  },
  write: false,
});
// Only modules can be split, and Node takes a third longer to load them: each becomes what `require` reads.
writeFileSync(at('../dist/package.json'), '{ "type": "commonjs" }\n');
for (const { path, text } of program.outputFiles) {
  writeFileSync(path, path.endsWith('.js') ? await commonJs(text) : text);
}
// zstd looks for its compiled half beside the chunk that it ends up in.
copyFileSync(
  createRequire(at('../../remote/package.json'))
    .resolve('@bokuweb/zstd-wasm')
    .replace(/[^/]*$/, 'zstd.wasm'),
  at('../dist/zstd.wasm'),
);
// What draws plots is put into the pages of `dag plots` as it is, and into nothing else.
mkdirSync(at('../dist/vega'));
for (const name of ['vega', 'vega-lite', 'vega-embed']) placeLibrary(name);
// What Node and Python load in traced stages, as it is.
mkdirSync(at('../dist/trace/python'), { recursive: true });
copyFileSync(at('../../engine/hooks/node-hook.cjs'), at('../dist/trace/node-hook.cjs'));
copyFileSync(at('../../engine/hooks/sitecustomize.py'), at('../dist/trace/python/sitecustomize.py'));
// What stages import and run in is a module, as theirs are.
await build({
  ...common,
  entryPoints: {
    worker: at('../../worker/src/public.ts'),
    'worker-child': at('../../worker/src/child.ts'),
    'worker-probe': at('../../worker/src/probe.ts'),
  },
  outExtension: { '.js': '.mjs' },
  // Bundled CommonJS packages still call require for Node's own modules.
  banner: {
    js: `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);`,
  },
});
// The JSON Schema for editors, from the definition that the parser checks against.
const schema = await build({
  entryPoints: [at('../../pipeline/src/language/json-schema.ts')],
  bundle: true,
  format: 'esm',
  platform: 'node',
  write: false,
});
const { pipelineJsonSchema } = await import(`data:text/javascript,${encodeURIComponent(schema.outputFiles[0].text)}`);
writeFileSync(at('../dist/pipeline.schema.json'), `${JSON.stringify(pipelineJsonSchema(), null, 1)}\n`);
const entry = at('../dist/dag.js');
writeFileSync(entry, `#!/usr/bin/env node\n'use strict';${loader()}${readFileSync(entry, 'utf8')}`);
chmodSync(entry, 0o755);
writeCodeCache(fileURLToPath(new URL('../dist', import.meta.url)));

/** A library as its package has it for pages, without the comment that leads to a file which is not there. */
function placeLibrary(name) {
  const file = fileURLToPath(import.meta.resolve(name)).replace(/build\/[^/]*$/, `build/${name}.min.js`);
  const text = readFileSync(file, 'utf8').replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n');
  writeFileSync(at(`../dist/vega/${name}.js`), text);
}

/** Has the entry load all others its own way. */
function loader() {
  const { code } = transformSync(readFileSync(at('load.cjs'), 'utf8'), { minifySyntax: true, minifyWhitespace: true });
  return `{const module={};${code}require=module.exports(require,__dirname)}\n`;
}

async function commonJs(text) {
  const { code } = await transform(text, {
    format: 'cjs',
    platform: 'node',
    target: 'node20.19',
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': '__url' },
    minifySyntax: true,
    minifyWhitespace: true,
  });
  const url = code.includes('__url') ? `const __url = require('node:url').pathToFileURL(__filename).href;` : '';
  const direct = code.replace(REQUIRE, 'require');
  const late = direct.replace(SLOW, '__late("$1")');
  const define =
    late === direct ? '' : 'const __late = (name) => new Proxy({}, { get: (_, key) => require(name)[key] });';
  return `'use strict';${url}${define}${late}`;
}
