import type { OutCheck } from '@dag/model';
import type { Comparison } from './difference.ts';
import { compareTensors, halfOf, type Tensor } from './tensors.ts';

/** Compares two NumPy arrays, as `numpy.save` writes them. @returns undefined where one of them is none that can be read. */
export function compareNpy(before: Uint8Array, after: Uint8Array, check: OutCheck | undefined): Comparison | undefined {
  const [a, b] = [readNpy(before), readNpy(after)];
  return a && b && compareTensors(new Map([['array', a]]), new Map([['array', b]]), check);
}

/** Format: numpy.lib.format, versions 1 to 3. Arrays of objects and records are not read. */
function readNpy(bytes: Uint8Array): Tensor | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || Buffer.from(bytes.subarray(0, 6)).toString('latin1') !== '\x93NUMPY') return undefined;
  const isFirst = bytes[6] === 1;
  const start = isFirst ? 10 : 12;
  const length = isFirst ? view.getUint16(8, true) : view.getUint32(8, true);
  const header = Buffer.from(bytes.subarray(start, start + length)).toString('utf8');
  const descr = /'descr':\s*'([<>|=])([fiubc])(\d+)'/.exec(header);
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1];
  if (descr === null || shape === undefined) return undefined;
  const [, order, kind = '', size = ''] = descr;
  const read = READERS[`${kind}${size}`];
  if (read === undefined) return undefined;
  const parts = kind === 'c' ? 2 : 1;
  const width = Number(size) / parts;
  const dimensions = shape
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map(Number);
  const count = dimensions.reduce((product, one) => product * one, parts);
  const from = start + length;
  if (from + count * width !== bytes.length) return undefined;
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) values[i] = read(view, from + i * width, order !== '>');
  const layout = /'fortran_order':\s*True/.test(header) ? ' by columns' : '';
  return { shape: dimensions, dtype: `${kind}${size}${layout}`, values, parts };
}

type Read = (view: DataView, at: number, little: boolean) => number;

const READERS: Readonly<Record<string, Read>> = {
  f2: (view, at, little) => halfOf(view.getUint16(at, little)),
  f4: (view, at, little) => view.getFloat32(at, little),
  f8: (view, at, little) => view.getFloat64(at, little),
  c8: (view, at, little) => view.getFloat32(at, little),
  c16: (view, at, little) => view.getFloat64(at, little),
  b1: (view, at) => view.getUint8(at),
  i1: (view, at) => view.getInt8(at),
  u1: (view, at) => view.getUint8(at),
  i2: (view, at, little) => view.getInt16(at, little),
  u2: (view, at, little) => view.getUint16(at, little),
  i4: (view, at, little) => view.getInt32(at, little),
  u4: (view, at, little) => view.getUint32(at, little),
  i8: (view, at, little) => Number(view.getBigInt64(at, little)),
  u8: (view, at, little) => Number(view.getBigUint64(at, little)),
};
