import fs from 'node:fs';
import { formatMetricLine } from '@dag/model';
import type { GpuSample } from '../gpu/monitor.ts';
import type { GroupNow } from '../run/meter.ts';

/** Milliseconds between two samples; of a long run fewer are taken, so that its file stays below some MiB. */
const EVERY_MS = 2000;
const DOUBLE_AFTER = 1800;

/** What a stage's devices came to. */
export interface GpuPeaks {
  /** Mean part of the time in which they computed, 0 to 1, over all of them. */
  readonly gpuUse?: number;
  /** The most that one of them held, in bytes, whoever used it. */
  readonly gpuMemory?: number;
  /** Degrees Celsius. */
  readonly gpuTemperature?: number;
}

/** Writes what a stage uses of the machine beside its metrics, in the same format. */
export class SystemMetrics {
  readonly #file: string;
  readonly #now: () => number;
  #handle: number | undefined;
  #refused = false;
  #every = EVERY_MS;
  #samples = 0;
  #before: { readonly at: number; readonly cpu: number } | undefined;
  readonly #began: number;
  #gpus = { use: 0, samples: 0, memory: 0, temperature: Number.NEGATIVE_INFINITY };

  /** @param now milliseconds since 1970. */
  constructor(file: string, now: () => number) {
    this.#file = file;
    this.#now = now;
    this.#began = now();
  }

  /** Takes a sample of its processes where one is due. A run that is shorter than the first interval leaves no file. */
  take({ cpu, rss, processes }: GroupNow): void {
    const at = this.#now();
    const last = this.#before ?? { at: this.#began, cpu: 0 };
    // As often as it is asked, give or take: it is asked by a timer.
    if (at - last.at < this.#every * 0.9) return;
    const cores = Math.max(0, cpu - last.cpu) / ((at - last.at) / 1000);
    this.#before = { at, cpu };
    this.#append(at, [
      ['system/cpu', Math.round(cores * 100) / 100],
      ['system/rss', rss],
      ['system/processes', processes],
    ]);
    if (++this.#samples % DOUBLE_AFTER === 0) this.#every *= 2;
  }

  /** @param index of the device among those that the stage holds. */
  takeGpu(index: number, { use, memory, temperature, power }: GpuSample): void {
    const values = { use, memory, temperature, power };
    this.#append(
      this.#now(),
      Object.entries(values).flatMap(([name, value]) =>
        value === undefined ? [] : [[`system/gpu${index}/${name}`, value] as const],
      ),
    );
    if (use !== undefined) {
      this.#gpus.use += use;
      this.#gpus.samples++;
    }
    this.#gpus.memory = Math.max(this.#gpus.memory, memory ?? 0);
    this.#gpus.temperature = Math.max(this.#gpus.temperature, temperature ?? Number.NEGATIVE_INFINITY);
  }

  /** What its devices came to. */
  close(): GpuPeaks {
    if (this.#handle !== undefined) fs.closeSync(this.#handle);
    this.#handle = undefined;
    this.#refused = true;
    const { use, samples, memory, temperature } = this.#gpus;
    return {
      ...(samples === 0 ? {} : { gpuUse: Math.round((use / samples) * 1000) / 1000 }),
      ...(memory === 0 ? {} : { gpuMemory: memory }),
      ...(Number.isFinite(temperature) ? { gpuTemperature: temperature } : {}),
    };
  }

  #append(at: number, values: readonly (readonly [string, number])[]): void {
    if (this.#refused || values.length === 0) return;
    try {
      this.#handle ??= fs.openSync(this.#file, 'a');
      const text = values.map(([name, value]) => formatMetricLine({ name, at: at / 1000, value })).join('');
      fs.writeSync(this.#handle, text);
    } catch {
      // A full disk, say: the stage itself will tell.
      this.#refused = true;
    }
  }
}
