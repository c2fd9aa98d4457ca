import type { Access } from './access.ts';
import { type Call, descriptorPath, quotedText } from './call.ts';

/** A call that has returned, and where its process stands. */
export interface CallAt {
  readonly call: Call;
  /** The working folder; absolute. */
  readonly folder: string;
  readonly program: string;
}

type Read = (at: CallAt) => (Access | undefined)[];

/** The path that an argument is, from the working folder; undefined where it was not told. */
export function pathAt({ call, folder }: CallAt, arg: number): string | undefined {
  return absolute(folder, quotedText(call.args[arg]));
}

/** The path that an argument is, from the folder that the one before it leads to. */
export function pathUnder({ call, folder }: CallAt, arg: number): string | undefined {
  const base = call.args[arg - 1];
  const here = base?.startsWith('AT_FDCWD') === true ? folder : undefined;
  return absolute(descriptorPath(base) ?? here, quotedText(call.args[arg]));
}

/**
 * What calls that name files come to: an access is undefined where its path is not known. Of those that fail, only the
 * ones that open tell something: that a file is not there.
 */
export const FILE_CALLS: Readonly<Record<string, Read>> = {
  open: (at) => opened(at, pathAt(at, 0), at.call.args[1]),
  openat: (at) => opened(at, pathUnder(at, 1), at.call.args[2]),
  openat2: (at) => opened(at, pathUnder(at, 1), at.call.args[2]),
  creat: (at) => opened(at, pathAt(at, 0), 'O_WRONLY|O_CREAT|O_TRUNC'),
  open_by_handle_at: (at) => opened(at, at.call.result?.path, at.call.args[2]),
  rename: done((at) => moved(at, pathAt(at, 0), pathAt(at, 1))),
  renameat: done((at) => moved(at, pathUnder(at, 1), pathUnder(at, 3))),
  renameat2: done((at) => {
    const [from, to] = [pathUnder(at, 1), pathUnder(at, 3)];
    const isSwapped = at.call.args[4]?.includes('RENAME_EXCHANGE') === true;
    return [...moved(at, from, to), ...(isSwapped ? made(at, from, false) : [])];
  }),
  link: done((at) => [...read(at, pathAt(at, 0)), ...made(at, pathAt(at, 1))]),
  linkat: done((at) => [...read(at, pathUnder(at, 1)), ...made(at, pathUnder(at, 3))]),
  symlink: done((at) => made(at, pathAt(at, 1))),
  symlinkat: done((at) => made(at, pathUnder(at, 2))),
  mkdir: done((at) => made(at, pathAt(at, 0))),
  mkdirat: done((at) => made(at, pathUnder(at, 1))),
  mknod: done((at) => made(at, pathAt(at, 0))),
  mknodat: done((at) => made(at, pathUnder(at, 1))),
  unlink: done((at) => removed(at, pathAt(at, 0))),
  // A folder that goes is nothing that a stage makes.
  unlinkat: done((at) => (at.call.args[2]?.includes('AT_REMOVEDIR') === true ? [] : removed(at, pathUnder(at, 1)))),
  truncate: done((at) => made(at, pathAt(at, 0), false)),
  connect: (at) => connected(at),
};

function done(read: Read): Read {
  return (at) => (at.call.result?.value === 0 ? read(at) : []);
}

function opened({ call, program }: CallAt, path: string | undefined, flags = ''): (Access | undefined)[] {
  const { value = -1, error, path: real } = call.result ?? {};
  if (value < 0 && error !== 'ENOENT') return [];
  // Neither reads: a name for later calls, and a file that never has one.
  if (flags.includes('O_PATH') || flags.includes('O_TMPFILE')) return [];
  if (path === undefined) return [undefined];
  if (value < 0) return [{ kind: 'absent', path, program }];
  if (flags.includes('O_DIRECTORY')) return [{ kind: 'list', path, real, program }];
  if (!/\bO_(?:WRONLY|RDWR)\b/.test(flags)) return [{ kind: 'read', path, real, program }];
  return [{ kind: 'write', path, real, isNew: flags.includes('O_EXCL'), program }];
}

function read({ program }: CallAt, path: string | undefined): (Access | undefined)[] {
  return [path === undefined ? undefined : { kind: 'read', path, program }];
}

function made({ program }: CallAt, path: string | undefined, isNew = true): (Access | undefined)[] {
  return [path === undefined ? undefined : { kind: 'write', path, isNew, program }];
}

function removed({ program }: CallAt, path: string | undefined): (Access | undefined)[] {
  return [path === undefined ? undefined : { kind: 'delete', path, program }];
}

function moved({ program }: CallAt, from: string | undefined, path: string | undefined): (Access | undefined)[] {
  return [from === undefined || path === undefined ? undefined : { kind: 'move', from, path, program }];
}

function connected({ call, program }: CallAt): Access[] {
  const { error } = call.result ?? {};
  if (error !== undefined && error !== 'EINPROGRESS') return [];
  const address = call.args[1] ?? '';
  const port = /htons\((\d+)\)/.exec(address)?.[1];
  const host = /inet_(?:addr|pton)\((?:AF_INET6, )?("[^"]*")/.exec(address)?.[1];
  const socket = /sun_path=@?("(?:[^"\\]|\\.)*")/.exec(address)?.[1];
  const name = quotedText(host ?? socket);
  if (name === undefined || name === '') return [];
  if (socket !== undefined) return [{ kind: 'connect', to: name, program }];
  if (port === undefined || port === '0') return [];
  return [{ kind: 'connect', to: `${name.includes(':') ? `[${name}]` : name}:${port}`, program }];
}

function absolute(folder: string | undefined, file: string | undefined): string | undefined {
  if (file === undefined || file.startsWith('/')) return file;
  return folder === undefined ? undefined : `${folder}/${file}`;
}
