import { endianness } from 'node:os';
import { DataError } from './error.ts';
import { type Dtype, sizeOf, type Values } from './rows.ts';

/** What the head of an array file says. */
export interface ArrayHead {
  /** Of all: the number of rows first. */
  readonly shape: readonly number[];
  readonly element: Element;
  readonly bigEndian: boolean;
  /** Bytes before the first number. */
  readonly offset: number;
}

/** Kinds of numbers in files, by NumPy's codes. */
export type Element = keyof typeof ELEMENTS;

const ELEMENTS = {
  u1: { bytes: 1, dtype: 'uint8', read: (b: ArrayBuffer) => new Uint8Array(b) },
  b1: { bytes: 1, dtype: 'uint8', read: (b: ArrayBuffer) => new Uint8Array(b) },
  i1: { bytes: 1, dtype: 'int32', read: (b: ArrayBuffer) => Int32Array.from(new Int8Array(b)) },
  u2: { bytes: 2, dtype: 'int32', read: (b: ArrayBuffer) => Int32Array.from(new Uint16Array(b)) },
  i2: { bytes: 2, dtype: 'int32', read: (b: ArrayBuffer) => Int32Array.from(new Int16Array(b)) },
  i4: { bytes: 4, dtype: 'int32', read: (b: ArrayBuffer) => new Int32Array(b) },
  u4: { bytes: 4, dtype: 'int32', read: (b: ArrayBuffer) => fitting(new Uint32Array(b)) },
  i8: { bytes: 8, dtype: 'int32', read: (b: ArrayBuffer) => fitting(new BigInt64Array(b)) },
  u8: { bytes: 8, dtype: 'int32', read: (b: ArrayBuffer) => fitting(new BigUint64Array(b)) },
  f2: { bytes: 2, dtype: 'float32', read: (b: ArrayBuffer) => Float32Array.from(new Uint16Array(b), fromHalf) },
  f4: { bytes: 4, dtype: 'float32', read: (b: ArrayBuffer) => new Float32Array(b) },
  f8: { bytes: 8, dtype: 'float32', read: (b: ArrayBuffer) => Float32Array.from(new Float64Array(b)) },
} as const satisfies Record<string, { bytes: number; dtype: Dtype; read(bytes: ArrayBuffer): Values }>;

export function bytesOf(element: Element): number {
  return ELEMENTS[element].bytes;
}

export function dtypeOf(element: Element): Dtype {
  return ELEMENTS[element].dtype;
}

/** Numbers as they stand in a file. `bytes` may be changed. @throws RangeError for integers that int32 can't hold. */
export function decode(bytes: ArrayBuffer, element: Element, bigEndian: boolean): Values {
  const size = bytesOf(element);
  if (size > 1 && bigEndian !== (endianness() === 'BE')) {
    const buffer = Buffer.from(bytes);
    if (size === 2) buffer.swap16();
    else if (size === 4) buffer.swap32();
    else buffer.swap64();
  }
  return ELEMENTS[element].read(bytes);
}

/** How many bytes of a file are enough to read the head of any array in use. */
export const HEAD_BYTES = 4096;

/** Element types of IDX by their code: yann.lecun.com/exdb/mnist, "the IDX file format". */
const IDX: Readonly<Record<number, Element>> = { 8: 'u1', 9: 'i1', 11: 'i2', 12: 'i4', 13: 'f4', 14: 'f8' };

const NPY_MAGIC = '\x93NUMPY';

/**
 * Reads the head of a .npy (numpy.org/neps/nep-0001-npy-format.html) or IDX file, told apart by how they begin.
 * @param bytes the first HEAD_BYTES, or all of a shorter file.
 * @returns undefined where it is neither. @throws DataError
 */
export function readHead(file: string, bytes: Buffer): ArrayHead | undefined {
  if (bytes.toString('latin1', 0, 6) === NPY_MAGIC) return readNpyHead(file, bytes);
  const element = IDX[bytes[2] ?? -1];
  const sizes = bytes[3] ?? 0;
  const offset = 4 + 4 * sizes;
  if (bytes[0] !== 0 || bytes[1] !== 0 || element === undefined || sizes === 0) return undefined;
  if (bytes.length < offset) throw new DataError(file, 'it ends within its header');
  return {
    shape: Array.from({ length: sizes }, (_, i) => bytes.readUInt32BE(4 + 4 * i)),
    element,
    bigEndian: true,
    offset,
  };
}

function readNpyHead(file: string, bytes: Buffer): ArrayHead {
  const version = bytes[6] ?? 0;
  const start = version === 1 ? 10 : 12;
  if (version < 1 || version > 3) throw new DataError(file, `version ${version} of .npy is not known`);
  if (bytes.length < start) throw new DataError(file, 'it ends within its header');
  const offset = start + (version === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8));
  const text = bytes.toString('utf8', start, offset);
  if (bytes.length < offset)
    throw new DataError(file, 'its header is cut off, or larger than that of any array of numbers');
  const type = /'descr': *'([<>|=])([a-z]\d+)'/.exec(text);
  const shape = /'shape': *\(([\d, ]*)\)/.exec(text)?.[1];
  const element = type?.[2];
  if (shape === undefined || element === undefined || !isElement(element)) {
    const kind = /'descr': *([^}]*?), *'/.exec(text)?.[1] ?? 'unreadable';
    throw new DataError(file, `it holds ${kind}, not numbers of a known kind; save it with astype("float32")`);
  }
  if (/'fortran_order': *True/.test(text)) {
    throw new DataError(file, 'its columns come first (fortran_order); save it as numpy.ascontiguousarray(…)');
  }
  const sizes = shape
    .split(',')
    .filter((size) => size.trim() !== '')
    .map(Number);
  return { shape: sizes, element, bigEndian: type?.[1] === '>', offset };
}

function isElement(code: string): code is Element {
  return Object.hasOwn(ELEMENTS, code);
}

/** A .npy file's header for numbers that stand behind it in this machine's byte order. */
export function npyHead(values: Values, shape: readonly number[]): Buffer {
  if (sizeOf(shape) !== values.length) throw new RangeError(`${values.length} numbers are no ${shape.join(' × ')}`);
  const order = endianness() === 'LE' ? '<' : '>';
  const descr = values instanceof Uint8Array ? '|u1' : `${order}${values instanceof Int32Array ? 'i4' : 'f4'}`;
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`;
  // The numbers begin at a multiple of 64.
  const padded = `${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`;
  const head = Buffer.from(`${NPY_MAGIC}\x01\x00\x00\x00${padded}`, 'latin1');
  head.writeUInt16LE(padded.length, 8);
  return head;
}

const INT32 = { least: -(2 ** 31), most: 2 ** 31 - 1 };

function fitting(values: ArrayLike<number | bigint>): Int32Array<ArrayBuffer> {
  return Int32Array.from(values, (value) => {
    if (value < INT32.least || value > INT32.most) throw new RangeError(`${value} is too large for an int32`);
    return Number(value);
  });
}

/** IEEE 754 half precision. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
