import type { MetricSummaries, Stage } from '@dag/model';
import type { ReproEvent } from '../event.ts';
import type { GpuMonitor } from '../gpu/monitor.ts';
import type { GpuDevice } from '../gpu/smi.ts';
import { followMetrics } from '../metrics/live.ts';
import { type GpuPeaks, SystemMetrics } from '../metrics/system.ts';
import type { RunLog } from './log.ts';
import type { Meter } from './meter.ts';
import { LOOK_MS, Vitals } from './vitals.ts';

/** What watching one try of a stage came to. */
export interface Watched {
  readonly metrics: MetricSummaries;
  readonly gpus: GpuPeaks;
  /** The last lines that it printed. */
  readonly output: readonly string[];
}

/** One try of a stage, watched: what it reports, what it uses, and whether it goes on at all. */
export interface Attempt {
  /** Aborted when it makes no progress. */
  readonly stalled: AbortSignal;
  onStart(pid: number): void;
  onLine(line: string): void;
  onBeat(): void;
  onProgress(text: string): void;
  /** Reads the rest of what it reported. To be called when its processes are gone. */
  close(): Promise<Watched>;
}

export interface AttemptOptions {
  readonly log: RunLog;
  readonly meter: Meter;
  readonly monitor: GpuMonitor;
  /** The devices that it holds. */
  readonly devices: readonly GpuDevice[];
  readonly clock: () => Date;
  emit(event: ReproEvent): void;
}

/** Lines of output that are kept for who asks why it failed. */
const LINES = 10;

/** What V8 begins with where memory has run out: of what follows, pages of addresses, one line says something. */
const HEAP_FULL = '<--- Last few GCs --->';

/** Characters of a line of output that are worth repeating. */
const QUOTED = 60;

/** Watches one try of a stage until it is closed. */
export function watchAttempt(stage: Stage, options: AttemptOptions): Attempt {
  const { log, meter, emit } = options;
  const stalled = new AbortController();
  const output: string[] = [];
  let isHeapFull = false;
  let group: number | undefined;
  const vitals = new Vitals({
    stall: stage.stall,
    beats: stage.action.kind === 'worker',
    now: () => performance.now(),
    look: () => (group === undefined ? undefined : meter.now(group)),
    tell: (text, hint) => {
      const message = `stage '${stage.address}' ${text}`;
      emit({ event: 'warning', stage: stage.address, message, ...(hint === undefined ? {} : { hint }) });
    },
    onStalled: () => stalled.abort(),
  });
  const system = new SystemMetrics(log.beside.system, () => options.clock().getTime());
  const unwatch = options.monitor.watch(options.devices, (index, sample) => system.takeGpu(index, sample));
  let reported = '';
  const live = followMetrics({
    file: log.beside.metrics,
    tell: ({ name, value, step }) => {
      const at = step === undefined ? '' : ` step ${step}`;
      reported = `metric ${name} ${value}${at}`;
      log.write(`metric ${name} ${value}${at}\n`);
      emit({ event: 'metric', stage: stage.address, name, value, ...(step === undefined ? {} : { step }) });
    },
    onActivity: () => vitals.active(reported === '' ? 'it reported something' : reported),
  });
  const timer = setInterval(() => {
    const now = vitals.look();
    if (now !== undefined) system.take(now);
  }, LOOK_MS);
  timer.unref();
  return {
    stalled: stalled.signal,
    onStart: (pid) => {
      group = pid;
      vitals.active('it started');
    },
    onLine: (line) => {
      isHeapFull ||= line === HEAP_FULL;
      if ((!isHeapFull || line.startsWith('FATAL ERROR')) && output.push(line) > LINES) output.shift();
      vitals.active(`it printed "${line.slice(0, QUOTED)}"`);
    },
    onBeat: () => vitals.beat(),
    onProgress: (text) => vitals.active(`it was at ${text}`),
    close: async () => {
      clearInterval(timer);
      unwatch();
      await live.close();
      return { metrics: live.summaries, gpus: system.close(), output };
    },
  };
}
