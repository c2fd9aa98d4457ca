import fs from 'node:fs';

/** What the processes of a stage used, as far as the kernel tells. Times in seconds, sizes in bytes. */
export interface Usage {
  /** CPU time, to a hundredth of a second. */
  readonly cpuUser?: number;
  readonly cpuSystem?: number;
  /** The most memory that all of them held at once, or one of them ever did. */
  readonly peakRss?: number;
  /** What went through read and write calls, from and to anything. */
  readonly bytesRead?: number;
  readonly bytesWritten?: number;
  /** What of it storage had to deliver or take. */
  readonly diskRead?: number;
  readonly diskWritten?: number;
  /** Of its devices: mean part of the time in which they computed (0 to 1), most memory of one, highest temperature (°C). */
  readonly gpuUse?: number;
  readonly gpuMemory?: number;
  readonly gpuTemperature?: number;
}

/** Two in a row: what adds up is added, of the peaks the higher one counts. What one of them lacks is not known. */
export function addUsage(a: Usage | undefined, b: Usage): Usage {
  if (a === undefined) return b;
  const sum: Record<string, number> = {};
  for (const key of ['cpuUser', 'cpuSystem', 'bytesRead', 'bytesWritten', 'diskRead', 'diskWritten'] as const) {
    const [x, y] = [a[key], b[key]];
    if (x !== undefined && y !== undefined) sum[key] = Math.round((x + y) * 100) / 100;
  }
  const peaks = [a.peakRss, b.peakRss].filter((peak) => peak !== undefined);
  return { ...sum, ...(peaks.length === 0 ? {} : { peakRss: Math.max(...peaks) }) };
}

/** Ticks of /proc a second: the same on every Linux that Node runs on. */
const TICKS = 100;

/** More than /proc/PID/stat ever is, in bytes. */
const STAT_SIZE = 2048;

/** PF_EXITING of the kernel: the process has begun to end, and has let go of its memory. */
const EXITING = 0x4;

/**
 * What a process that has ended, and that nobody has waited for yet, used with all the children that it waited for.
 * Undefined while it is at work, or gone, or where there is no /proc.
 * @param statFile what `openStat` gave.
 */
export function usageOfEnded(pid: number, statFile: number | undefined): Usage | undefined {
  const text = statFile === undefined ? undefined : readAgain(statFile);
  if (text === undefined) return undefined;
  const stat = fieldsIn(text);
  const [state] = stat;
  const isEnding = state === 'Z' || state === 'X' || (Number(stat[6]) & EXITING) !== 0;
  if (!isEnding) return undefined;
  const [user, system, childUser, childSystem] = stat.slice(11, 15).map(Number) as [number, number, number, number];
  return { cpuUser: (user + childUser) / TICKS, cpuSystem: (system + childSystem) / TICKS, ...ioOf(pid) };
}

/** Opens what tells the state of a process, to be read many times. */
export function openStat(pid: number): number | undefined {
  try {
    return fs.openSync(`/proc/${pid}/stat`, 'r');
  } catch {
    return undefined;
  }
}

/** The process group of a process. */
export function groupOf(pid: number): number | undefined {
  const group = fieldsOf(pid)?.[2];
  return group === undefined ? undefined : Number(group);
}

/** Memory of a process now, and the most that it ever had since it began its program; in bytes. */
export function memoryOf(pid: number): { readonly now: number; readonly peak: number } | undefined {
  const status = readProc(`${pid}/status`);
  if (status === undefined) return undefined;
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
  return { now: kilobytes('VmRSS') * 1024, peak: kilobytes('VmHWM') * 1024 };
}

/** A process as it stands. */
export interface ProcessNow {
  /** Seconds of CPU time, with those of the children that it waited for. */
  readonly cpu: number;
  /** Whether a signal or a debugger holds it. */
  readonly stopped: boolean;
}

export function processNow(pid: number): ProcessNow | undefined {
  const stat = fieldsOf(pid);
  if (stat === undefined) return undefined;
  const ticks = stat.slice(11, 15).reduce((sum, text) => sum + Number(text), 0);
  return { cpu: ticks / TICKS, stopped: stat[0] === 'T' || stat[0] === 't' };
}

/** All process ids. */
export function processIds(): number[] {
  return fs
    .readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0);
}

/** Fields of /proc/PID/stat behind the name, which may hold anything: state first. */
function fieldsOf(pid: number): string[] | undefined {
  const text = readProc(`${pid}/stat`);
  return text === undefined ? undefined : fieldsIn(text);
}

function fieldsIn(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function readAgain(file: number): string | undefined {
  const bytes = Buffer.allocUnsafe(STAT_SIZE);
  try {
    return bytes.toString('latin1', 0, fs.readSync(file, bytes, 0, STAT_SIZE, 0));
  } catch {
    return undefined;
  }
}

function ioOf(pid: number): Usage {
  const text = readProc(`${pid}/io`);
  if (text === undefined) return {};
  const values = Object.fromEntries(text.split('\n').map((line) => line.split(': ') as [string, string]));
  return {
    bytesRead: Number(values['rchar']),
    bytesWritten: Number(values['wchar']),
    diskRead: Number(values['read_bytes']),
    diskWritten: Number(values['write_bytes']),
  };
}

function readProc(name: string): string | undefined {
  try {
    return fs.readFileSync(`/proc/${name}`, 'utf8');
  } catch {
    return undefined;
  }
}
