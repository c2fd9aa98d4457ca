import { writeSync } from 'node:fs';
import type { Artifact } from '@dag/model';
import { openStore } from '@dag/store';
import { openRemote } from '../src/index.ts';
import type { Times } from '../src/times.ts';

/** What one process of a race does until it is killed, or its standard input ends. */
export interface Racer {
  readonly role: 'push' | 'collect';
  readonly url: string;
  readonly env: Record<string, string>;
  readonly by: string;
  readonly times: Times;
  /** The cache that has all artifacts. */
  readonly store: string;
  readonly empty: string;
  readonly artifacts: readonly Artifact[];
  readonly seed: number;
}

/** Into how many parts the artifacts fall, of which one after the other is in use. */
const TURNS = 4;

/** What it writes, one a line. */
export type Told =
  | { readonly pushed: string; readonly at: number; readonly sent: number }
  | { readonly marked: number; readonly removed: number; readonly packs: number }
  | { readonly error: string };

/** Every artifact is in use now and again: it is long enough out of use to be removed, and comes back about then. */
function inUseAt(time: number, { artifacts, times }: Racer): readonly Artifact[] {
  const round = (times.grace + times.roots) / 3;
  const turn = Math.floor(time / round) % TURNS;
  return artifacts.filter((_, i) => i % TURNS === turn);
}

async function race(racer: Racer): Promise<void> {
  let go = true;
  process.stdin.on('end', () => {
    go = false;
  });
  process.stdin.resume();
  let state = racer.seed;
  const next = (n: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % n;
  };
  const store = openStore({ dir: racer.role === 'push' ? racer.store : racer.empty });
  const config = { name: 'store', url: racer.url };
  const { env, by, times } = racer;
  const tell = (told: Told) => writeSync(1, `${JSON.stringify(told)}\n`);
  while (go) {
    const remote = await openRemote(config, { env, root: '/', by, times });
    try {
      if (racer.role === 'push') {
        const at = Date.now();
        const inUse = inUseAt(at, racer);
        const artifact = inUse[next(inUse.length)] as Artifact;
        const report = await remote.push({ roots: [{ path: 'x', artifact }] }, store);
        if (report.failed.length > 0) tell({ error: JSON.stringify(report.failed) });
        else tell({ pushed: artifact.digest, at, sent: report.objects });
      } else {
        const runs = { before: 0, dropped: false, project: '' };
        const { marks, removes, packs } = await remote.remove({ roots: [], runs, names: [] }, store);
        tell({ marked: marks.length, removed: removes.length, packs: packs.count });
      }
    } catch (error) {
      tell({ error: error instanceof Error ? error.message : String(error) });
    } finally {
      remote.close();
    }
  }
  process.exit(0);
}

await race(JSON.parse(process.argv[2] ?? '') as Racer);
