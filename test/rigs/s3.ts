import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { accessSync, constants, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';

/** A bucket on a private S3 server of some kind, on loopback. */
export interface S3Place {
  readonly endpoint: string;
  readonly bucket: string;
  /** `AWS_*` of the bucket's owner: all that a client needs. */
  readonly env: { readonly [name: string]: string };
  /** Stops it and removes all that it has stored. */
  readonly remove: () => Promise<void>;
}

/** A private versitygw with one bucket. */
export interface S3Server extends S3Place {
  /** The bucket as the folder of files that it is: to look at, and to damage. */
  readonly folder: string;
  /** Makes another user, with no rights until a bucket policy names it. @returns its `AWS_*`. */
  readonly addUser: (name: string) => { readonly [name: string]: string };
  /** A client with the owner's rights, for what a test does behind dag's back. */
  readonly client: S3Client;
  /** Ends the server in the middle of whatever it does; what it has stored stays. */
  readonly stop: () => Promise<void>;
  /** Starts it again, on the same port. */
  readonly restart: () => Promise<void>;
}

/** Keys of the bucket's owner. */
export const ACCESS = 'dagtestowner';
export const SECRET = 'dag-test-owner-secret';

/** Where versitygw is: `VGW_BIN`, PATH, or Go's bin folder; undefined where it isn't. */
function findVersitygw(): string | undefined {
  const named = process.env['VGW_BIN'];
  if (named !== undefined && named !== '') return isExecutable(named) ? named : undefined;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  folders.push(process.env['GOBIN'] ?? join(process.env['GOPATH'] ?? join(homedir(), 'go'), 'bin'));
  return folders.map((folder) => join(folder, 'versitygw')).find(isExecutable);
}

/** Why tests on a real S3 server can't run; undefined where they can. */
export function missingS3(): string | undefined {
  return findVersitygw() === undefined ? 'versitygw is not installed (test/rigs/versitygw.sh install)' : undefined;
}

/**
 * For beforeEach of tests on a real S3 server: skips them, with the reason, where there is none; with DAG_REQUIRE_RIGS=1
 * they fail instead.
 */
export function needS3(context: { skip: (note?: string) => void }): void {
  needRig(context, missingS3());
}

/** Skips a test with the reason why it can't run, if there is one; with DAG_REQUIRE_RIGS=1 it fails instead. */
export function needRig(context: { skip: (note?: string) => void }, reason: string | undefined): void {
  if (reason === undefined) return;
  if (process.env['DAG_REQUIRE_RIGS'] === '1') throw new Error(reason);
  context.skip(reason);
}

/** Starts a server of its own for the caller, with an empty bucket. Call `remove` at the end. */
export async function startS3(): Promise<S3Server> {
  const binary = findVersitygw();
  if (binary === undefined) throw new Error(missingS3());
  const state = mkdtempSync(join(tmpdir(), 'dag-s3-'));
  for (const folder of ['data', 'iam', 'sidecar', 'versions']) execFileSync('mkdir', ['-p', join(state, folder)]);
  const { port, ...first } = await launchAnywhere(binary, state);
  let { server } = first;
  const endpoint = endpointOf(port);
  const bucket = 'bucket';
  const env = ownerEnv(endpoint);
  process.on('exit', kill);
  const client = await makeBucket(endpoint, bucket);

  function kill(): void {
    server.kill('SIGKILL');
  }
  async function stop(): Promise<void> {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const gone = new Promise((resolve) => server.once('exit', resolve));
    // Killed in the middle of a write, versitygw keeps objects that it lists and can't give.
    server.kill('SIGTERM');
    const timer = setTimeout(kill, 3000);
    await gone;
    clearTimeout(timer);
  }
  return {
    endpoint,
    bucket,
    folder: join(state, 'data', bucket),
    env,
    client,
    addUser: (name) => {
      const secret = `${name}-secret`;
      const admin = ['admin', '--access', ACCESS, '--secret', SECRET, '--endpoint-url', endpoint];
      const user = ['create-user', '--access', name, '--secret', secret, '--role', 'user'];
      execFileSync(binary, [...admin, ...user], { env: serverEnv(), stdio: 'pipe' });
      return { ...env, AWS_ACCESS_KEY_ID: name, AWS_SECRET_ACCESS_KEY: secret };
    },
    stop,
    restart: async () => {
      await stop();
      server = await launch(binary, state, port);
    },
    remove: async () => {
      await stop();
      process.removeListener('exit', kill);
      client.destroy();
      rmSync(state, { recursive: true, force: true });
    },
  };
}

/** `AWS_*` of the owner of a server there. */
export function ownerEnv(endpoint: string): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: ACCESS,
    AWS_SECRET_ACCESS_KEY: SECRET,
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL: endpoint,
  };
}

/** Makes a bucket. @returns a client with its owner's rights. */
export async function makeBucket(endpoint: string, bucket: string): Promise<S3Client> {
  // The SDK's word on old versions of Node is none of the tests'.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: ACCESS, secretAccessKey: SECRET },
  });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return client;
}

const endpointOf = (port: number): string => `http://127.0.0.1:${port}`;

/** On a port that is free; on another where somebody took that one just then. */
async function launchAnywhere(binary: string, state: string): Promise<{ server: ChildProcess; port: number }> {
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    try {
      return { server: await launch(binary, state, port), port };
    } catch (error) {
      if (tries === 5) throw error;
    }
  }
}

async function launch(binary: string, state: string, port: number): Promise<ChildProcess> {
  const log = openSync(join(state, 'log'), 'a');
  const general = ['--port', `127.0.0.1:${port}`, '--iam-dir', join(state, 'iam'), '--keep-alive', '--quiet'];
  const posix = ['posix', '--sidecar', join(state, 'sidecar'), join(state, 'data')];
  const server = spawn(binary, [...general, ...posix], { env: serverEnv(), stdio: ['ignore', log, log] });
  while (server.exitCode === null && server.signalCode === null) {
    const answer = await fetch(endpointOf(port)).catch(() => undefined);
    if (answer !== undefined) return server;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`versitygw did not start:\n${readFileSync(join(state, 'log'), 'utf8')}`);
}

/** Its settings are flags: nothing of the caller's environment gets in. */
function serverEnv(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] ?? '', ROOT_ACCESS_KEY: ACCESS, ROOT_SECRET_KEY: SECRET };
}

/**
 * A port of loopback on which nothing listens. Below those that systems give out by themselves (32768 and on), so that no
 * connection of another test gets it meanwhile.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(15_000, 30_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

function isExecutable(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
