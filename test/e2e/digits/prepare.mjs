// data/raw/N.bin (rows of 784 bytes) → train and test set with labels, interleaved by digit.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { note, param } from './shared.mjs';

note('prepare');
const PIXELS = 784;
const holdout = param('prepare', 'holdout');
const digits = Array.from({ length: 10 }, (_, digit) => readFileSync(`data/raw/${digit}.bin`));
const rows = Math.min(...digits.map((bytes) => bytes.length / PIXELS));
mkdirSync('data/digits', { recursive: true });
for (const [name, from, to] of [
  ['test', 0, holdout],
  ['train', holdout, rows],
]) {
  const parts = [];
  const labels = [];
  for (let row = from; row < to; row++) {
    for (const [digit, bytes] of digits.entries()) {
      parts.push(bytes.subarray(row * PIXELS, (row + 1) * PIXELS));
      labels.push(digit);
    }
  }
  writeFileSync(`data/digits/${name}.bin`, Buffer.concat(parts));
  writeFileSync(`data/digits/${name}.labels`, Uint8Array.from(labels));
}
