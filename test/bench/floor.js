// The least that an add can do: files are hashed with all cores and copied, or linked, to the names of their digests;
// `sync -f` in the end. No listing, no lock, no record of anything.
// Usage: node floor.js copy|link FOLDER OUT
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  fdatasync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { isMainThread, threadId, Worker, workerData } from 'node:worker_threads';
import { Blake3Hasher } from '@napi-rs/blake-hash';

const WRITE_BEHIND = 64 << 20;

if (isMainThread) {
  const [how = 'copy', folder = '.', out = 'out'] = process.argv.slice(2);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const next = new Int32Array(new SharedArrayBuffer(4));
  for (let i = 0; i < 256; i++) mkdirSync(join(out, hex(i)), { recursive: true });
  const cores = availableParallelism();
  let running = cores;
  for (let i = 0; i < cores; i++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: { how, files, next, out } });
    worker.once('exit', () => {
      if (--running === 0) execFileSync('sync', ['-f', out]);
    });
  }
} else {
  const { how, files, next, out } = workerData;
  const buffer = Buffer.allocUnsafeSlow(1 << 20);
  const temp = join(out, `${threadId}.tmp`);
  for (let i = Atomics.add(next, 0, 1); i < files.length; i = Atomics.add(next, 0, 1)) {
    const digest = how === 'copy' ? copy(files[i], temp, buffer) : read(files[i], buffer, () => undefined);
    const name = join(out, digest.slice(0, 2), digest.slice(2));
    if (how === 'copy') {
      renameSync(temp, name);
    } else {
      chmodSync(files[i], 0o444);
      linkSync(files[i], name);
    }
  }
}

function copy(file, to, buffer) {
  const fd = openSync(to, 'wx', 0o444);
  let unsynced = 0;
  const digest = read(file, buffer, (bytes) => {
    writeSync(fd, bytes);
    unsynced += bytes.length;
    if (unsynced < WRITE_BEHIND) return;
    unsynced = 0;
    fdatasync(fd, () => undefined);
  });
  if (unsynced === 0) fdatasync(fd, () => closeSync(fd));
  else closeSync(fd);
  return digest;
}

function read(file, buffer, onBytes) {
  const hasher = new Blake3Hasher();
  const fd = openSync(file, 'r');
  for (let size = readSync(fd, buffer); size > 0; size = readSync(fd, buffer)) {
    const bytes = buffer.subarray(0, size);
    hasher.update(bytes);
    onBytes(bytes);
  }
  closeSync(fd);
  return hasher.digestBuffer().toString('hex');
}

function hex(i) {
  return i.toString(16).padStart(2, '0');
}
