import { type Backend, type BackendPins, impossiblePin } from '@dag/model';
import { LoadError } from './load-error.ts';
import type { Facts } from './settings.ts';

export type TensorFlow = typeof import('@tensorflow/tfjs-core');

/** What a backend is loaded with. */
export interface LoadRequest {
  /** The npm package that is to provide it. */
  readonly name: string;
  /** Its main file. */
  readonly main: string;
  /** Absolute; where packages are looked up from, in this order. */
  readonly folders: readonly string[];
  readonly pins: BackendPins;
}

/** A backend that has begun to work. */
export interface Started {
  readonly tf: TensorFlow;
  readonly facts: Facts;
  /** Whether it computes on a GPU. */
  readonly gpu?: boolean;
}

/** Refuses what this backend can't keep on any machine. */
export function refusePins(backend: Backend, pins: BackendPins): void {
  const impossible = impossiblePin(backend, pins);
  if (impossible === undefined) return;
  throw new LoadError(`it ${impossible.why}`, `take '${impossible.pin}' out of the stage's backend`);
}
