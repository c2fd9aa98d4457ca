import { type Failure, FailureError, type Stage } from '@dag/model';
import type { Group } from '../run/orphans.ts';
import { heldClaims, leaseFolder, type SeenClaim } from './claim.ts';
import { gigabytes, leasedContext, leasedEnv, MEMORY_VARIABLE } from './leased.ts';
import { OthersUse } from './others.ts';
import { devicesText, holderText, leaseDevices, othersText } from './queue.ts';
import { askNvidiaSmi, type GpuDevice } from './smi.ts';
import { type VisibleGpus, visibleGpus } from './visible.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Devices that a stage holds while it runs. */
export interface GpuLease {
  readonly devices: readonly GpuDevice[];
  /** What the stage sees of it. */
  readonly env: Readonly<Record<string, string>>;
  /** What the run record says of it. */
  readonly context: Readonly<Record<string, string>>;
  /** Whether others had to be waited for. */
  readonly waited: boolean;
  note(group: Group): void;
  release(): void;
}

export interface GpuLeaseOptions {
  readonly wait: boolean;
  readonly signal: AbortSignal;
  /** The project, in words, for whoever waits. */
  readonly root: string;
  onWait(message: string): void;
  onWarning(message: string, hint?: string): void;
}

/** More memory in use than this on a device that nobody leased: somebody works on it without `dag`. Displays take less. */
const BUSY_BYTES = 1 << 30;

/** The GPUs of this host as one process of `dag` sees them. Nothing is asked until a stage wants one, and then once. */
export class Gpus {
  readonly #env: Env;
  readonly #folder: string;
  readonly #within: readonly string[];
  #asked: Promise<VisibleGpus> | undefined;
  #devices: readonly GpuDevice[] | undefined;
  #others: OthersUse | undefined;
  #known: () => void = () => {};
  readonly #whenKnown = new Promise<void>((resolve) => {
    this.#known = resolve;
  });

  constructor(env: Env) {
    this.#env = env;
    this.#folder = leaseFolder(env['DAG_LEASES']);
    this.#within = (env['DAG_GPU_LEASE'] ?? '').split(',').filter((id) => id !== '');
  }

  /** Those for stages of this process; undefined until they were asked for. */
  get devices(): readonly GpuDevice[] | undefined {
    return this.#devices;
  }

  /** Resolves when `devices` are known. */
  get whenKnown(): Promise<void> {
    return this.#whenKnown;
  }

  /** The devices that stages of this process may lease. Never rejects. */
  visible(): Promise<VisibleGpus> {
    this.#asked ??= this.#ask();
    return this.#asked;
  }

  async #ask(): Promise<VisibleGpus> {
    const { devices: all, ...rest } = visibleGpus(this.#env, await askNvidiaSmi(this.#env));
    const part = this.#part();
    const devices = all.map((device) =>
      part === undefined || device.memory === undefined ? device : { ...device, memory: Math.min(device.memory, part) },
    );
    this.#devices = devices;
    this.#known();
    return { ...rest, devices };
  }

  /** Bytes of each device that the stage around this process has, where that is but a part. */
  #part(): number | undefined {
    const text = this.#env[MEMORY_VARIABLE] ?? '';
    return this.#within.length > 0 && /^[1-9]\d{0,15}$/.test(text) ? Number(text) : undefined;
  }

  /** What keeps a stage from ever getting the GPUs that it wants here. */
  async shortage(stage: Stage): Promise<Failure | undefined> {
    const { gpu: wanted = 0, gpuMemory } = stage.resources;
    if (wanted === 0) return undefined;
    const { devices, why } = await this.visible();
    if (wanted <= largeEnough(devices, gpuMemory).length) return undefined;
    const size = ({ memory }: GpuDevice): string =>
      gpuMemory === undefined || memory === undefined ? '' : ` with ${gigabytes(memory)}`;
    const list = devices.map((device) => device.id + size(device)).join(', ');
    const there = devices.length === 0 ? 'none' : `${devices.length} (${list})`;
    const each = gpuMemory === undefined ? '' : ` with ${gigabytes(gpuMemory)} of memory${wanted > 1 ? ' each' : ''}`;
    return {
      code: 'resources',
      stage: stage.address,
      message: `stage '${stage.address}' (${stage.file}:${stage.line}) wants ${wanted} GPU${wanted > 1 ? 's' : ''}${each}, and there ${devices.length === 1 ? 'is' : 'are'} ${there}${why === undefined ? '' : `: ${why}`}`,
      hint: "run it where there are enough, restore its result (--pull), or name devices in DAG_GPUS; 'dag doctor' lists what is found",
    };
  }

  /** Holds as many devices as the stage wants, those in least use first; undefined where it says nothing of GPUs. */
  async lease(stage: Stage, options: GpuLeaseOptions): Promise<GpuLease | undefined> {
    const count = stage.resources.gpu;
    if (count === undefined) return undefined;
    if (count === 0) return NO_DEVICE;
    const shortage = await this.shortage(stage);
    if (shortage !== undefined) throw new FailureError(shortage);
    const { gpuMemory: memory } = stage.resources;
    const all = (await this.visible()).devices;
    const devices = largeEnough(all, memory).sort(
      (a, b) => (a.used ?? 0) - (b.used ?? 0) || (a.index ?? 0) - (b.index ?? 0),
    );
    this.#others ??= new OthersUse(this.#folder, all, this.#env);
    const others = this.#others;
    const held = await leaseDevices(
      this.#folder,
      {
        count,
        among: devices.map(({ id }) => id),
        within: this.#within,
        purpose: `dag repro of ${options.root}, stage '${stage.address}'`,
        ...(memory === undefined ? {} : { memory }),
      },
      {
        rooms: () => others.rooms(),
        wait: options.wait,
        signal: options.signal,
        onWait: (holder, ids) => {
          if (holder === undefined) return options.onWait(`waiting for ${othersText(ids)}`);
          const does = holder.held.length > 0 ? 'held by' : 'wanted, and first, by';
          options.onWait(`waiting for ${devicesText(ids)}, ${does} ${holderText(holder)}`);
        },
        onOrphan: (holder) =>
          options.onWarning(
            `ended what a killed dag had left running on ${devicesText(holder.held)}: ${holder.purpose}`,
          ),
      },
    );
    const leased = devices.filter((device) => held.devices.includes(device.id));
    // What was in use at the start says nothing of a device that was waited for, or that others have parts of.
    const alone = leased.filter(({ id }) => !held.shared.includes(id));
    if (!held.waited) warnOfBusy(stage, alone, options);
    const told = {
      devices: leased,
      memory: held.shared.length > 0 ? memory : this.#part(),
      chain: [...this.#within, held.id],
    };
    return {
      devices: leased,
      env: leasedEnv(stage, told),
      context: leasedContext(told),
      waited: held.waited,
      note: held.note,
      release: held.release,
    };
  }
}

/** Those that have so much memory, as far as is known. */
function largeEnough(devices: readonly GpuDevice[], memory: number | undefined): GpuDevice[] {
  return devices.filter((device) => memory === undefined || memory <= (device.memory ?? Number.POSITIVE_INFINITY));
}

/** Where the leases of this host are kept, and who holds devices. */
export function gpuLeases(env: Env): { readonly folder: string; readonly held: readonly SeenClaim[] } {
  const folder = leaseFolder(env['DAG_LEASES']);
  return { folder, held: heldClaims(folder) };
}

function warnOfBusy(stage: Stage, devices: readonly GpuDevice[], options: GpuLeaseOptions): void {
  for (const { id, used = 0 } of devices) {
    if (used < BUSY_BYTES) continue;
    options.onWarning(
      `${id}, which stage '${stage.address}' gets, has ${gigabytes(used)} in use by a process that leased nothing`,
      'nvidia-smi tells which; DAG_GPUS leaves devices out',
    );
  }
}

/** `gpu: 0`: the stage sees no device. */
const NO_DEVICE: GpuLease = {
  devices: [],
  env: { CUDA_VISIBLE_DEVICES: '', NVIDIA_VISIBLE_DEVICES: 'none', DAG_GPUS: 'none' },
  context: {},
  waited: false,
  note: () => {},
  release: () => {},
};
