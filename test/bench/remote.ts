import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type FaultProxy, startFaultProxy } from '../rigs/fault-proxy.ts';
import { type S3Server, startS3 } from '../rigs/s3.ts';
import { type Bench, contenders, dag, initDvc, must } from './bench.ts';
import type { Scenario, Trial } from './measure.ts';
import { findPeer } from './peers.ts';
import { type WorkFolder, writeLargeFiles, writeSmallFiles } from './work-folder.ts';

/** How long data takes to a real S3 server and back. */
export const remoteBench: Bench = {
  name: 'remote',
  about: [
    'To a real S3 server (versitygw, one process on the same machine) and back: 70,000 files of 270 B, 2,000 of them, and 4 of',
    '256 MB. `fetch` fills an empty cache and syncs it, s5cmd and rclone an empty folder: they keep no digests and verify less.',
    'DVC is left out of the 70,000: it takes many minutes for each. `edit` pushes 1 GB again after 1 % of it has changed in ten',
    'places, and then with 1 MB before its first byte.',
  ].join('\n'),
  peers: ['dvc', 's5cmd', 'rclone'],
  open: async (work) => {
    const server = await startS3();
    return {
      scenarios: [
        scenario(work, server, 'few-small', '2,000 × 270 B', (folder) => writeSmallFiles(folder, 2000, 270)),
        scenario(work, server, 'many-small', '70,000 × 270 B', (folder) => writeSmallFiles(folder, 70_000, 270), MANY),
        scenario(work, server, 'few-large', '4 × 256 MB', (folder) => writeLargeFiles(folder, 4, 256 << 20)),
        editScenario(work, server),
      ],
      close: () => server.remove(),
    };
  },
};

const ROUNDS = 3;
/** What takes DVC many minutes is not asked of it. */
const MANY = 'takes many minutes: one request a file';

function scenario(
  work: WorkFolder,
  server: S3Server,
  kind: string,
  title: string,
  write: (folder: string) => void,
  withoutDvc?: string,
): Scenario {
  const at = (who: string): string => work.at(`${kind}-${who}`);
  /** A place of its own for each round: what was sent before must not help. */
  const url = (who: string, round: number): string => `s3://${server.bucket}/${kind}-${who}-${round}`;
  for (const who of withoutDvc === undefined ? ['dag', 'dvc', 'plain'] : ['dag', 'plain']) {
    work.project(`${kind}-${who}`);
    write(join(at(who), 'd'));
  }
  // One more than are timed: dag's requests are counted in the last.
  const rounds = Array.from({ length: ROUNDS + 1 }, (_, i) => i);
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

  const ours = (verb: string, prepare = (): void => {}): Trial => ({
    prepare,
    command: (round) => dag(verb, '-r', `r${round}`),
    cwd: at('dag'),
  });
  const dvc =
    (verb: string, prepare = (): void => {}) =>
    (program: string) =>
      withoutDvc ?? {
        prepare,
        command: (round: number) => [program, verb, '-r', `r${round}`],
        cwd: at('dvc'),
      };
  const plain = (command: (program: string, round: number) => readonly string[]) => (program: string) => ({
    prepare: () => {
      work.discard(join(at('plain'), 'back'));
      mkdirSync(join(at('plain'), 'back'));
    },
    command: (round: number) => command(program, round),
    cwd: at('plain'),
  });
  const rclone = (round: number): string => url('rclone', round).replace('s3://', 'bench:');
  return {
    rounds: ROUNDS,
    env: { ...work.env, ...server.env, ...peersEnv(server) },
    counting: countRequests(server),
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
          ours('fetch', () => work.discard(join(at('dag'), '.cache'))),
          {
            dvc: dvc('fetch', () => {
              for (const name of ['cache', 'tmp']) work.discard(join(at('dvc'), '.dvc', name));
              work.discard(work.at('home', 'dvc-site'));
            }),
            s5cmd: plain((program, round) => [program, 'cp', `${url('s5cmd', round)}/*`, 'back/']),
            rclone: plain((program, round) => [program, 'copy', rclone(round), 'back']),
          },
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
    rounds: ROUNDS,
    env,
    counting: countRequests(server),
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
    requests: () => proxy?.seen.length ?? 0,
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
