import type { BackendPins, Value } from '@dag/model';
import { PROTOCOL_VERSION, type WorkerInit } from '@dag/worker/protocol';

/** What `workerInit` makes an `init` message of; paths are project paths where not said otherwise. */
export interface WorkerInitOptions {
  readonly stage: string;
  /** Absolute. */
  readonly root: string;
  readonly wdir: string;
  readonly module: string;
  /** Absolute. */
  readonly bundle: string;
  readonly tensorflow: boolean;
  /** Absolute. */
  readonly metrics: string;
  readonly backend?: BackendPins;
  readonly deps: Iterable<string>;
  readonly outs: Iterable<string>;
  readonly checkpoints?: NonNullable<WorkerInit['checkpoints']>;
  /** The values of the declared params, by file and dotted key. */
  readonly params: ReadonlyMap<string, ReadonlyMap<string, Value>>;
}

/** The `init` message of a stage; its seed is what `seedOf` finds in its params. */
export function workerInit(options: WorkerInitOptions): WorkerInit {
  const { params, deps, outs, backend, ...rest } = options;
  return {
    type: 'init',
    version: PROTOCOL_VERSION,
    ...rest,
    deps: [...deps],
    outs: [...outs],
    params: Object.fromEntries(Array.from(params, ([file, values]) => [file, Object.fromEntries(values)])),
    seed: seedOf(params),
    ...(backend === undefined ? {} : { backend }),
  };
}

/**
 * The seed of a stage: the declared param whose last part is `seed`, folded to 32 bits; 0 where there is none or it is no
 * number; the first by file and key, in the order of code units, where there are several.
 */
export function seedOf(params: ReadonlyMap<string, ReadonlyMap<string, Value>>): number {
  for (const file of [...params.keys()].sort()) {
    const values = params.get(file) ?? new Map<string, Value>();
    for (const key of [...values.keys()].sort()) {
      const value = values.get(key);
      if (key.split('.').at(-1) !== 'seed') continue;
      if (typeof value === 'bigint') return Number(BigInt.asUintN(32, value));
      if (Number.isFinite(value)) return Number(value) >>> 0;
    }
  }
  return 0;
}
