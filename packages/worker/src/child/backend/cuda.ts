import fs from 'node:fs';
import { join } from 'node:path';

/** What there is of NVIDIA's software, by looking at files; whether it works, only a program that uses it can say. */
export interface CudaFacts {
  /** Version of the kernel's driver; null where there is none. */
  readonly driver: string | null;
  /** The libraries that TensorFlow looks for, absolute paths, by name. */
  readonly libraries: Readonly<Record<CudaLibrary, readonly string[]>>;
}

export type CudaLibrary = 'libcuda' | 'libcudart' | 'libcublas' | 'libcudnn';

const LIBRARIES: readonly CudaLibrary[] = ['libcuda', 'libcudart', 'libcublas', 'libcudnn'];

/** Looks where the loader would, and where the package itself may have them. */
export function findCuda(
  env: Readonly<Record<string, string | undefined>>,
  packageFolder?: string,
  root = '/',
): CudaFacts {
  const own = packageFolder === undefined ? [] : [join(packageFolder, 'deps/lib'), ...nvidiaFolders(packageFolder)];
  const named = (env['LD_LIBRARY_PATH'] ?? '').split(':').filter((folder) => folder !== '');
  const folders = [...new Set([...own, ...named, ...configured(root), ...USUAL.map((folder) => join(root, folder))])];
  for (const name of list(join(root, 'usr/local'))) {
    if (name.startsWith('cuda')) folders.push(join(root, 'usr/local', name, 'lib64'));
  }
  const libraries: Record<CudaLibrary, string[]> = { libcuda: [], libcudart: [], libcublas: [], libcudnn: [] };
  const seen = new Set<string>();
  for (const folder of folders) {
    for (const name of list(folder)) {
      const library = LIBRARIES.find((one) => name.startsWith(`${one}.so`));
      if (library === undefined) continue;
      const file = real(join(folder, name));
      if (file === undefined || seen.has(file)) continue;
      seen.add(file);
      libraries[library].push(file);
    }
  }
  const version = /Kernel Module\b.*?\s(\d+\.[\d.]+)\s/.exec(read(join(root, 'proc/driver/nvidia/version')))?.[1];
  return { driver: version ?? null, libraries };
}

/** Why TensorFlow finds no GPU, as far as files tell. */
export function gpuProblem(
  env: Readonly<Record<string, string | undefined>>,
  { driver, libraries }: CudaFacts,
): string {
  const visible = env['CUDA_VISIBLE_DEVICES'];
  if (driver === null && libraries.libcuda.length === 0) return 'there is no NVIDIA driver on this machine';
  if (visible !== undefined && /^(-1.*|)$/.test(visible))
    return `CUDA_VISIBLE_DEVICES is '${visible}', which hides all`;
  const missing = LIBRARIES.filter((library) => libraries[library].length === 0);
  const parts = [
    driver === null ? 'no driver is loaded' : `the driver is ${driver}`,
    ...LIBRARIES.filter((library) => library !== 'libcuda' && libraries[library].length > 0).map(
      (library) => `there is ${libraries[library].map((file) => file.slice(file.lastIndexOf('/') + 1)).join(', ')}`,
    ),
    ...(missing.length === 0 ? [] : [`the loader does not find ${missing.join(', ')}`]),
  ];
  return parts.join(', ');
}

const USUAL = ['usr/lib/x86_64-linux-gnu', 'usr/lib/aarch64-linux-gnu', 'usr/lib64', 'usr/lib', 'usr/lib/wsl/lib'];

/** Folders that the system's loader was told of. */
function configured(root: string): string[] {
  const folder = join(root, 'etc/ld.so.conf.d');
  return list(folder).flatMap((name) =>
    read(join(folder, name))
      .split('\n')
      .filter((line) => line.startsWith('/'))
      .map((line) => join(root, line.trim())),
  );
}

function nvidiaFolders(packageFolder: string): string[] {
  const folder = join(packageFolder, 'deps/nvidia');
  return list(folder).map((name) => join(folder, name, 'lib'));
}

function list(folder: string): string[] {
  try {
    return fs.readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function real(file: string): string | undefined {
  try {
    return fs.realpathSync(file);
  } catch {
    return undefined;
  }
}
