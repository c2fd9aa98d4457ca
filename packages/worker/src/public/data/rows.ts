/** Kinds of numbers that batches hold: those that TensorFlow.js takes as they are. */
export type Dtype = 'uint8' | 'int32' | 'float32';

/** Numbers of one kind, in a row. */
export type Values = Uint8Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer>;

/** Numbers and how they are to be read: [2, 28, 28] are two rows of 28 by 28, the last size running fastest. */
export interface NumberArray {
  readonly values: Values;
  readonly shape: number[];
  readonly dtype: Dtype;
}

/**
 * Rows of numbers, all of one shape, that can be read in any order. It holds no file open: a reader does. Write one of your
 * own for a format that is not here.
 */
export interface Rows {
  /** How many rows there are. */
  readonly count: number;
  /** The shape of one row; [] where a row is a single number. */
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  /** Makes it ready to be read. Whoever calls it closes the reader. */
  open(): Promise<RowReader>;
}

export interface RowReader {
  /**
   * The rows that have these indices, in this order, one behind the other, in an array that the caller may keep and change.
   * Called again before earlier calls have ended.
   */
  read(indices: Uint32Array): Values | Promise<Values>;
  close(): Promise<void>;
}

/** How many numbers a shape holds. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** An empty array of `length` numbers. */
export function allocate(dtype: Dtype, length: number): Values {
  if (dtype === 'uint8') return new Uint8Array(length);
  return dtype === 'int32' ? new Int32Array(length) : new Float32Array(length);
}

/**
 * Rows that are in memory already.
 * @param shape of all: the number of rows first.
 */
export function arrayRows(values: Values, shape: readonly number[]): Rows {
  const [count = 0, ...row] = shape;
  const size = sizeOf(row);
  if (values.length !== count * size) throw new RangeError(`${values.length} numbers are no ${shape.join(' × ')}`);
  const dtype = values instanceof Uint8Array ? 'uint8' : values instanceof Int32Array ? 'int32' : 'float32';
  const read = (indices: Uint32Array) => {
    const taken = allocate(dtype, indices.length * size);
    for (let i = 0; i < indices.length; i++) {
      const from = (indices[i] ?? 0) * size;
      if (size === 1) taken[i] = values[from] ?? 0;
      else taken.set(values.subarray(from, from + size), i * size);
    }
    return taken;
  };
  return { count, shape: row, dtype, open: async () => ({ read, close: async () => {} }) };
}

/** The rows from `from` up to and without `to`, as `Array.slice` counts. */
export function sliceRows(rows: Rows, from: number, to = rows.count): Rows {
  const start = from < 0 ? Math.max(0, rows.count + from) : Math.min(from, rows.count);
  const end = to < 0 ? rows.count + to : Math.min(to, rows.count);
  const open = async () => {
    const reader = await rows.open();
    return { ...reader, read: (indices: Uint32Array) => reader.read(indices.map((index) => index + start)) };
  };
  return { ...rows, count: Math.max(0, end - start), open };
}

/** The same numbers with rows of another shape: [28, 28] as [28, 28, 1], say. @throws where it holds more or fewer. */
export function reshapeRows(rows: Rows, shape: readonly number[]): Rows {
  if (sizeOf(shape) !== sizeOf(rows.shape)) {
    throw new RangeError(`rows of ${rows.shape.join(' × ')} numbers can't be read as ${shape.join(' × ')}`);
  }
  return { ...rows, shape };
}

/** Each number divided by `divisor`, as a float32: 255 makes grey values of bytes 0 to 1. */
export function divideRows(rows: Rows, divisor: number): Rows {
  return mapped(rows, rows.shape, (values) => {
    const divided = new Float32Array(values.length);
    for (let i = 0; i < values.length; i++) divided[i] = (values[i] ?? 0) / divisor;
    return divided;
  });
}

/** Single numbers from 0 to `classes` - 1, each as a row of zeros with a 1 at its place. @throws for other numbers. */
export function oneHotRows(labels: Rows, classes: number): Rows {
  if (sizeOf(labels.shape) !== 1) throw new RangeError(`a label is one number, not ${labels.shape.join(' × ')}`);
  return mapped(labels, [classes], (values) => {
    const rows = new Float32Array(values.length * classes);
    for (const [i, label] of values.entries()) {
      if (!Number.isInteger(label) || label < 0 || label >= classes) {
        throw new RangeError(`a label is ${label}, and there are only the classes 0 to ${classes - 1}`);
      }
      rows[i * classes + label] = 1;
    }
    return rows;
  });
}

function mapped(rows: Rows, shape: readonly number[], change: (values: Values) => Float32Array<ArrayBuffer>): Rows {
  const open = async () => {
    const reader = await rows.open();
    const read = (indices: Uint32Array) => {
      const values = reader.read(indices);
      return values instanceof Promise ? values.then(change) : change(values);
    };
    return { ...reader, read };
  };
  return { count: rows.count, shape, dtype: 'float32', open };
}
