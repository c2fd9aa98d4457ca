import fs from 'node:fs';
import os from 'node:os';
import { type BackendPins, INSTRUCTION_SETS, type InstructionSet } from '@dag/model';

/** What of a machine decides the bits of the native library. */
export interface Processor {
  /** `linux-x64`, say: of Node's platform and arch. */
  readonly platform: string;
  /** What the processor can do, in Linux's words; empty where that can't be known. */
  readonly flags: ReadonlySet<string>;
  /** How many threads this process may run at once. */
  readonly cores: number;
}

/** Facts about a run that decide its bits, for the run record. */
export type Facts = Readonly<Record<string, string | number | boolean>>;

/**
 * What the native library is to find in its environment, and the facts that this makes true. Threads, oneDNN and determinism
 * are always set, as pinned or else as the library itself would choose, so that what is recorded is what was in effect. A
 * variable that the user has set counts where nothing is pinned.
 * @throws Error in the user's words for what this processor can't do.
 */
export function nativeSettings(
  pins: BackendPins,
  env: Readonly<Record<string, string | undefined>>,
  { platform, flags, cores }: Processor,
): { readonly env: Readonly<Record<string, string>>; readonly facts: Facts } {
  const threads = pins.threads ?? positive(env['TF_NUM_INTRAOP_THREADS']) ?? cores;
  const deterministic = pins.deterministic ?? env['TF_DETERMINISTIC_OPS'] !== '0';
  const shared = { TF_NUM_INTRAOP_THREADS: String(threads), TF_DETERMINISTIC_OPS: deterministic ? '1' : '0' };
  const facts = { threads, deterministic };
  if (platform !== 'linux-x64') {
    if (pins.isa !== undefined) throw new Error(`isa can't be pinned on ${platform}`);
    if (pins.onednn !== undefined) throw new Error(`onednn can't be pinned on ${platform}`);
    return { env: shared, facts };
  }
  const onednn = pins.onednn ?? switched(env['TF_ENABLE_ONEDNN_OPTS']) ?? ONEDNN_ON.some((flag) => flags.has(flag));
  const best = LEVELS.find(([level]) => has(flags, level))?.[0];
  const isa = pins.isa ?? named(env['ONEDNN_MAX_CPU_ISA']) ?? best;
  if (pins.isa !== undefined && best !== undefined && !has(flags, pins.isa)) {
    throw new Error(`the stage pins isa ${pins.isa}, and the most that this processor has is ${best}`);
  }
  return {
    env: {
      ...shared,
      TF_ENABLE_ONEDNN_OPTS: onednn ? '1' : '0',
      ...(pins.isa === undefined ? {} : { ONEDNN_MAX_CPU_ISA: pins.isa.toUpperCase() }),
    },
    facts: { ...facts, onednn, ...(isa === undefined ? {} : { isa }) },
  };
}

/** The processor of this machine. */
export function thisProcessor(): Processor {
  const cpuinfo = readText('/proc/cpuinfo');
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/) ?? []);
  return { platform: `${process.platform}-${process.arch}`, flags, cores: allowedCores() ?? os.availableParallelism() };
}

/** Processors with one of these have oneDNN's kernels used unless somebody says otherwise. */
const ONEDNN_ON = ['avx512_vnni', 'avx512_bf16', 'avx_vnni', 'amx_tile', 'amx_int8', 'amx_bf16'];

/** By the first that a processor has, best first. */
const LEVELS: readonly (readonly [InstructionSet, readonly string[]])[] = [
  ['avx512_core_amx', ['amx_tile', 'amx_int8', 'amx_bf16', 'avx512_bf16']],
  ['avx512_core_bf16', ['avx512_bf16', 'avx512_vnni']],
  ['avx512_core_vnni', ['avx512_vnni']],
  ['avx512_core', ['avx512f', 'avx512bw', 'avx512dq', 'avx512vl']],
  ['avx2_vnni', ['avx2', 'avx_vnni']],
  ['avx2', ['avx2']],
  ['avx', ['avx']],
  ['sse41', ['sse4_1']],
];

function has(flags: ReadonlySet<string>, isa: InstructionSet): boolean {
  return LEVELS.some(([level, needed]) => level === isa && needed.every((flag) => flags.has(flag)));
}

function named(text: string | undefined): InstructionSet | undefined {
  return INSTRUCTION_SETS.find((isa) => isa === text?.toLowerCase());
}

function positive(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d*$/.test(text) ? Number(text) : undefined;
}

function switched(text: string | undefined): boolean | undefined {
  return text === '1' ? true : text === '0' ? false : undefined;
}

/** As TensorFlow counts them: those that the scheduler lets this process use, whatever share of them it gets. */
function allowedCores(): number | undefined {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readText('/proc/self/status'))?.[1];
  if (list === undefined) return undefined;
  let count = 0;
  for (const range of list.split(',')) {
    const [first = 0, last = first] = range.split('-').map(Number);
    count += last - first + 1;
  }
  return count > 0 ? count : undefined;
}

function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
