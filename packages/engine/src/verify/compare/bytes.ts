import fs from 'node:fs';
import type { Comparison } from './difference.ts';

const CHUNK = 1 << 20;

/** Compares two files byte by byte, with little memory. */
export function compareBytes(before: string, after: string): Comparison {
  const [a, b] = [fs.openSync(before, 'r'), fs.openSync(after, 'r')];
  try {
    const [left, right] = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)];
    for (let offset = 0; ; offset += CHUNK) {
      const [have, got] = [fill(a, left, offset), fill(b, right, offset)];
      if (left.compare(right, 0, got, 0, have) !== 0) {
        let at = 0;
        while (at < have && at < got && left[at] === right[at]) at++;
        const byte = (buffer: Buffer, length: number) => (at < length ? buffer[at] : undefined);
        const difference = {
          kind: 'byte',
          offset: offset + at,
          before: byte(left, have),
          after: byte(right, got),
        } as const;
        return { verdict: 'different', difference };
      }
      if (have < CHUNK) return { verdict: 'identical' };
    }
  } finally {
    fs.closeSync(a);
    fs.closeSync(b);
  }
}

/** Reads as much as there is. */
function fill(handle: number, into: Buffer, offset: number): number {
  let length = 0;
  for (let read = -1; read !== 0 && length < into.length; length += read) {
    read = fs.readSync(handle, into, length, into.length - length, offset + length);
  }
  return length;
}

/** Whether a file holds some bytes, looked for with little memory. */
export function holdsText(file: string, text: string): boolean {
  const wanted = Buffer.from(text);
  const handle = fs.openSync(file, 'r');
  try {
    const buffer = Buffer.allocUnsafe(CHUNK + wanted.length);
    for (let offset = 0; ; offset += CHUNK) {
      const length = fill(handle, buffer, offset);
      if (buffer.subarray(0, length).includes(wanted)) return true;
      if (length < buffer.length) return false;
    }
  } finally {
    fs.closeSync(handle);
  }
}
