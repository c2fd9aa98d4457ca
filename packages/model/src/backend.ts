import { sameValue, type Value } from './canonical.ts';

/**
 * TensorFlow backends, in the order in which they are tried: native on a GPU, native on the CPU, WebGPU, WebAssembly, plain
 * JavaScript.
 */
export const BACKENDS = ['gpu', 'node', 'webgpu', 'wasm', 'cpu'] as const;
export type Backend = (typeof BACKENDS)[number];

/** Instruction sets that oneDNN tells apart, each with those before it. */
export const INSTRUCTION_SETS = [
  'sse41',
  'avx',
  'avx2',
  'avx2_vnni',
  'avx512_core',
  'avx512_core_vnni',
  'avx512_core_bf16',
  'avx512_core_amx',
] as const;
export type InstructionSet = (typeof INSTRUCTION_SETS)[number];

/** What a worker stage pins of what computes its result. What is absent is as the machine has it. */
export interface BackendPins {
  readonly name?: Backend;
  /** Of the npm package that provides the backend. */
  readonly version?: string;
  /** Of TensorFlow's C library. */
  readonly tensorflow?: string;
  /** Threads that one operation is divided among: how sums are split decides their last bits. */
  readonly threads?: number;
  /** Whether oneDNN's kernels are used. */
  readonly onednn?: boolean;
  /** The most that may be used of the processor. */
  readonly isa?: InstructionSet;
  /** Whether only operations that always give the same bits may run; on a GPU some can't. */
  readonly deterministic?: boolean;
}

/** What the backends that aren't native can pin beside their name and package: on these, more decides nothing. */
const PINNABLE: Partial<Record<Backend, readonly (keyof BackendPins)[]>> = {
  webgpu: [],
  wasm: ['threads', 'deterministic'],
  cpu: ['threads', 'deterministic'],
};

/** A pin that a backend can't keep on any machine, and why, in words that follow its name; undefined where there is none. */
export function impossiblePin(
  backend: Backend,
  pins: BackendPins,
): { readonly pin: keyof BackendPins; readonly why: string } | undefined {
  const pinnable = PINNABLE[backend];
  if (pinnable === undefined) return undefined;
  for (const pin of ['tensorflow', 'threads', 'onednn', 'isa', 'deterministic'] as const) {
    if (pins[pin] === undefined || (pin === 'onednn' && pins.onednn === false)) continue;
    if (!pinnable.includes(pin)) return { pin, why: `has nothing that '${pin}' would pin` };
    if (pin === 'threads' && pins.threads !== 1) return { pin, why: `runs on one thread, not ${pins.threads}` };
  }
  return undefined;
}

/** Pins as they stand in the fingerprint and in pipeline.lock: where there is only a name, that. */
export function pinsValue(pins: BackendPins): Value {
  const { name } = pins;
  return name !== undefined && Object.keys(pins).length === 1 ? name : { ...pins };
}

/**
 * Reads what `pinsValue` gave. Trusts nothing but the types: what an unknown version wrote is compared, and never the same.
 * Undefined for none.
 */
export function readPins(value: unknown): BackendPins | undefined {
  if (typeof value === 'string') return { name: value as Backend };
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as BackendPins) : undefined;
}

export function samePins(a: BackendPins | undefined, b: BackendPins | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return sameValue(pinsValue(a), pinsValue(b));
}

/** Pins in words: `node, 2 threads, no oneDNN`; empty for none. */
export function pinsText(pins: BackendPins | undefined): string {
  if (pins === undefined) return '';
  const { name, version, tensorflow, threads, onednn, isa, deterministic } = pins;
  const parts = [
    name,
    version,
    tensorflow === undefined ? undefined : `TensorFlow ${tensorflow}`,
    threads === undefined ? undefined : `${threads} thread${threads === 1 ? '' : 's'}`,
    onednn === undefined ? undefined : onednn ? 'oneDNN' : 'no oneDNN',
    isa,
    deterministic === undefined ? undefined : deterministic ? 'deterministic' : 'not deterministic',
  ];
  return parts.filter((part) => part !== undefined).join(', ');
}
