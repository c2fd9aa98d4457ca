import fs from 'node:fs';
import path from 'node:path';

// A module that Node loads before the program, in each of its threads, and that counts the calls of node:fs for paths below COUNT_BELOW, by name, by
// the first two folders of the path, and by what a temp file is for. Commands of stages inherit it, and count nothing where they are no Node.
const SOURCE = `'use strict';
const fs = require('node:fs');
const below = process.env.COUNT_BELOW + '/';
const counts = {};
const open = new Map();
const count = (call, file) => {
  if (typeof file !== 'string' || !file.startsWith(below)) return;
  const [first, second = '', third = ''] = file.slice(below.length).split('/');
  const temp = second === 'tmp' && third !== '' ? '/' + third.split('-')[0] : '';
  const key = call + ' ' + first + (second === '' ? '' : '/' + second) + temp;
  counts[key] = (counts[key] ?? 0) + 1;
};
const byPath = (name, call = name) => {
  const real = fs[name];
  fs[name] = (file, ...rest) => {
    count(call, file);
    return real(file, ...rest);
  };
};
for (const call of ['mkdir', 'unlink', 'rm', 'rmdir', 'readFile', 'readdir', 'lstat', 'stat', 'utimes', 'chmod']) {
  byPath(call + 'Sync', call);
}
byPath('writeFileSync', 'write');
const { openSync, fstatSync, readSync, fsyncSync, fsync, fdatasync, linkSync, renameSync } = fs;
fs.openSync = (file, flags, ...rest) => {
  const fd = openSync(file, flags, ...rest);
  open.set(fd, file);
  const writes = typeof flags === 'string' ? flags !== 'r' : ((flags ?? 0) & fs.constants.O_CREAT) !== 0;
  count(writes ? 'write' : 'open', file);
  return fd;
};
fs.fsyncSync = (fd) => {
  count('sync', open.get(fd));
  return fsyncSync(fd);
};
fs.fsync = (fd, done) => {
  count('sync', open.get(fd));
  return fsync(fd, done);
};
fs.fdatasync = (fd, done) => {
  count('sync', open.get(fd));
  return fdatasync(fd, done);
};
fs.fstatSync = (fd, options) => {
  count('fstat', open.get(fd));
  return fstatSync(fd, options);
};
fs.readSync = (fd, ...rest) => {
  count('read', open.get(fd));
  return readSync(fd, ...rest);
};
fs.linkSync = (from, to) => {
  count('link', to);
  return linkSync(from, to);
};
fs.renameSync = (from, to) => {
  count('rename', to);
  return renameSync(from, to);
};
const { threadId } = require('node:worker_threads');
process.once('exit', () => fs.writeFileSync(process.env.COUNT_TO + '-' + threadId, JSON.stringify(counts)));
`;

/** How often which call was made: `sync .cache/objects`, say, for all objects. */
export type Counts = Readonly<Record<string, number>>;

/**
 * Runs something with the environment in which Node counts its calls.
 * @param below absolute; calls for other paths don't count.
 * @param folder where files may be left.
 */
export async function countCalls(
  below: string,
  folder: string,
  run: (env: Record<string, string>) => Promise<unknown>,
): Promise<Counts> {
  const module = path.join(folder, 'count-calls.cjs');
  const reports = fs.mkdtempSync(path.join(folder, 'counts-'));
  fs.writeFileSync(module, SOURCE);
  await run({ NODE_OPTIONS: `--require=${module}`, COUNT_BELOW: below, COUNT_TO: path.join(reports, 'thread') });
  const counts: Record<string, number> = {};
  for (const name of fs.readdirSync(reports)) {
    const own = JSON.parse(fs.readFileSync(path.join(reports, name), 'utf8')) as Counts;
    for (const [call, count] of Object.entries(own)) counts[call] = (counts[call] ?? 0) + count;
  }
  return counts;
}

/** All calls. */
export function total(counts: Counts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
