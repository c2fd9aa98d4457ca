/** Batches out of tracked files: see docs/feeding.md. */
export { type ArrayOptions, openArray, saveArray } from './data/array-file.ts';
export type { Batch, BatchOptions, Position } from './data/batch.ts';
export { type Batches, batches } from './data/batches.ts';
export { type CsvOptions, type CsvParts, readCsv, streamCsv } from './data/csv.ts';
export { DataError } from './data/error.ts';
export { type ImageOptions, type Images, openImages } from './data/images.ts';
export {
  arrayRows,
  type Dtype,
  divideRows,
  type NumberArray,
  oneHotRows,
  type RowReader,
  type Rows,
  reshapeRows,
  sliceRows,
  type Values,
} from './data/rows.ts';
export type { RowStream, StreamRow } from './data/stream-source.ts';
export { type Dataset, toDataset, toTensors } from './data/tensors.ts';
