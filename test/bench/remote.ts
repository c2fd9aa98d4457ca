import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, linkSync, mkdirSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type FaultProxy, startFaultProxy } from '../rigs/fault-proxy.ts';
import { type S3Server, startS3 } from '../rigs/s3.ts';
import { type Bench, contenders, dag, initDvc, must } from './bench.ts';
import type { Scenario, Trial } from './measure.ts';
import { findPeer } from './peers.ts';
import { type WorkFolder, writeLargeFiles, writeSmallFiles } from './work-folder.ts';

/** How long data takes to a real S3 server and back. BENCH_ONLY names one part of it: few-small, many-small, few-large, edit, million. */
export const remoteBench: Bench = {
  name: 'remote',
  about: [
    'To a real S3 server (versitygw, one process on the same machine) and back: 70,000 files of 270 B, 2,000 of them, and 4 of',
    '256 MB. `fetch` fills an empty cache, checks what comes and syncs it; s5cmd and rclone fill an empty folder, keep no digests',
    'and sync nothing: `s5cmd, sync` is s5cmd and then a sync of what it wrote. DVC is asked for the 2,000 and the large files',
    'only: the 70,000 take it many minutes. `edit` pushes 1 GB again after 1 % of it has changed in ten places, and then with',
    '1 MB before its first byte. The million files are small, and only dag is asked for them.',
  ].join('\n'),
  peers: ['dvc', 's5cmd', 'rclone'],
  open: async (work) => {
    const server = await startS3();
    // Also when it is interrupted: what the server holds may be gigabytes.
    process.once('exit', () => rmSync(join(server.folder, '..', '..'), { recursive: true, force: true }));
    return { scenarios: scenarios(work, server), close: () => server.remove() };
  },
};

function* scenarios(work: WorkFolder, server: S3Server): Generator<Scenario> {
  const wanted = (kind: string): boolean => kind.includes(process.env['BENCH_ONLY'] ?? '');
  const few: Data = { ...SMALL, kind: 'few-small', title: '2,000 × 270 B', count: 2000 };
  if (wanted(few.kind)) yield scenario(work, server, few);
  const many: Data = { ...SMALL, kind: 'many-small', title: '70,000 × 270 B', withoutDvc: MANY };
  if (wanted(many.kind)) yield scenario(work, server, many);
  if (wanted(LARGE.kind)) yield scenario(work, server, LARGE);
  for (const who of ['dag', 'dvc', 'plain']) work.discard(work.at(`${LARGE.kind}-${who}`));
  work.empty();
  if (wanted('edit')) yield editScenario(work, server);
  work.discard(work.at('edit'));
  work.empty();
  if (wanted('million')) yield millionScenario(work, server);
}

/** What takes DVC many minutes is not asked of it. */
const MANY = 'takes many minutes: one request a file';

interface Data {
  readonly kind: string;
  readonly title: string;
  readonly count: number;
  /** Bytes of each file. */
  readonly size: number;
  readonly rounds: number;
  readonly withoutDvc?: string;
}

const SMALL = { count: 70_000, size: 270, rounds: 3 };
const LARGE: Data = { kind: 'few-large', title: '4 × 256 MB', count: 4, size: 256 << 20, rounds: 2 };

function scenario(work: WorkFolder, server: S3Server, data: Data): Scenario {
  const { kind, title, count, size, withoutDvc } = data;
  const isLarge = size > 1 << 20;
  const at = (who: string): string => work.at(`${kind}-${who}`);
  /** A place of its own for each round: what was sent before must not help. */
  const url = (who: string, round: number): string => `s3://${server.bucket}/${kind}-${who}-${round}`;
  for (const who of withoutDvc === undefined ? ['dag', 'dvc', 'plain'] : ['dag', 'plain']) {
    work.project(`${kind}-${who}`);
    if (!isLarge) writeSmallFiles(join(at(who), 'd'), count, size);
    else if (who === 'dag') writeLargeFiles(join(at(who), 'd'), count, size);
    else linkFiles(join(at('dag'), 'd'), join(at(who), 'd'));
  }
  // One more than are timed: dag's requests are counted in the last.
  const rounds = Array.from({ length: data.rounds + 1 }, (_, i) => i);
  must(dag('init'), at('dag'), work.env);
  must(dag('add', 'd'), at('dag'), work.env);
  for (const round of rounds) must(dag('remote', 'add', `r${round}`, url('dag', round)), at('dag'), work.env);
  const { path: dvcProgram } = findPeer('dvc');
  if (dvcProgram !== undefined && withoutDvc === undefined) {
    initDvc(work, dvcProgram, at('dvc'));
    must([dvcProgram, 'add', '-q', 'd'], at('dvc'), work.env);
    for (const round of rounds)
      must([dvcProgram, 'remote', 'add', '-q', `r${round}`, url('dvc', round)], at('dvc'), work.env);
  }

  /** Few large files are deleted at once: they take much room, and no time to delete. */
  const discard = (path: string): void => {
    work.discard(path);
    if (isLarge) work.empty();
  };
  const ours = (verb: string, prepare = (): void => {}): Trial => ({
    prepare,
    command: (round) => dag(verb, '-r', `r${round}`),
    cwd: at('dag'),
  });
  const dvc =
    (verb: string, prepare = (): void => {}) =>
    (program: string) =>
      withoutDvc ?? { prepare, command: (round: number) => [program, verb, '-r', `r${round}`], cwd: at('dvc') };
  const plain = (command: (program: string, round: number) => readonly string[]) => (program: string) => ({
    prepare: () => {
      discard(join(at('plain'), 'back'));
      mkdirSync(join(at('plain'), 'back'));
    },
    command: (round: number) => command(program, round),
    cwd: at('plain'),
  });
  const rclone = (round: number): string => url('rclone', round).replace('s3://', 'bench:');
  const { path: s5cmd } = findPeer('s5cmd');
  const synced = (program: string, round: number): readonly string[] => {
    return ['sh', '-c', '"$1" cp "$2/*" back/ && sync -f back', 'sh', program, url('s5cmd', round)];
  };
  return {
    rounds: data.rounds,
    env: { ...work.env, ...server.env, ...peersEnv(server) },
    counting: countRequests(server),
    ...(isLarge ? { deletes: 'at the end' as const } : {}),
    afterRound: (round) => {
      if (!isLarge) return;
      for (const who of ['dag', 'dvc', 's5cmd', 'rclone']) {
        rmSync(join(server.folder, `${kind}-${who}-${round}`), { recursive: true, force: true });
      }
    },
    steps: [
      {
        what: `${title}: \`push\``,
        by: contenders(ours('push'), {
          dvc: dvc('push'),
          s5cmd: plain((program, round) => [program, 'cp', 'd/', `${url('s5cmd', round)}/`]),
          rclone: plain((program, round) => [program, 'copy', 'd', rclone(round)]),
        }),
      },
      {
        what: `${title}: \`push\`, nothing to do`,
        by: contenders(ours('push'), {
          dvc: dvc('push'),
          s5cmd: plain((program, round) => [program, 'sync', 'd/', `${url('s5cmd', round)}/`]),
          rclone: plain((program, round) => [program, 'sync', 'd', rclone(round)]),
        }),
      },
      {
        what: `${title}: \`fetch\``,
        by: contenders(
          ours('fetch', () => discard(join(at('dag'), '.cache'))),
          {
            dvc: dvc('fetch', () => {
              for (const name of ['cache', 'tmp']) discard(join(at('dvc'), '.dvc', name));
              work.discard(work.at('home', 'dvc-site'));
            }),
            s5cmd: plain((program, round) => [program, 'cp', `${url('s5cmd', round)}/*`, 'back/']),
            rclone: plain((program, round) => [program, 'copy', rclone(round), 'back']),
          },
          s5cmd === undefined ? {} : { 's5cmd, sync': plain(synced)(s5cmd) },
        ),
      },
    ],
  };
}

/** 1 GB that is there, and then changes: nothing is spared by who sends whole files. */
function editScenario(work: WorkFolder, server: S3Server): Scenario {
  const size = 1 << 30;
  const folder = work.project('edit');
  const file = join(folder, 'd', '0.bin');
  writeLargeFiles(join(folder, 'd'), 1, size);
  must(dag('init'), folder, work.env);
  must(dag('remote', 'add', '-d', 'r', `s3://${server.bucket}/edit`), folder, work.env);
  const env = { ...work.env, ...server.env, ...peersEnv(server) };
  const push = (change: () => void): Trial => ({
    prepare: () => {
      must(dag('add', '-q', 'd'), folder, env);
      must(dag('push', '-q'), folder, env);
      change();
      must(dag('add', '-q', 'd'), folder, env);
    },
    command: () => dag('push'),
    cwd: folder,
  });
  const whole = (program: string): Trial => ({
    command: () => [program, 'cp', 'd/', `s3://${server.bucket}/edit-s5cmd/`],
    cwd: folder,
  });
  return {
    rounds: 1,
    env,
    counting: countRequests(server),
    deletes: 'at the end',
    // What the file was before is in the cache for nobody.
    afterRound: () => rmSync(join(folder, '.cache', 'objects'), { recursive: true, force: true }),
    steps: [
      {
        what: '1 GB, 1 % of it changed in ten places: `push`',
        by: contenders(
          push(() => changeInPlaces(file, size, 10)),
          { s5cmd: whole },
        ),
      },
      {
        what: '1 GB, 1 MB inserted at its head: `push`',
        by: contenders(
          push(() => insertAtHead(file)),
          { s5cmd: whole },
        ),
      },
    ],
  };
}

/** A push that has nothing to do, of very many files. */
function millionScenario(work: WorkFolder, server: S3Server): Scenario {
  const folder = work.project('million');
  const env = { ...work.env, ...server.env };
  writeSmallFiles(join(folder, 'd'), 1_000_000, 24);
  must(dag('init'), folder, env);
  must(dag('remote', 'add', '-d', 'r', `s3://${server.bucket}/million`), folder, env);
  must(dag('add', '-q', 'd'), folder, env);
  must(dag('push', '-q'), folder, env);
  const push: Trial = { command: () => dag('push'), cwd: folder };
  return {
    rounds: 3,
    env,
    counting: countRequests(server),
    steps: [{ what: '1,000,000 files: `push`, nothing to do', by: contenders(push, {}) }],
  };
}

/** Fills a folder with other names of the same files. */
function linkFiles(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) linkSync(join(from, name), join(to, name));
}

/** Overwrites a hundredth of a file with other bytes, evenly spread. */
function changeInPlaces(file: string, size: number, places: number): void {
  const handle = openSync(file, 'r+');
  for (let i = 0; i < places; i++) {
    const bytes = randomBytes(Math.floor(size / 100 / places));
    writeSync(handle, bytes, 0, bytes.length, Math.floor((size / places) * (i + 0.5)));
  }
  closeSync(handle);
}

function insertAtHead(file: string): void {
  writeFileSync(`${file}.new`, randomBytes(1 << 20));
  execFileSync('sh', ['-c', 'cat "$1" >> "$1.new" && mv "$1.new" "$1"', 'sh', file]);
}

function countRequests(server: S3Server): NonNullable<Scenario['counting']> {
  let proxy: FaultProxy | undefined;
  return {
    start: async () => {
      proxy = await startFaultProxy(server.endpoint);
      return { AWS_ENDPOINT_URL: proxy.endpoint };
    },
    counts: () => ({
      requests: proxy?.seen.length ?? 0,
      bytes: proxy?.seen.reduce((sum, { length }) => sum + length, 0) ?? 0,
    }),
    stop: async () => {
      await proxy?.close();
    },
  };
}

/** How the peers that don't read AWS_ENDPOINT_URL are told where the server is. */
function peersEnv(server: S3Server): Record<string, string> {
  return {
    S3_ENDPOINT_URL: server.endpoint,
    RCLONE_CONFIG_BENCH_TYPE: 's3',
    RCLONE_CONFIG_BENCH_PROVIDER: 'Other',
    RCLONE_CONFIG_BENCH_ENV_AUTH: 'true',
    RCLONE_CONFIG_BENCH_ENDPOINT: server.endpoint,
  };
}
