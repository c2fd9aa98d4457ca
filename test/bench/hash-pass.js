// Reads and hashes every file of a folder with all cores, and does nothing else: the floor of an add.
// Usage: node hash-pass.js FOLDER
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { Blake3Hasher } from '@napi-rs/blake-hash';

if (isMainThread) {
  const [folder = '.'] = process.argv.slice(2);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const next = new Int32Array(new SharedArrayBuffer(4));
  for (let i = 0; i < availableParallelism(); i++) {
    new Worker(new URL(import.meta.url), { workerData: { files, next } });
  }
} else {
  const { files, next } = workerData;
  const buffer = Buffer.allocUnsafeSlow(1 << 20);
  for (let i = Atomics.add(next, 0, 1); i < files.length; i = Atomics.add(next, 0, 1)) hash(files[i], buffer);
}

function hash(file, buffer) {
  const hasher = new Blake3Hasher();
  const fd = openSync(file, 'r');
  for (let size = readSync(fd, buffer); size > 0; size = readSync(fd, buffer)) hasher.update(buffer.subarray(0, size));
  closeSync(fd);
  hasher.digestBuffer();
}
