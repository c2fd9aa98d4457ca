import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** Bytes of memory that this process and its children may use: what the machine has, or its control group allows. */
export function memoryLimit(cgroup = '/sys/fs/cgroup', self = '/proc/self/cgroup'): number {
  return Math.min(os.totalmem(), constrained(), groupLimit(cgroup, self));
}

/** What Node knows of limits, of the first version of control groups too; 0 stands for none. */
function constrained(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? limit : Number.POSITIVE_INFINITY;
}

/** The lowest `memory.max` of this process's control group and all above it: any of them ends what goes beyond. */
function groupLimit(mount: string, self: string): number {
  let limit = Number.POSITIVE_INFINITY;
  const own = /^0::(\/.*)$/m.exec(readText(self))?.[1];
  if (own === undefined) return limit;
  for (let group = own; ; group = path.posix.dirname(group)) {
    const text = readText(path.join(mount, group, 'memory.max')).trim();
    if (/^\d+$/.test(text)) limit = Math.min(limit, Number(text));
    if (group === '/' || group === '.') return limit;
  }
}

function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
