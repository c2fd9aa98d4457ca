import type { GpuDevice, SmiAnswer } from './smi.ts';

/** The devices that stages of this process may lease, and why there are no more, in words that end a sentence. */
export interface VisibleGpus {
  readonly devices: readonly GpuDevice[];
  readonly why?: string;
}

/** Words that stand for no device. CUDA itself takes -1 so; container runtimes `none` and `void`; Slurm `NoDevFiles`. */
const NOTHING = /^(|none|void|-1|NoDevFiles)$/i;

/**
 * The devices of the host, less what the surroundings forbid: `CUDA_VISIBLE_DEVICES`, which Slurm sets, and `DAG_GPUS`.
 * Where `nvidia-smi` can't say what there is, these variables are believed.
 */
export function visibleGpus(env: Readonly<Record<string, string | undefined>>, answer: SmiAnswer): VisibleGpus {
  const own = env['DAG_GPUS']?.trim();
  const outer = env['CUDA_VISIBLE_DEVICES']?.trim();
  if (own !== undefined && NOTHING.test(own)) return { devices: [], why: `DAG_GPUS is '${own}'` };
  const chosen = own === undefined || /^all$/i.test(own) ? undefined : words(own);
  if (answer.kind !== 'devices') {
    const believed = chosen ?? (outer === undefined || NOTHING.test(outer) ? undefined : words(outer));
    if (believed === undefined) return { devices: [], why: answer.tried };
    return { devices: [...new Set(believed)].map((id) => ({ id })) };
  }
  const left = outer === undefined ? answer.devices : named(answer.devices, outer);
  const hidden = left.length < answer.devices.length ? `CUDA_VISIBLE_DEVICES is '${outer}'` : undefined;
  if (chosen === undefined) return withReason(left, hidden, answer.note);
  const unknown = chosen.find((word) => matching(answer.devices, word).length === 0);
  if (unknown !== undefined) {
    const there = answer.devices.map((device) => `${device.index ?? '?'} ${device.id}`).join(', ') || 'none';
    // One that is misspelt may be the very one that was to be left to others.
    return { devices: [], why: `DAG_GPUS names '${unknown}', which is no GPU of this host (it has ${there})` };
  }
  const wanted = new Set(chosen.flatMap((word) => matching(answer.devices, word)));
  const both = left.filter((device) => wanted.has(device));
  return withReason(both, `DAG_GPUS is '${own}'`, hidden, answer.note);
}

function withReason(devices: readonly GpuDevice[], ...reasons: readonly (string | undefined)[]): VisibleGpus {
  const why = reasons.filter((reason) => reason !== undefined).join(', ');
  return why === '' ? { devices } : { devices, why };
}

/** As CUDA reads its variable: numbers and starts of UUIDs; the first that means nothing ends the list. */
function named(devices: readonly GpuDevice[], text: string): GpuDevice[] {
  const found = new Set<GpuDevice>();
  for (const word of words(text)) {
    const meant = matching(devices, word);
    if (meant.length === 0) break;
    for (const device of meant) found.add(device);
  }
  return [...found];
}

/** A number, or the start of a UUID that means one device only; the GPU of MIG instances means all of these. */
function matching(devices: readonly GpuDevice[], word: string): GpuDevice[] {
  if (/^\d+$/.test(word)) return devices.filter((device) => device.index === Number(word));
  const starts = (id: string | undefined): boolean => id?.toLowerCase().startsWith(word.toLowerCase()) === true;
  const own = devices.filter((device) => starts(device.id));
  if (own.length > 1) return own.filter(({ id }) => id === word);
  if (own.length === 1) return own;
  const parts = devices.filter((device) => starts(device.parent));
  return new Set(parts.map((device) => device.parent)).size === 1 ? parts : [];
}

function words(list: string): string[] {
  return list
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}
