// Builds the program: one split bundle, so that each verb loads only what it needs. What has native parts stays outside.
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const { version, dependencies, optionalDependencies } = JSON.parse(readFileSync(at('../../../package.json'), 'utf8'));

rmSync(at('../dist'), { recursive: true, force: true });
await build({
  entryPoints: {
    dag: at('../src/dag.ts'),
    worker: at('../../worker/src/public.ts'),
    'worker-child': at('../../worker/src/child.ts'),
    // A thread of the workspace; it is looked for beside the chunk that starts it.
    'hash-worker': at('../../workspace/src/threads/hash-worker.ts'),
  },
  outdir: at('../dist'),
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  external: [...Object.keys({ ...dependencies, ...optionalDependencies }), '@tensorflow/*'],
  define: { DAG_VERSION: JSON.stringify(version), DAG_YAML_LIBRARY: JSON.stringify('./yaml.cjs') },
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: false,
  sourcemap: false,
  legalComments: 'linked',
  logLevel: 'warning',
  // Bundled CommonJS packages still call require for Node's own modules.
  banner: {
    js: `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);`,
  },
});
// The full YAML reader, loaded by `require` when a text needs it.
await build({
  stdin: { contents: "module.exports = require('yaml')", resolveDir: at('../../pipeline') },
  outfile: at('../dist/yaml.cjs'),
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20.19',
  minify: true,
  legalComments: 'linked',
  logLevel: 'warning',
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
writeFileSync(entry, `#!/usr/bin/env node\n${readFileSync(entry, 'utf8')}`);
chmodSync(entry, 0o755);
