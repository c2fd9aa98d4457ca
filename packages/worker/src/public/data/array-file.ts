import { type FileHandle, open, readFile, writeFile } from 'node:fs/promises';
import {
  type ArrayHead,
  bytesOf,
  decode,
  dtypeOf,
  type Element,
  HEAD_BYTES,
  npyHead,
  readHead,
} from './array-format.ts';
import { DataError } from './error.ts';
import { type RowReader, type Rows, sizeOf, type Values } from './rows.ts';

export interface ArrayOptions {
  /** Of one row, for a file of bare numbers, which has no header. */
  readonly shape?: readonly number[];
  /** What such a file holds, by NumPy's codes, low byte first: u1, i4, f4, … */
  readonly type?: Element;
  /** A file of up to this many bytes is read whole; of a larger one, the rows that are asked for. Default: 64 MiB. */
  readonly memory?: number;
}

const MEMORY = 64 * 2 ** 20;

/**
 * The rows of an array file, the first size being how many there are: .npy, IDX (as MNIST comes in), or, with `shape` and
 * `type`, bare numbers. 64-bit and half-precision numbers come as int32 and float32.
 * @throws DataError where it is no such file, or its length is not what its header says.
 */
export async function openArray(file: string, options: ArrayOptions = {}): Promise<Rows> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const head = await headOf(handle, file, size, options);
    const [count = 1, ...shape] = head.shape;
    const expected = head.offset + count * sizeOf(shape) * bytesOf(head.element);
    if (size !== expected) throw new DataError(file, `it is ${size} bytes long, and ${expected} by its header`);
    const whole = size <= (options.memory ?? MEMORY);
    const reader = whole ? () => memoryReader(file, head) : () => fileReader(file, head);
    return { count, shape, dtype: dtypeOf(head.element), open: reader };
  } finally {
    await handle.close();
  }
}

/** Writes numbers as a .npy file, which `openArray`, NumPy and most other tools read. `shape`: the number of rows first. */
export async function saveArray(file: string, values: Values, shape: readonly number[]): Promise<void> {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  await writeFile(file, [npyHead(values, shape), bytes]);
}

async function headOf(handle: FileHandle, file: string, size: number, options: ArrayOptions): Promise<ArrayHead> {
  const { shape, type } = options;
  if (shape !== undefined && type !== undefined) {
    const count = size / (sizeOf(shape) * bytesOf(type));
    if (Number.isInteger(count)) return { shape: [count, ...shape], element: type, bigEndian: false, offset: 0 };
    throw new DataError(file, `${size} bytes are no whole number of rows of ${shape.join(' × ')} ${type}`);
  }
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
  const head = readHead(file, buffer.subarray(0, bytesRead));
  if (head === undefined)
    throw new DataError(file, 'it is neither .npy nor IDX; say the `shape` and `type` of its rows');
  return head;
}

/** Reads rows out of a copy of the file. */
async function memoryReader(file: string, head: ArrayHead): Promise<RowReader> {
  const bytes = await readFile(file);
  const row = rowBytes(head);
  const read = (indices: Uint32Array) => {
    const taken = new Uint8Array(indices.length * row);
    for (let i = 0; i < indices.length; i++) {
      const from = head.offset + (indices[i] ?? 0) * row;
      taken.set(bytes.subarray(from, from + row), i * row);
    }
    return numbers(file, head, taken);
  };
  return { read, close: async () => {} };
}

/** Reads rows from the file itself, those that stand side by side in one go. */
async function fileReader(file: string, head: ArrayHead): Promise<RowReader> {
  const handle = await open(file);
  const row = rowBytes(head);
  const read = async (indices: Uint32Array) => {
    const taken = new Uint8Array(indices.length * row);
    const reads: Promise<void>[] = [];
    for (let i = 0; i < indices.length; ) {
      const start = i;
      const first = indices[i++] ?? 0;
      while (i < indices.length && indices[i] === first + (i - start)) i++;
      reads.push(fill(handle, file, taken.subarray(start * row, i * row), head.offset + first * row));
    }
    await Promise.all(reads);
    return numbers(file, head, taken);
  };
  return { read, close: () => handle.close() };
}

async function fill(handle: FileHandle, file: string, into: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < into.length; ) {
    const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
    if (bytesRead === 0) throw new DataError(file, 'it became shorter while it was read');
    done += bytesRead;
  }
}

function numbers(file: string, head: ArrayHead, bytes: Uint8Array<ArrayBuffer>): Values {
  try {
    return decode(bytes.buffer, head.element, head.bigEndian);
  } catch (error) {
    throw new DataError(file, error instanceof Error ? error.message : String(error));
  }
}

function rowBytes(head: ArrayHead): number {
  return sizeOf(head.shape.slice(1)) * bytesOf(head.element);
}
