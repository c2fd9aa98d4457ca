import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Artifact, ProjectPath } from '@dag/model';
import { openStore } from '@dag/store';
import { openWorkspace } from '../../src/index.ts';

/** A process that does one thing with a project, until it is done or killed: `OP ROOT [WORD…]`. */
const [, , op, root = '', ...words] = process.argv;
const ws = openWorkspace({ root, store: openStore({ dir: join(root, '.cache') }), threads: 2 });
const path = (text: string): ProjectPath => text as ProjectPath;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

process.stdout.write('started\n');
if (op === 'commit') {
  const done = await ws.commit(words.map(path));
  process.stdout.write(`${JSON.stringify([...done])}\n`);
}
if (op === 'checkout') {
  const artifacts = words.map((text) => JSON.parse(text) as Artifact);
  for (let i = 0; ; i++) {
    await ws.checkout([{ path: path('data'), artifact: artifacts[i % artifacts.length] }]);
  }
}
if (op === 'aside') {
  for (;;) {
    const aside = ws.setAside([path('data'), path('absent')]);
    mkdirSync(join(root, 'data'));
    writeFileSync(join(root, 'data/half'), 'half of a new result');
    await sleep(5);
    aside.putBack();
  }
}
if (op === 'count') {
  for (let i = 0; i < Number(words[0]); i++) {
    const request = { read: [], write: [path('counter')], purpose: 'counting' };
    const release = await ws.acquire(request, { wait: true });
    const count = Number(readFileSync(join(root, 'counter'), 'utf8'));
    await sleep(1);
    writeFileSync(join(root, 'counter'), String(count + 1));
    release();
  }
}
if (op === 'hold') {
  await ws.acquire({ read: [], write: [path('m')], purpose: 'holding' }, { wait: false });
  process.stdout.write('held\n');
  await sleep(60_000);
}
await ws.close();
