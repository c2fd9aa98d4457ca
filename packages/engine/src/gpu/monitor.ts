import { type ChildProcess, spawn } from 'node:child_process';
import { LineSplitter } from '../run/lines.ts';
import type { GpuDevice } from './smi.ts';

/** A device at one moment; what it can't tell is undefined. */
export interface GpuSample {
  /** Part of the last moments in which it computed, 0 to 1. */
  readonly use?: number;
  /** Bytes in use, whoever uses them. */
  readonly memory?: number;
  /** Degrees Celsius. */
  readonly temperature?: number;
  /** Watts. */
  readonly power?: number;
}

type Env = Readonly<Record<string, string | undefined>>;
type Listener = (index: number, sample: GpuSample) => void;

/** Milliseconds between two samples. */
const EVERY_MS = 2000;

const PROGRAM = 'nvidia-smi';
const FIELDS = ['uuid', 'utilization.gpu', 'memory.used', 'temperature.gpu', 'power.draw'] as const;

/**
 * Watches devices for as long as stages hold them: one `nvidia-smi` for all stages of this process, which samples by itself.
 * Where there is none, or it fails, nothing is told.
 */
export class GpuMonitor {
  readonly #env: Env;
  readonly #listeners = new Map<Listener, readonly GpuDevice[]>();
  #child: ChildProcess | undefined;

  constructor(env: Env) {
    this.#env = env;
  }

  /** Tells samples of these devices, by their place in the list, until the returned function is called. */
  watch(devices: readonly GpuDevice[], listener: Listener): () => void {
    if (devices.length === 0) return () => {};
    this.#listeners.set(listener, devices);
    this.#child ??= this.#start();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#child?.kill();
      this.#child = undefined;
    };
  }

  #start(): ChildProcess {
    const args = [`--query-gpu=${FIELDS.join(',')}`, '--format=csv,noheader,nounits', `--loop-ms=${EVERY_MS}`];
    const child = spawn(PROGRAM, args, { env: { ...this.#env }, stdio: ['ignore', 'pipe', 'ignore'] });
    const lines = new LineSplitter((line) => this.#take(line));
    child.stdout?.on('data', (chunk: Buffer) => lines.write(chunk));
    child.on('error', () => {});
    child.unref();
    (child.stdout as { unref?(): void } | null)?.unref?.();
    return child;
  }

  #take(line: string): void {
    const parsed = parseSample(line);
    if (parsed === undefined) return;
    for (const [listener, devices] of this.#listeners) {
      for (const [index, { id, parent }] of devices.entries()) {
        if (id === parsed.id) listener(index, parsed.sample);
        // What a GPU holds and does says nothing of one part of it.
        else if (parent === parsed.id) {
          const { temperature, power } = parsed.sample;
          listener(index, {
            ...(temperature === undefined ? {} : { temperature }),
            ...(power === undefined ? {} : { power }),
          });
        }
      }
    }
  }
}

/** A line of what `nvidia-smi` samples. */
export function parseSample(line: string): { readonly id: string; readonly sample: GpuSample } | undefined {
  const [id = '', use, memory, temperature, power] = line.split(',').map((cell) => cell.trim());
  if (!/^GPU-[0-9a-zA-Z-]+$/.test(id)) return undefined;
  const sample = {
    ...numberCell('use', use, 0.01),
    ...numberCell('memory', memory, 1024 * 1024),
    ...numberCell('temperature', temperature, 1),
    ...numberCell('power', power, 1),
  };
  return Object.keys(sample).length === 0 ? undefined : { id, sample };
}

function numberCell<K extends keyof GpuSample>(
  key: K,
  cell: string | undefined,
  unit: number,
): { [key in K]?: number } {
  const isNumber = cell !== undefined && /^\d+(\.\d+)?$/.test(cell);
  return isNumber ? ({ [key]: Math.round(Number(cell) * unit * 1000) / 1000 } as { [key in K]: number }) : {};
}
