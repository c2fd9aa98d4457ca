import type { Resources } from '@dag/model';
import { canShare, type GpuDevice } from './smi.ts';

/**
 * Whether stages fit on the devices together, as far as one process can tell: those that want devices whole are placed
 * first, the others where the most memory is left. The queue has the last word, which knows of other processes and of who
 * sits where; this is to keep stages that would only wait there from taking up jobs.
 */
export function fitTogether(devices: readonly GpuDevice[], wanted: readonly Resources[]): boolean {
  const left = devices.map((device) => ({ device, whole: true, memory: device.memory ?? 0 }));
  const bySize = wanted.toSorted((a, b) => (b.gpuMemory ?? Infinity) - (a.gpuMemory ?? Infinity));
  for (const { gpu = 0, gpuMemory } of bySize) {
    const shared = left.filter(
      ({ device, memory }) => gpuMemory !== undefined && canShare(device) && memory >= gpuMemory,
    );
    const rest = left.filter((place) => place.whole && !shared.includes(place));
    const places = [...shared.sort((a, b) => b.memory - a.memory), ...rest].slice(0, gpu);
    if (places.length < gpu) return false;
    for (const place of places) {
      place.whole = false;
      place.memory = shared.includes(place) ? place.memory - (gpuMemory ?? 0) : 0;
    }
  }
  return true;
}
