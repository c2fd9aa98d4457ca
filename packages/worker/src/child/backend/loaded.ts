import type { BackendPins } from '@dag/model';
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

/** Refuses pins that mean nothing for a backend which runs on one thread, the same on every machine. */
export function refusePins(pins: BackendPins, allowed: readonly (keyof BackendPins)[]): void {
  for (const pin of PINS) {
    if (pins[pin] === undefined || allowed.includes(pin)) continue;
    if (pin === 'onednn' && pins.onednn === false) continue;
    throw new Error(`${pin} can't be pinned there: it means nothing to this backend`);
  }
}

const PINS = ['tensorflow', 'threads', 'onednn', 'isa', 'deterministic'] as const;
