import fs from 'node:fs';
import path from 'node:path';
import { canonicalJson, type OutCheck, type Value } from '@dag/model';
import type { Comparison } from './difference.ts';
import { compareTensors, halfOf, type Tensor } from './tensors.ts';
import { compareValues, readValue } from './values.ts';

/**
 * Compares two folders that hold a model as TensorFlow.js saves it: the topology and all else in model.json by its values, the
 * weights as tensors by their names, however they are cut into files.
 * @returns undefined where one of them can't be read.
 */
export function compareModels(before: string, after: string, check: OutCheck | undefined): Comparison | undefined {
  const [a, b] = [readModel(before), readModel(after)];
  if (a === undefined || b === undefined) return undefined;
  const rest = compareValues(
    Buffer.from(canonicalJson(a.rest)),
    Buffer.from(canonicalJson(b.rest)),
    'model.json',
    undefined,
  );
  if (rest === undefined || rest.verdict === 'different') return rest;
  return compareTensors(a.tensors, b.tensors, check);
}

interface Model {
  /** model.json without the manifest of the weights. */
  readonly rest: Value;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

function readModel(folder: string): Model | undefined {
  const file = path.join(folder, 'model.json');
  if (!fs.existsSync(file)) return undefined;
  const read = readValue(fs.readFileSync(file), file);
  if (read === undefined || !isMap(read.value)) return undefined;
  const { weightsManifest = [], ...rest } = read.value;
  const tensors = new Map<string, Tensor>();
  for (const group of listOf(weightsManifest)) {
    if (!isMap(group)) return undefined;
    const files = listOf(group['paths']).map((name) => path.join(folder, path.basename(String(name))));
    if (!files.every((one) => fs.existsSync(one))) return undefined;
    const weights = Buffer.concat(files.map((one) => fs.readFileSync(one)));
    let at = 0;
    for (const spec of listOf(group['weights'])) {
      const tensor = isMap(spec) ? readTensor(spec, weights, at) : undefined;
      if (tensor === undefined || !isMap(spec)) return undefined;
      tensors.set(String(spec['name']), tensor.tensor);
      at += tensor.bytes;
    }
    if (at !== weights.length) return undefined;
  }
  return { rest, tensors };
}

interface Stored {
  readonly bytes: number;
  readonly parts?: number;
  read(weights: Buffer, at: number): number;
}

const STORED: Readonly<Record<string, Stored>> = {
  float32: { bytes: 4, read: (weights, at) => weights.readFloatLE(at) },
  int32: { bytes: 4, read: (weights, at) => weights.readInt32LE(at) },
  bool: { bytes: 1, read: (weights, at) => weights.readUInt8(at) },
  complex64: { bytes: 4, parts: 2, read: (weights, at) => weights.readFloatLE(at) },
  uint8: { bytes: 1, read: (weights, at) => weights.readUInt8(at) },
  uint16: { bytes: 2, read: (weights, at) => weights.readUInt16LE(at) },
  float16: { bytes: 2, read: (weights, at) => halfOf(weights.readUInt16LE(at)) },
};

/** A tensor as the manifest describes it; quantized numbers as what they stand for. */
function readTensor(spec: Map_, weights: Buffer, from: number): { tensor: Tensor; bytes: number } | undefined {
  const shape = listOf(spec['shape']).map(Number);
  const dtype = String(spec['dtype']);
  const quantization = isMap(spec['quantization']) ? spec['quantization'] : undefined;
  const stored = STORED[String(quantization?.['dtype'] ?? dtype)];
  if (stored === undefined) return undefined;
  const { bytes, parts = 1 } = stored;
  const count = shape.reduce((product, size) => product * size, parts);
  if (from + count * bytes > weights.length) return undefined;
  const [scale, min] = [Number(quantization?.['scale'] ?? 1), Number(quantization?.['min'] ?? 0)];
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) values[i] = stored.read(weights, from + i * bytes) * scale + min;
  return { tensor: { shape, dtype, values, parts }, bytes: count * bytes };
}

type Map_ = { readonly [key: string]: Value };

function isMap(value: Value | undefined): value is Map_ {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(value: Value | undefined): readonly Value[] {
  return Array.isArray(value) ? (value as readonly Value[]) : [];
}
