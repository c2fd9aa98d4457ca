import fs from 'node:fs';

/** ELF's numbers of machines, by what Node calls them. */
const MACHINES: ReadonlyMap<number, string> = new Map([
  [0x03, 'ia32'],
  [0x28, 'arm'],
  [0x3e, 'x64'],
  [0xb7, 'arm64'],
  [0x15, 'ppc64'],
  [0x16, 's390x'],
  [0xf3, 'riscv64'],
]);

/** What keeps a shared library from being loaded by this Node, by its head alone; undefined where nothing is seen. */
export function sharedLibraryProblem(file: string, arch: string = process.arch): string | undefined {
  let size: number;
  const head = Buffer.alloc(64);
  try {
    const handle = fs.openSync(file, 'r');
    try {
      size = fs.fstatSync(handle).size;
      fs.readSync(handle, head, 0, head.length, 0);
    } finally {
      fs.closeSync(handle);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? 'is missing' : `can't be read (${code})`;
  }
  if (size === 0) return 'is empty';
  if (process.platform !== 'linux') return undefined;
  if (head.readUInt32BE(0) !== 0x7f454c46) return 'is damaged: it is no shared library';
  // 64-bit little-endian ones alone have the fields that follow where they are looked for.
  if (head[4] !== 2 || head[5] !== 1) return `is for another machine than ${arch}`;
  const machine = head.readUInt16LE(18);
  if (MACHINES.get(machine) !== arch)
    return `is for ${MACHINES.get(machine) ?? `machine ${machine}`}, and this is ${arch}`;
  const sections = Number(head.readBigUInt64LE(40)) + head.readUInt16LE(58) * head.readUInt16LE(60);
  return sections > size ? `is damaged: it ends after ${size} of ${sections} bytes` : undefined;
}
