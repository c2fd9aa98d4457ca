import type { Stage } from '@dag/model';
import type { GpuDevice } from './smi.ts';

/** The variable in which a stage that has a part of its devices finds how many bytes of each. */
export const MEMORY_VARIABLE = 'DAG_GPU_MEMORY';

/** What a stage that runs on leased devices is told of them. */
export interface Leased {
  readonly devices: readonly GpuDevice[];
  /** Bytes of each that it may use, where it has but a part. */
  readonly memory: number | undefined;
  /** Leases of the stages around it and its own, outermost first. */
  readonly chain: readonly string[];
}

/** By default TensorFlow takes all memory of a device at once, and JAX three quarters. */
const MODEST = { TF_FORCE_GPU_ALLOW_GROWTH: 'true', XLA_PYTHON_CLIENT_PREALLOCATE: 'false' };

/**
 * What a stage sees of its devices. UUIDs mean the same whatever else numbers devices; `DAG_GPUS` and `DAG_GPU_LEASE` let a
 * `dag` inside the stage divide just these, without waiting for the stage that it runs in. What the stage itself declares
 * of how memory is taken stays as it is.
 */
export function leasedEnv(stage: Stage, { devices, memory, chain }: Leased): Record<string, string> {
  const list = devices.map(({ id }) => id).join(',');
  const declared = new Set(stage.env.flatMap(({ name, value }) => (value === undefined ? [] : [name])));
  const modest = Object.entries(MODEST).filter(([name]) => !declared.has(name));
  return {
    CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
    CUDA_VISIBLE_DEVICES: list,
    NVIDIA_VISIBLE_DEVICES: list,
    DAG_GPUS: list,
    DAG_GPU_LEASE: chain.join(','),
    ...(memory === undefined ? {} : { [MEMORY_VARIABLE]: String(memory), ...Object.fromEntries(modest) }),
  };
}

/** What the run record says of them. */
export function leasedContext({ devices, memory }: Leased): Record<string, string> {
  const driver = devices.find((device) => device.driver !== undefined)?.driver;
  return {
    gpus: devices.map(({ id, name }) => (name === undefined ? id : `${name} (${id})`)).join(', '),
    ...(memory === undefined ? {} : { gpuMemory: `shared, ${gigabytes(memory)} of each` }),
    ...(driver === undefined ? {} : { gpuDriver: driver }),
  };
}

/** Bytes of a device in words. */
export function gigabytes(bytes: number): string {
  return `${Number((bytes / 1e9).toFixed(1))} GB`;
}
