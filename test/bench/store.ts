import { closeSync, copyFileSync, openSync, readSync, renameSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Bench, contenders, dag, initDvc, must } from './bench.ts';
import type { Scenario, Step, Trial } from './measure.ts';
import { type WorkFolder, writeLargeFiles, writeSmallFiles } from './work-folder.ts';

/** How long data takes into the cache and out of it. */
export const storeBench: Bench = {
  name: 'store',
  about: [
    'Tracked data into the cache and out of it: 20,000 files of 100 kB and 70,000 of 270 B in 20 folders, 4 files of 256 MB,',
    "and 4 of 1 GB. Links are copies (reflinks where BENCH_DIR has them) but for `by hard link`. dag's `add` is durable when",
    "it returns, the others' is not; `cp -r, sync` is `cp -r` that is durable. `hash pass` reads and hashes the same files with",
    'all cores and does nothing else; `floor` is the same that also copies them, or links them, and syncs: the least that an',
    '`add` can do in Node. What `xvc` is asked for: `file track`, `file recheck`, and `file carry-in` for the changed byte.',
    'DVC and xvc have one round with the many files, and what is too much to keep is deleted between steps, which makes the',
    'next command slower: each round has another first.',
  ].join('\n'),
  peers: ['dvc', 'xvc'],
  open: async (work) => ({ scenarios: scenarios(work), close: async () => {} }),
};

/** The data of each is made when it is asked for, and deleted before the next: 20 GB are enough. */
function* scenarios(work: WorkFolder): Iterable<Scenario> {
  for (const [kind, { title, write }] of Object.entries(DATA) as [Kind, (typeof DATA)[Kind]][]) {
    yield kind === 'huge' ? hugeScenario(work, title, write) : scenario(work, kind, title, write);
    for (const who of ['dag', 'dvc', 'xvc', 'cp']) work.discard(work.at(`${kind}-${who}`));
    // The last is deleted with all the rest.
    if (kind !== 'small') work.empty();
  }
}

type Kind = 'medium' | 'huge' | 'large' | 'small';

const DATA: Readonly<Record<Kind, { readonly title: string; readonly write: (folder: string) => void }>> = {
  medium: { title: '20,000 × 100 kB', write: (folder) => writeSmallFiles(folder, 20_000, 100_000) },
  huge: { title: '4 × 1 GB', write: (folder) => writeLargeFiles(folder, 4, 1 << 30) },
  large: { title: '4 × 256 MB', write: (folder) => writeLargeFiles(folder, 4, 256 << 20) },
  small: { title: '70,000 × 270 B', write: (folder) => writeSmallFiles(folder, 70_000, 270) },
};

const ROUNDS = 3;

/** The file that gets another byte. */
const CHANGED = { small: 'd/7/7.bin', medium: 'd/7/7.bin', large: 'd/2.bin' };

const HASH_PASS = fileURLToPath(new URL('hash-pass.js', import.meta.url));
const FLOOR = fileURLToPath(new URL('floor.js', import.meta.url));

function scenario(
  work: WorkFolder,
  kind: Exclude<Kind, 'huge'>,
  title: string,
  write: (folder: string) => void,
): Scenario {
  const at = (who: string): string => work.at(`${kind}-${who}`);
  for (const who of kind === 'medium' ? ['dag', 'dvc', 'cp'] : ['dag', 'dvc', 'xvc', 'cp']) {
    work.project(`${kind}-${who}`);
    write(join(at(who), 'd'));
  }
  const peerRounds = kind === 'large' ? ROUNDS : 1;
  /** The project anew, with its data as it lies there. */
  const fresh = (who: string, init: (folder: string) => void) => (): void => {
    const aside = work.at('aside');
    renameSync(join(at(who), 'd'), aside);
    work.discard(at(who));
    init(work.project(`${kind}-${who}`));
    renameSync(aside, join(at(who), 'd'));
  };
  const emptied = (who: string) => () => work.discard(join(at(who), 'd'));
  const changed = (who: string) => () => changeByte(join(at(who), CHANGED[kind]));
  const ours = (prepare: () => void, ...args: string[]): Trial => ({
    prepare,
    command: () => dag(...args),
    cwd: at('dag'),
  });
  const dvc =
    (prepare: () => void, ...args: string[]) =>
    (program: string) => ({
      prepare,
      command: () => [program, ...args],
      cwd: at('dvc'),
      rounds: peerRounds,
    });
  const xvc =
    (prepare: () => void, ...args: string[]) =>
    (program: string) => ({
      prepare,
      command: () => [program, '--skip-git', 'file', ...args],
      cwd: at('xvc'),
      rounds: peerRounds,
    });
  const nothing = (): void => {};
  const [copies, floor] = [copiesOf(work, at('cp')), floorOf(work, at('cp'))];
  const hashPass = hashPassOf(at('cp'));
  const initXvc = (program: string) => fresh('xvc', (folder) => must([program, 'init'], folder, work.env));
  const freshDvc = (program: string) => fresh('dvc', (folder) => initDvc(work, program, folder));
  const add = contenders(
    ours(
      fresh('dag', (folder) => must(dag('init'), folder, work.env)),
      'add',
      'd',
    ),
    withoutXvc(kind, {
      dvc: (program) => dvc(freshDvc(program), 'add', 'd')(program),
      xvc: (program) => xvc(initXvc(program), 'track', 'd')(program),
    }),
    { ...copies, ...hashPass, ...floor('copy') },
  );
  /** Data that is no link into another cache yet. */
  const unlinked = (): void => {
    fresh('dag', (folder) => must(dag('init'), folder, work.env))();
    work.discard(join(at('dag'), 'd'));
    must(['cp', '-r', join(at('cp'), 'd'), 'd'], at('dag'), work.env);
    must(['chmod', '-R', 'u+w', 'd'], at('dag'), work.env);
  };
  const checkout = contenders(
    ours(emptied('dag'), 'checkout'),
    withoutXvc(kind, { dvc: dvc(emptied('dvc'), 'checkout'), xvc: xvc(emptied('xvc'), 'recheck', 'd') }),
    copies,
  );
  const steps = [
    { what: `${title}: \`add\``, by: add },
    {
      what: `${title}: \`status\``,
      by: contenders(ours(nothing, 'status'), { dvc: dvc(nothing, 'status'), xvc: () => 'has none' }),
    },
    {
      what: `${title}: \`add\` again`,
      by: contenders(ours(nothing, 'add', 'd'), { dvc: dvc(nothing, 'add', 'd'), xvc: xvc(nothing, 'track', 'd') }),
    },
    {
      what: `${title}: \`checkout\`, nothing to do`,
      by: contenders(ours(nothing, 'checkout'), {
        dvc: dvc(nothing, 'checkout'),
        xvc: xvc(nothing, 'recheck', 'd'),
      }),
    },
    { what: `${title}: \`checkout\` into an empty folder`, by: checkout },
    {
      what: `${title}: \`add\`, one byte changed`,
      by: contenders(ours(changed('dag'), 'add', 'd'), {
        dvc: dvc(changed('dvc'), 'add', 'd'),
        xvc: xvc(changed('xvc'), 'carry-in', 'd'),
      }),
    },
  ];
  const large = [
    ...steps.filter(({ by }) => by === add || by === checkout),
    linkStep(title, linkedAdd(at('dag'), unlinked), { ...hashPass, ...floor('link') }),
  ];
  const common = { rounds: ROUNDS, env: work.env, warm: true };
  if (kind === 'small') return { ...common, steps };
  return { ...common, steps: large, deletes: kind === 'large' ? 'before commands' : 'between steps' };
}

/** Large files for which there is not the room to have them twice for everyone. */
function hugeScenario(work: WorkFolder, title: string, write: (folder: string) => void): Scenario {
  const [folder, out] = [work.project('huge-dag'), work.project('huge-cp')];
  write(join(folder, 'd'));
  const fresh = (): void => {
    const aside = work.at('aside');
    renameSync(join(folder, 'd'), aside);
    work.discard(folder);
    must(dag('init'), work.project('huge-dag'), work.env);
    renameSync(aside, join(folder, 'd'));
    must(['chmod', '-R', 'u+w', 'd'], folder, work.env);
  };
  const added: Trial = { prepare: fresh, command: () => dag('add', 'd'), cwd: folder, after: fresh };
  const [copies, floor] = [copiesOf(work, folder, out), floorOf(work, folder, out)];
  const hashPass = hashPassOf(folder);
  return {
    steps: [
      { what: `${title}: \`add\``, by: contenders(added, {}, { ...copies, ...hashPass, ...floor('copy') }) },
      linkStep(title, { ...linkedAdd(folder, fresh), after: fresh }, { ...hashPass, ...floor('link') }),
    ],
    rounds: ROUNDS,
    env: work.env,
    warm: true,
    deletes: 'before commands',
  };
}

function linkStep(title: string, own: Trial, plain: Readonly<Record<string, Trial>>): Step {
  return { what: `${title}: \`add\` by hard link`, by: contenders(own, {}, plain) };
}

function linkedAdd(folder: string, prepare: () => void): Trial {
  return { prepare, command: () => ['env', 'DAG_CACHE_LINK=hardlink,copy', ...dag('add', 'd')], cwd: folder };
}

/** There is no room for one more copy of the middle ones. */
function withoutXvc(kind: Kind, peers: { dvc: Peer; xvc: Peer }): { dvc: Peer; xvc: Peer } {
  return kind === 'medium' ? { dvc: peers.dvc, xvc: () => 'not measured' } : peers;
}

type Peer = (program: string) => Trial | string;

/** @param out where the copy is put. */
function copiesOf(work: WorkFolder, folder: string, out = folder): Readonly<Record<string, Trial>> {
  const to = join(out, 'copy');
  const drop = (): void => work.discard(to);
  const of = (command: string): Trial => ({
    prepare: drop,
    command: () => ['sh', '-c', command],
    cwd: folder,
    after: drop,
  });
  return { 'cp -r': of(`cp -r d ${to}`), 'cp -r, sync': of(`cp -r d ${to} && sync -f ${to}`) };
}

function floorOf(work: WorkFolder, folder: string, out = folder) {
  const to = join(out, 'floor');
  const drop = (): void => work.discard(to);
  return (how: 'copy' | 'link'): Readonly<Record<string, Trial>> => ({
    floor: { prepare: drop, command: () => [process.execPath, FLOOR, how, 'd', to], cwd: folder, after: drop },
  });
}

function hashPassOf(folder: string): Readonly<Record<string, Trial>> {
  return { 'hash pass': { command: () => [process.execPath, HASH_PASS, 'd'], cwd: folder } };
}

/** Puts a file with another byte in its middle in its place. */
function changeByte(path: string): void {
  const changed = `${path}.changed`;
  copyFileSync(path, changed);
  const middle = statSync(path).size >> 1;
  const fd = openSync(changed, 'r+');
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, middle);
  byte[0] = ((byte[0] ?? 0) + 1) & 255;
  writeSync(fd, byte, 0, 1, middle);
  closeSync(fd);
  renameSync(changed, path);
}
