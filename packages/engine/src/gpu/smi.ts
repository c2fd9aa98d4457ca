import { spawn } from 'node:child_process';

/** One device that CUDA can be told to use: a whole GPU, or a MIG instance of one. */
export interface GpuDevice {
  /** `GPU-…` or `MIG-…`; where only its number is known, that. */
  readonly id: string;
  /** Its number, or that of the GPU that it is a part of, as `nvidia-smi` counts. */
  readonly index?: number;
  readonly name?: string;
  /** Bytes. */
  readonly memory?: number;
  /** Bytes in use when `nvidia-smi` was asked. */
  readonly used?: number;
  readonly driver?: string;
  /** The GPU that a MIG instance is a part of. */
  readonly parent?: string;
  /** Whether it takes one process at a time (compute mode `Exclusive_Process`). */
  readonly oneProcess?: true;
}

/** Whether stages can have parts of a device; else it is held whole, whatever they say of memory. */
export function canShare({ memory, oneProcess }: GpuDevice): boolean {
  return memory !== undefined && oneProcess !== true;
}

/** What `nvidia-smi` said, or what was tried, in words that end a sentence. */
export type SmiAnswer =
  | { readonly kind: 'devices'; readonly devices: readonly GpuDevice[]; readonly note?: string }
  /** There is no such program. */
  | { readonly kind: 'absent'; readonly tried: string }
  | { readonly kind: 'failed'; readonly tried: string };

/** How long `nvidia-smi` may take, in milliseconds: a driver in trouble lets it hang for ever. */
const PATIENCE_MS = 10_000;

const BASIC_FIELDS = ['index', 'uuid', 'name', 'memory.total', 'memory.used', 'driver_version'] as const;
const FIELDS = [...BASIC_FIELDS, 'compute_mode', 'mig.mode.current'] as const;

/** Where WSL keeps the program, beside what PATH names. */
const WSL = '/usr/lib/wsl/lib/nvidia-smi';

type Env = Readonly<Record<string, string | undefined>>;

/** Asks `nvidia-smi` for the devices of this host. Never rejects, and never takes longer than the time it is given. */
export async function askNvidiaSmi(env: Env, patience = PATIENCE_MS): Promise<SmiAnswer> {
  for (const program of ['nvidia-smi', WSL]) {
    let answer = await query(program, FIELDS, env, patience);
    // A driver that is older than a field names it and ends.
    if (answer.kind === 'ended' && /not a valid field/i.test(answer.text)) {
      answer = await query(program, BASIC_FIELDS, env, patience);
    }
    if (answer.kind === 'absent') continue;
    if (answer.kind === 'ended') return { kind: 'failed', tried: answer.tried };
    const rows = parseQuery(answer.text);
    if (!rows.some((row) => row.mig)) return devicesOf(rows, new Map());
    const list = await run(program, ['-L'], env, patience);
    if (list.kind !== 'ok') return { kind: 'failed', tried: list.kind === 'ended' ? list.tried : 'nvidia-smi is gone' };
    return devicesOf(rows, parseInstances(list.text));
  }
  return { kind: 'absent', tried: 'there is no nvidia-smi on PATH' };
}

interface Row extends GpuDevice {
  readonly mig: boolean;
  readonly prohibited: boolean;
}

/** The lines of `--query-gpu … --format=csv,noheader,nounits`, by FIELDS or BASIC_FIELDS; others are passed over. */
export function parseQuery(text: string): Row[] {
  const rows: Row[] = [];
  for (const line of text.split('\n')) {
    const cells = line.split(',').map((cell) => cell.trim());
    const [index, id, name, total, used, driver, mode = '', mig = ''] = cells.map((cell) =>
      /^\[?(N\/A|Not Supported|Unknown Error|Insufficient Permissions|GPU is lost|Not Found)\]?$/i.test(cell)
        ? undefined
        : cell,
    );
    if (id === undefined || !/^GPU-[0-9a-zA-Z-]+$/.test(id) || !/^\d+$/.test(index ?? '')) continue;
    rows.push({
      id,
      index: Number(index),
      ...(name === undefined || name === '' ? {} : { name }),
      ...bytes('memory', total),
      ...bytes('used', used),
      ...(driver === undefined || driver === '' ? {} : { driver }),
      ...(/^exclusive/i.test(mode) ? { oneProcess: true } : {}),
      mig: /^enabled$/i.test(mig),
      prohibited: /^prohibited$/i.test(mode),
    });
  }
  return rows;
}

/** The MIG instances that `nvidia-smi -L` lists, by the GPU that they are a part of. */
export function parseInstances(text: string): Map<string, { readonly id: string; readonly profile: string }[]> {
  const found = new Map<string, { id: string; profile: string }[]>();
  let parent: string | undefined;
  for (const line of text.split('\n')) {
    const gpu = /^GPU \d+:.*\(UUID: (GPU-[^)\s]+)\)/.exec(line);
    if (gpu !== null) parent = gpu[1];
    const instance = /^\s+MIG\s+(\S+).*\(UUID: (MIG-[^)\s]+)\)/.exec(line);
    if (instance === null || parent === undefined) continue;
    found.set(parent, [...(found.get(parent) ?? []), { profile: String(instance[1]), id: String(instance[2]) }]);
  }
  return found;
}

/** A GPU in MIG mode counts as its instances: nothing can use it whole. */
function devicesOf(rows: readonly Row[], instances: ReturnType<typeof parseInstances>): SmiAnswer {
  const devices: GpuDevice[] = [];
  const notes: string[] = [];
  for (const { mig, prohibited, ...device } of rows) {
    if (prohibited) {
      notes.push(`${device.id} is in compute mode 'Prohibited'`);
    } else if (!mig) {
      devices.push(device);
    } else {
      const parts = instances.get(device.id) ?? [];
      if (parts.length === 0) notes.push(`${device.id} is in MIG mode and has no instance`);
      for (const { id, profile } of parts) {
        const { index, name = 'GPU', driver } = device;
        const memory = profileMemory(profile);
        devices.push({
          id,
          parent: device.id,
          name: `${name} MIG ${profile}`,
          ...(memory === undefined ? {} : { memory }),
          ...(index === undefined ? {} : { index }),
          ...(driver === undefined ? {} : { driver }),
        });
      }
    }
  }
  return { kind: 'devices', devices, ...(notes.length === 0 ? {} : { note: notes.join(', ') }) };
}

/**
 * Bytes of an instance by its profile, `1g.10gb`, rounded down as the name is. Compute instances of one such (`1c.3g.20gb`)
 * share its memory, so that none is theirs.
 */
function profileMemory(profile: string): number | undefined {
  const size = /^\d+g\.(\d+)gb/i.exec(profile)?.[1];
  return size === undefined ? undefined : Number(size) * 1e9;
}

function bytes<K extends 'memory' | 'used'>(key: K, mebibytes: string | undefined): { [key in K]?: number } {
  const number = Number(mebibytes);
  if (mebibytes === undefined || mebibytes === '' || !Number.isFinite(number)) return {};
  return { [key]: number * 1024 * 1024 } as { [key in K]: number };
}

type Answer =
  | { readonly kind: 'ok'; readonly text: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'ended'; readonly tried: string; readonly text: string };

function query(program: string, fields: readonly string[], env: Env, patience: number): Promise<Answer> {
  return run(program, [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader,nounits'], env, patience);
}

/** Output that is worth reading: some hundred bytes a device. */
const OUTPUT_LIMIT = 1 << 20;

/** Runs a program in a group of its own, which is killed when it takes too long; it is not waited for then. */
function run(program: string, args: readonly string[], env: Env, patience: number): Promise<Answer> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let text = '';
    const end = (answer: Answer): void => {
      clearTimeout(timer);
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
      resolve(answer);
    };
    const timer = setTimeout(() => {
      try {
        process.kill(-Number(child.pid), 'SIGKILL');
      } catch {
        // It ended by itself at this moment.
      }
      end({ kind: 'ended', tried: `nvidia-smi did not answer within ${patience / 1000} s`, text });
    }, patience);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        if (text.length < OUTPUT_LIMIT) text += chunk;
      });
    }
    child.once('error', (error: NodeJS.ErrnoException) => {
      const absent = error.code === 'ENOENT' || error.code === 'ENOTDIR';
      end(absent ? { kind: 'absent' } : { kind: 'ended', tried: `nvidia-smi could not be run (${error.code})`, text });
    });
    child.once('close', (status, signal) => {
      if (status === 0) return end({ kind: 'ok', text });
      const said = text.trim().split('\n')[0]?.slice(0, 200) ?? '';
      const how = status === null ? `was ended by ${signal}` : `failed with exit status ${status}`;
      end({ kind: 'ended', tried: `nvidia-smi ${how}${said === '' ? '' : `: ${said}`}`, text });
    });
  });
}
