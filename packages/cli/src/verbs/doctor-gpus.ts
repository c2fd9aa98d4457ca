import { Gpus, gpuLeases } from '@dag/engine';
import type { OpenProject } from '../project/open.ts';
import { bytesText } from '../render/units.ts';
import type { Context } from '../verb.ts';

/** The GPUs that stages could lease here, and who holds them. */
export async function gpuFacts(context: Context, project: OpenProject | undefined, problems: string[]) {
  const gpus = new Gpus(context.io.env);
  const { devices, why } = await gpus.visible();
  const { folder, held } = gpuLeases(context.io.env);
  const stages = [...(project?.pipeline.stages.values() ?? [])];
  const shortages = await Promise.all(stages.map((stage) => gpus.shortage(stage)));
  const [first, ...more] = shortages.flatMap((shortage) =>
    shortage !== undefined && 'message' in shortage ? [shortage.message] : [],
  );
  if (first !== undefined) problems.push(more.length === 0 ? first : `${first}; so with ${more.length} more stages`);
  return {
    gpus: devices.map((device) => {
      const holder = held.find((claim) => claim.held.includes(device.id));
      if (holder === undefined) return { ...device, held_by: null };
      const { purpose, pid, host, since } = holder;
      return { ...device, held_by: { purpose, pid, host, since } };
    }),
    no_more_gpus: why ?? null,
    gpu_leases: folder,
  };
}

type GpuFacts = Awaited<ReturnType<typeof gpuFacts>>;

/** One line a device; why there are none, or no more. */
export function gpuLines({ gpus, no_more_gpus: why }: GpuFacts): string[] {
  const lines = gpus.map(({ id, index, name, memory, used, driver, held_by: holder }) => {
    const size = memory === undefined ? undefined : bytesText(memory);
    const parts = [
      [index, id, name].filter((part) => part !== undefined).join(' '),
      size === undefined ? undefined : used === undefined ? size : `${size}, ${bytesText(used)} in use`,
      driver === undefined ? undefined : `driver ${driver}`,
      holder === null
        ? 'free'
        : `held by ${holder.purpose} (pid ${holder.pid} on ${holder.host}, since ${holder.since})`,
    ];
    return parts.filter((part) => part !== undefined).join('; ');
  });
  if (why === undefined || why === null) return lines;
  return lines.length === 0 ? [`none: ${why}`] : [...lines, `no more: ${why}`];
}
