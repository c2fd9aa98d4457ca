// Has V8's code of the program lie beside it, so that a verb need not compile what it calls: for the Node that builds.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PIPELINE = `stages:
  prepare:
    foreach: \${items}
    do: {cmd: 'echo \${item} \${lr} > \${item}.txt', deps: [data], outs: ['\${item}.txt']}
  train:
    matrix: {x: [1, 2]}
    cmd: echo 1 > m\${item.x}
    deps: [a.txt]
    params: [lr]
    metrics: [{'m\${item.x}': {cache: false}}]
  end:
    cmd:
    - cat m1 > folder
    deps: [m1]
    outs: [folder]
`;

/** What is run one after the other: the verbs that are called most. */
const VERBS = ['--help', 'add data', 'graph --json', 'graph', 'status', 'repro', 'repro', 'status', 'checkout'];

/**
 * Runs a program's verbs in a project made for that, and leaves in `code/` what was compiled for them. A verb that fails
 * leaves as much as it came to.
 * @param dist the folder of the program.
 */
export function writeCodeCache(dist) {
  const project = mkdtempSync(join(tmpdir(), 'dag-build-'));
  const env = { PATH: process.env.PATH, HOME: project, XDG_CONFIG_HOME: project };
  const record = fileURLToPath(new URL('record-code.cjs', import.meta.url));
  try {
    mkdirSync(join(project, 'data'));
    const files = {
      'pipeline.yaml': PIPELINE,
      'params.yaml': 'lr: 0.1\nitems: [a, b]\n',
      'data/a': 'a',
      'data/b': 'b',
    };
    for (const [path, text] of Object.entries(files)) writeFileSync(join(project, path), text);
    for (const verb of VERBS) {
      spawnSync(process.execPath, [record, dist, ...verb.split(' ')], { cwd: project, env, stdio: 'ignore' });
    }
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}
