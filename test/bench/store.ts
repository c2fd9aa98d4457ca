import { closeSync, copyFileSync, openSync, readSync, renameSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Bench, contenders, dag, initDvc, must } from './bench.ts';
import type { Scenario, Trial } from './measure.ts';
import { type WorkFolder, writeLargeFiles, writeSmallFiles } from './work-folder.ts';

/** How long data takes into the cache and out of it. */
export const storeBench: Bench = {
  name: 'store',
  about: [
    'Tracked data into the cache and out of it: 70,000 files of 270 B and 20,000 of 100 kB in 20 folders, and 4 files of',
    "256 MB. Links are copies (reflinks where BENCH_DIR has them) but for `by hard link`. dag's `add` is durable when it",
    "returns, the others' is not; `cp -r, sync` is `cp -r` that is durable. `hash pass` reads and hashes the same files with",
    'all cores and does nothing else. The 20,000 files have one round. What `xvc` is asked for: `file track`, `file recheck`, and `file carry-in` for the',
    'changed byte.',
  ].join('\n'),
  peers: ['dvc', 'xvc'],
  open: async (work) => ({
    scenarios: [
      scenario(work, 'large', '4 × 256 MB', (folder) => writeLargeFiles(folder, 4, 256 << 20)),
      scenario(work, 'small', '70,000 × 270 B', (folder) => writeSmallFiles(folder, 70_000, 270)),
      scenario(work, 'medium', '20,000 × 100 kB', (folder) => writeSmallFiles(folder, 20_000, 100_000)),
    ],
    close: async () => {},
  }),
};

/** The file that gets another byte. */
const CHANGED = { small: 'd/7/7.bin', medium: 'd/7/7.bin', large: 'd/2.bin' };

const HASH_PASS = fileURLToPath(new URL('hash-pass.js', import.meta.url));

function scenario(
  work: WorkFolder,
  kind: keyof typeof CHANGED,
  title: string,
  write: (folder: string) => void,
): Scenario {
  const at = (who: string): string => work.at(`${kind}-${who}`);
  for (const who of ['dag', 'dvc', 'xvc', 'cp']) {
    work.project(`${kind}-${who}`);
    write(join(at(who), 'd'));
  }
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
    });
  const xvc =
    (prepare: () => void, ...args: string[]) =>
    (program: string) => ({
      prepare,
      command: () => [program, '--skip-git', 'file', ...args],
      cwd: at('xvc'),
    });
  const nothing = (): void => {};
  const copies = {
    'cp -r': copy(work, at('cp'), 'cp -r d copy'),
    'cp -r, sync': copy(work, at('cp'), 'cp -r d copy && sync -f copy'),
  };
  const hashPass = {
    'hash pass': { command: () => [process.execPath, HASH_PASS, 'd'], cwd: at('cp') },
  };
  const initXvc = (program: string) => fresh('xvc', (folder) => must([program, 'init'], folder, work.env));
  const freshDvc = (program: string) => fresh('dvc', (folder) => initDvc(work, program, folder));
  const add = contenders(
    ours(
      fresh('dag', (folder) => must(dag('init'), folder, work.env)),
      'add',
      'd',
    ),
    {
      dvc: (program) => dvc(freshDvc(program), 'add', 'd')(program),
      xvc: (program) => xvc(initXvc(program), 'track', 'd')(program),
    },
    { ...copies, ...hashPass },
  );
  /** Data that is no link into another cache yet. */
  const unlinked = (): void => {
    fresh('dag', (folder) => must(dag('init'), folder, work.env))();
    work.discard(join(at('dag'), 'd'));
    must(['cp', '-r', join(at('cp'), 'd'), 'd'], at('dag'), work.env);
  };
  const linked: Trial = {
    prepare: unlinked,
    command: () => ['env', 'DAG_CACHE_LINK=hardlink,copy', ...dag('add', 'd')],
    cwd: at('dag'),
  };
  const checkout = contenders(
    ours(emptied('dag'), 'checkout'),
    { dvc: dvc(emptied('dvc'), 'checkout'), xvc: xvc(emptied('xvc'), 'recheck', 'd') },
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
    { what: `${title}: \`add\` by hard link`, by: contenders(linked, {}, hashPass) },
  ];
  return {
    steps: kind === 'small' ? steps : large,
    // Each leaves 24 GB of the middle ones aside.
    rounds: kind === 'medium' ? 1 : 3,
    env: work.env,
    warm: true,
    leavesFewFiles: kind === 'large',
  };
}

function copy(work: WorkFolder, folder: string, command: string): Trial {
  return { prepare: () => work.discard(join(folder, 'copy')), command: () => ['sh', '-c', command], cwd: folder };
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
