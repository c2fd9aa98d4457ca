import { type Failure, FailureError, type Stage } from '@dag/model';
import type { Group } from '../run/orphans.ts';
import { leaseFolder, type SeenClaim } from './claim.ts';
import { devicesText, heldClaims, holderText, leaseDevices } from './queue.ts';
import { askNvidiaSmi, type GpuDevice } from './smi.ts';
import { type VisibleGpus, visibleGpus } from './visible.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Devices that a stage holds while it runs. */
export interface GpuLease {
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
  #asked: Promise<VisibleGpus> | undefined;
  #count: number | undefined;
  #known: () => void = () => {};
  readonly #whenKnown = new Promise<void>((resolve) => {
    this.#known = resolve;
  });

  constructor(env: Env) {
    this.#env = env;
  }

  /** How many there are for stages of this process; undefined until they were asked for. */
  get count(): number | undefined {
    return this.#count;
  }

  /** Resolves when `count` is known. */
  get whenKnown(): Promise<void> {
    return this.#whenKnown;
  }

  /** The devices that stages of this process may lease. Never rejects. */
  visible(): Promise<VisibleGpus> {
    this.#asked ??= this.#ask();
    return this.#asked;
  }

  async #ask(): Promise<VisibleGpus> {
    const visible = visibleGpus(this.#env, await askNvidiaSmi(this.#env));
    this.#count = visible.devices.length;
    this.#known();
    return visible;
  }

  /** What keeps a stage from ever getting the GPUs that it wants here. */
  async shortage(stage: Stage): Promise<Failure | undefined> {
    const wanted = stage.resources.gpu ?? 0;
    if (wanted === 0) return undefined;
    const { devices, why } = await this.visible();
    if (wanted <= devices.length) return undefined;
    const there = devices.length === 0 ? 'none' : `${devices.length} (${devices.map(({ id }) => id).join(', ')})`;
    return {
      code: 'resources',
      stage: stage.address,
      message: `stage '${stage.address}' (${stage.file}:${stage.line}) wants ${wanted} GPU${wanted > 1 ? 's' : ''}, and there ${devices.length === 1 ? 'is' : 'are'} ${there}${why === undefined ? '' : `: ${why}`}`,
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
    const devices = [...(await this.visible()).devices].sort(
      (a, b) => (a.used ?? 0) - (b.used ?? 0) || (a.index ?? 0) - (b.index ?? 0),
    );
    const within = (this.#env['DAG_GPU_LEASE'] ?? '').split(',').filter((id) => id !== '');
    const held = await leaseDevices(
      leaseFolder(this.#env['DAG_LEASES']),
      {
        count,
        among: devices.map(({ id }) => id),
        within,
        purpose: `dag repro of ${options.root}, stage '${stage.address}'`,
      },
      {
        wait: options.wait,
        signal: options.signal,
        onWait: (holder, ids) => {
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
    // What was in use at the start says nothing of a device that was waited for.
    if (!held.waited) warnOfBusy(stage, leased, options);
    return {
      env: leasedEnv(held.devices, [...within, held.id]),
      context: leasedContext(leased),
      waited: held.waited,
      note: held.note,
      release: held.release,
    };
  }
}

/** Where the leases of this host are kept, and who holds devices. */
export function gpuLeases(env: Env): { readonly folder: string; readonly held: readonly SeenClaim[] } {
  const folder = leaseFolder(env['DAG_LEASES']);
  return { folder, held: heldClaims(folder) };
}

function warnOfBusy(stage: Stage, devices: readonly GpuDevice[], options: GpuLeaseOptions): void {
  for (const { id, used = 0 } of devices) {
    if (used < BUSY_BYTES) continue;
    const text = `${(used / 1e9).toFixed(1)} GB`;
    options.onWarning(
      `${id}, which stage '${stage.address}' gets, has ${text} in use by a process that leased nothing`,
      'nvidia-smi tells which; DAG_GPUS leaves devices out',
    );
  }
}

/**
 * What a stage sees of its devices. UUIDs mean the same whatever else numbers devices; `DAG_GPUS` and `DAG_GPU_LEASE` let a
 * `dag` inside the stage divide just these, without waiting for the stage that it runs in.
 */
function leasedEnv(devices: readonly string[], chain: readonly string[]): Record<string, string> {
  const list = devices.join(',');
  return {
    CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
    CUDA_VISIBLE_DEVICES: list,
    NVIDIA_VISIBLE_DEVICES: list,
    DAG_GPUS: list,
    DAG_GPU_LEASE: chain.join(','),
  };
}

/** `gpu: 0`: the stage sees no device. */
const NO_DEVICE: GpuLease = {
  env: { CUDA_VISIBLE_DEVICES: '', NVIDIA_VISIBLE_DEVICES: 'none', DAG_GPUS: 'none' },
  context: {},
  waited: false,
  note: () => {},
  release: () => {},
};

function leasedContext(devices: readonly GpuDevice[]): Record<string, string> {
  const driver = devices.find((device) => device.driver !== undefined)?.driver;
  return {
    gpus: devices.map(({ id, name }) => (name === undefined ? id : `${name} (${id})`)).join(', '),
    ...(driver === undefined ? {} : { gpuDriver: driver }),
  };
}
