import os from 'node:os';

/** What a run record says of the machine: never part of the run key. */
export function machineContext(): Record<string, string | number | boolean> {
  return {
    host: os.hostname(),
    platform: `${os.platform()}-${os.arch()}`,
    os: os.release(),
    node: process.version,
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.availableParallelism(),
    memory: os.totalmem(),
  };
}
