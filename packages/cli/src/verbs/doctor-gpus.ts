import { Gpus, gpuLeases, outermost, type SeenClaim } from '@dag/engine';
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
    gpus: devices.map(({ oneProcess, ...device }) => {
      const holders = held.filter((claim) => claim.held.includes(device.id));
      const whole = holders.find((claim) => claim.shared?.includes(device.id) !== true);
      const sharers = outermost(holders.filter((claim) => claim !== whole));
      return {
        ...device,
        ...(oneProcess === true ? { one_process: true } : {}),
        held_by: whole === undefined ? null : personOf(whole),
        shared_by: sharers.map((claim) => ({ ...personOf(claim), memory: claim.memory ?? 0 })),
      };
    }),
    no_more_gpus: why ?? null,
    gpu_leases: folder,
  };
}

function personOf({ purpose, pid, host, since }: SeenClaim) {
  return { purpose, pid, host, since };
}

type GpuFacts = Awaited<ReturnType<typeof gpuFacts>>;

/** One line a device; why there are none, or no more. */
export function gpuLines({ gpus, no_more_gpus: why }: GpuFacts): string[] {
  const lines = gpus.map(({ id, index, name, memory, used, driver, one_process: oneProcess, held_by, shared_by }) => {
    const size = memory === undefined ? undefined : bytesText(memory);
    const by = (holder: ReturnType<typeof personOf>): string =>
      `by ${holder.purpose} (pid ${holder.pid} on ${holder.host}, since ${holder.since})`;
    const shared = shared_by.map((holder) => `${bytesText(holder.memory)} held ${by(holder)}`);
    const parts = [
      [index, id, name].filter((part) => part !== undefined).join(' '),
      size === undefined ? undefined : used === undefined ? size : `${size}, ${bytesText(used)} in use`,
      driver === undefined ? undefined : `driver ${driver}`,
      oneProcess === undefined ? undefined : 'one process at a time',
      ...(held_by !== null ? [`held ${by(held_by)}`] : shared.length > 0 ? shared : ['free']),
    ];
    return parts.filter((part) => part !== undefined).join('; ');
  });
  if (why === undefined || why === null) return lines;
  return lines.length === 0 ? [`none: ${why}`] : [...lines, `no more: ${why}`];
}
