import fs from 'node:fs';
import path from 'node:path';

/** A program named nvidia-smi in a folder of its own, to be put on PATH: it lists these devices, whatever it is asked. */
export function fakeNvidiaSmi(folder: string, devices: readonly string[]): { readonly PATH: string } {
  const rows = devices.map((id, index) => `${index}, ${id}, Example 80GB, 81920, 3, 550.54.15, Default, Disabled`);
  return programNvidiaSmi(folder, `cat <<'X'\n${rows.join('\n')}\nX`);
}

/** The same with a script of one's own. */
export function programNvidiaSmi(folder: string, script: string): { readonly PATH: string } {
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'nvidia-smi'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { PATH: `${folder}:${path.dirname(process.execPath)}:${process.env['PATH'] ?? ''}` };
}
