import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** As much of tfjs's LayersModel as saving needs. */
export interface LayersModelLike {
  // biome-ignore lint/suspicious/noExplicitAny: tfjs's own IOHandler, whose types are not ours to import
  save(handler: any): Promise<unknown>;
}

/** As much of tfjs (or tfjs-layers) as loading needs. */
interface TensorFlowLike<M> {
  // biome-ignore lint/suspicious/noExplicitAny: tfjs's own IOHandler, whose types are not ours to import
  loadLayersModel(handler: any): Promise<M>;
}

/** What tfjs hands to a save handler. */
interface Artifacts {
  readonly weightData?: ArrayBuffer | readonly ArrayBuffer[];
  readonly weightSpecs?: readonly unknown[];
  readonly [key: string]: unknown;
}

const WEIGHTS = 'weights.bin';

/**
 * Saves a model in the standard tfjs layers format: `model.json` and `weights.bin` in `folder`, which is made.
 * Nothing in the files depends on the time, so the same weights give the same bytes.
 */
export async function saveLayersModel(model: LayersModelLike, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await model.save({
    save: async (artifacts: Artifacts) => {
      const { weightData, weightSpecs, ...rest } = artifacts;
      const weights = joinBuffers(weightData);
      const manifest = [{ paths: [WEIGHTS], weights: weightSpecs ?? [] }];
      await writeFile(join(folder, WEIGHTS), weights);
      await writeFile(
        join(folder, 'model.json'),
        `${JSON.stringify({ ...rest, weightsManifest: manifest }, undefined, 1)}\n`,
      );
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    },
  });
}

/**
 * Loads a model that `saveLayersModel`, or tfjs's own converter, has saved.
 * @param tf tfjs or tfjs-layers.
 * @throws when the weights are shorter or longer than model.json says.
 */
export async function loadLayersModel<M>(tf: TensorFlowLike<M>, folder: string): Promise<M> {
  const file = join(folder, 'model.json');
  const model = JSON.parse(await readFile(file, 'utf8')) as {
    weightsManifest?: { paths: string[]; weights: WeightSpec[] }[];
  };
  const groups = model.weightsManifest ?? [];
  const paths = groups.flatMap((group) => group.paths);
  const weights = Buffer.concat(await Promise.all(paths.map((path) => readFile(join(folder, path)))));
  const weightSpecs = groups.flatMap((group) => group.weights);
  const expected = weightSpecs.reduce((sum, spec) => sum + byteLength(spec), 0);
  if (weights.length !== expected) {
    throw new Error(`${folder}: weights are ${weights.length} bytes, model.json says ${expected}`);
  }
  const { weightsManifest: _, ...rest } = model;
  const weightData = weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.byteLength);
  return await tf.loadLayersModel({ load: async () => ({ ...rest, weightSpecs, weightData }) });
}

interface WeightSpec {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly quantization?: { readonly dtype: string };
}

const BYTES: Readonly<Record<string, number>> = {
  float32: 4,
  int32: 4,
  bool: 1,
  complex64: 8,
  uint8: 1,
  uint16: 2,
  float16: 2,
};

function byteLength(spec: WeightSpec): number {
  const bytes = BYTES[spec.quantization?.dtype ?? spec.dtype];
  if (bytes === undefined) throw new Error(`weights of type ${spec.dtype} can't be loaded`);
  return spec.shape.reduce((product, size) => product * size, bytes);
}

function joinBuffers(data: Artifacts['weightData']): Uint8Array {
  if (data === undefined) return new Uint8Array();
  return data instanceof ArrayBuffer ? new Uint8Array(data) : Buffer.concat(data.map((part) => new Uint8Array(part)));
}
