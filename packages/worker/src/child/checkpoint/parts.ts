import type {
  CheckpointModel,
  CheckpointOptimizer,
  CheckpointParts,
  CheckpointTensor,
  CheckpointVariable,
} from '../../public/checkpoint.ts';
import { WorkerError } from '../error.ts';
import type { Content, StoredTensor } from './file.ts';

/** As much of TensorFlow.js as putting weights back needs. */
interface Tensors {
  tensor(values: ArrayBufferView, shape: readonly number[], dtype: string): Disposable;
}

interface Disposable extends CheckpointTensor {
  dispose(): void;
}

/** The weights of some parts, as a checkpoint holds them. */
export type Weights = Pick<Content, 'tensors' | 'numbers'>;

const ARRAYS: Readonly<Record<string, (bytes: Uint8Array) => ArrayBufferView>> = {
  float32: ({ buffer, byteOffset, length }) => new Float32Array(buffer, byteOffset, length / 4),
  int32: ({ buffer, byteOffset, length }) => new Int32Array(buffer, byteOffset, length / 4),
  bool: (bytes) => bytes,
};

/** Reads all weights: of models with their optimizers, of optimizers, and variables. */
export async function takeWeights(parts: CheckpointParts): Promise<Weights> {
  const tensors: StoredTensor[] = [];
  const numbers: Record<string, number> = {};
  for (const place of placesOf(parts)) {
    const { name } = place;
    switch (place.kind) {
      case 'variable':
        tensors.push(await stored(name, place.part));
        break;
      case 'model':
        for (const [i, weight] of place.part.getWeights().entries()) tensors.push(await stored(`${name}/${i}`, weight));
        break;
      case 'optimizer': {
        for (const slot of await slotsOf(place.part)) {
          tensors.push(await stored(`${name}/slot/${slot.name}`, slot.tensor));
          if (!isVariable(slot.tensor)) (slot.tensor as Disposable).dispose();
        }
        for (const [key, own] of Object.entries(place.part)) {
          if (isVariable(own)) tensors.push(await stored(`${name}/own/${key}`, own));
        }
        Object.assign(numbers, await ratesOf(place.part, name));
      }
    }
  }
  return { tensors, numbers };
}

/**
 * Puts weights back where `takeWeights` found them.
 * @throws WorkerError, before anything is changed, where they don't fit.
 */
export async function putWeights(parts: CheckpointParts, { tensors, numbers }: Weights, tf: Tensors): Promise<void> {
  const places = placesOf(parts);
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  for (const place of places) {
    if (place.kind === 'optimizer') continue;
    const weights = place.kind === 'variable' ? [place.part] : place.part.getWeights();
    for (const [i, weight] of weights.entries()) {
      check(byName.get(place.kind === 'variable' ? place.name : `${place.name}/${i}`), weight, place.name);
    }
    const held = tensors.filter(({ name }) => name === place.name || isWeightOf(place.name, name)).length;
    if (held !== weights.length) throw unlike(place.name, `${held} tensors are kept of it, it has ${weights.length}`);
  }
  const made: Disposable[] = [];
  const make = ({ bytes, shape, dtype }: StoredTensor): Disposable => {
    const tensor = tf.tensor(arrayOf(dtype)(bytes), shape, dtype);
    made.push(tensor);
    return tensor;
  };
  try {
    for (const place of places) await putPlace(place, tensors, numbers, make);
  } finally {
    for (const tensor of made) tensor.dispose();
  }
}

async function putPlace(
  place: Place,
  tensors: readonly StoredTensor[],
  numbers: Readonly<Record<string, number>>,
  make: (tensor: StoredTensor) => Disposable,
): Promise<void> {
  const { name } = place;
  if (place.kind === 'variable') {
    for (const tensor of tensors) if (tensor.name === name) place.part.assign(make(tensor));
    return;
  }
  if (place.kind === 'model') {
    place.part.setWeights(tensors.filter((tensor) => isWeightOf(name, tensor.name)).map(make));
    return;
  }
  const optimizer = place.part as CheckpointOptimizer & { learningRate?: number; setLearningRate?(rate: number): void };
  const slots = tensors.filter((tensor) => tensor.name.startsWith(`${name}/slot/`));
  await optimizer.setWeights(
    slots.map((tensor) => ({ name: tensor.name.slice(`${name}/slot/`.length), tensor: make(tensor) })),
  );
  // After the slots: some optimizers work these out anew there, with other rounding.
  for (const [key, own] of Object.entries(optimizer)) {
    const kept = tensors.find((tensor) => tensor.name === `${name}/own/${key}`);
    if (kept !== undefined && isVariable(own)) own.assign(make(kept));
  }
  const [said, used] = [numbers[`${name}/learningRate`], numbers[`${name}/usedRate`]];
  if (used !== undefined) optimizer.setLearningRate?.(used);
  if (said !== undefined) optimizer.learningRate = said;
}

/** The rate that an optimizer says and, where it keeps another copy that it uses, that one: they differ where only one was set. */
async function ratesOf(optimizer: CheckpointOptimizer, name: string): Promise<Record<string, number>> {
  const { learningRate, c } = optimizer as { learningRate?: unknown; c?: CheckpointTensor };
  const isCopied = c !== undefined && has(c, 'data') && has(optimizer, 'setLearningRate');
  const copied = isCopied ? ((await c.data()) as Float32Array)[0] : undefined;
  return {
    ...(typeof learningRate === 'number' ? { [`${name}/learningRate`]: learningRate } : {}),
    ...(copied === undefined ? {} : { [`${name}/usedRate`]: -copied }),
  };
}

/** Some optimizers of TensorFlow.js 4 say that they can't be saved. */
async function slotsOf(optimizer: CheckpointOptimizer): ReturnType<CheckpointOptimizer['getWeights']> {
  try {
    return await optimizer.getWeights();
  } catch (error) {
    const { message } = error as Error;
    throw new WorkerError(`the optimizer can't be saved: ${message}`, 'take another: adam can be saved, say');
  }
}

type Place =
  | { readonly name: string; readonly kind: 'variable'; readonly part: CheckpointVariable }
  | { readonly name: string; readonly kind: 'model'; readonly part: CheckpointModel }
  | { readonly name: string; readonly kind: 'optimizer'; readonly part: CheckpointOptimizer };

/** All that holds weights, by name: a model's optimizer has a place of its own. */
function placesOf(parts: CheckpointParts): Place[] {
  const one = placeOf('parts', parts);
  if (one !== undefined) return one;
  return Object.entries(parts).flatMap(([name, part]) => {
    const places = placeOf(`parts/${encodeURIComponent(name)}`, part);
    if (places !== undefined) return places;
    throw new TypeError(`'${name}' can't be saved: it is no model, optimizer or variable; put it into the state`);
  });
}

function placeOf(name: string, part: unknown): Place[] | undefined {
  if (isVariable(part)) return [{ name, kind: 'variable', part }];
  if (!has(part, 'getWeights') || !has(part, 'setWeights')) return undefined;
  if (has(part, 'applyGradients')) return [{ name, kind: 'optimizer', part: part as unknown as CheckpointOptimizer }];
  const model = part as unknown as CheckpointModel;
  const { optimizer } = model;
  const places: Place[] = [{ name, kind: 'model', part: model }];
  return optimizer == null ? places : [...places, ...(placeOf(`${name}/optimizer`, optimizer) ?? [])];
}

function isWeightOf(place: string, name: string): boolean {
  return name.startsWith(`${place}/`) && /^\d+$/.test(name.slice(place.length + 1));
}

function isVariable(value: unknown): value is CheckpointVariable {
  return has(value, 'assign') && has(value, 'data');
}

function has(value: unknown, method: string): boolean {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, method) === 'function';
}

async function stored(name: string, tensor: CheckpointTensor): Promise<StoredTensor> {
  arrayOf(tensor.dtype);
  const { buffer, byteOffset, byteLength } = (await tensor.data()) as Uint8Array;
  return { name, dtype: tensor.dtype, shape: [...tensor.shape], bytes: new Uint8Array(buffer, byteOffset, byteLength) };
}

function arrayOf(dtype: string): (bytes: Uint8Array) => ArrayBufferView {
  const array = ARRAYS[dtype];
  if (array === undefined)
    throw new TypeError(`a tensor of type ${dtype} can't be saved: put its values into the state`);
  return array;
}

function check(kept: StoredTensor | undefined, { shape, dtype }: CheckpointTensor, place: string): void {
  if (kept !== undefined && kept.dtype === dtype && String(kept.shape) === String(shape)) return;
  const was = kept === undefined ? 'none is kept' : `one of ${kept.dtype} [${kept.shape}] is kept`;
  throw unlike(place, `it has a tensor of ${dtype} [${shape}], ${was}`);
}

function unlike(place: string, what: string): WorkerError {
  const name = place === 'parts' ? 'the model' : decodeURIComponent(place.replace(/^parts\//, ''));
  return new WorkerError(
    `the checkpoint does not fit ${name}: ${what}`,
    "build it as it was built when the checkpoint was saved, or start afresh with 'dag repro --no-resume'",
  );
}
