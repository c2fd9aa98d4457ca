import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/** A folder that a rig's script made; undefined where it was not run. */
function madeBy(script: string): string | undefined {
  try {
    const args = [path.join(import.meta.dirname, script), 'path'];
    return execFileSync('bash', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}

/** Absolute; its `node_modules` has the native @tensorflow/tfjs-node, with @tensorflow/tfjs-backend-wasm beside it. */
export function tfjsNode(): string {
  const folder = madeBy('tfjs-node.sh');
  if (folder === undefined) throw new Error(missingTfjsNode());
  return folder;
}

/** Why tests on the native library can't run; undefined where they can. */
export function missingTfjsNode(): string | undefined {
  return madeBy('tfjs-node.sh') === undefined
    ? 'native TensorFlow.js is not installed (test/rigs/tfjs-node.sh install)'
    : undefined;
}

/** Why tests on WebGPU can't run; undefined where they can. */
export function missingWebGpu(): string | undefined {
  return madeBy('webgpu.sh') === undefined ? 'WebGPU is not installed (test/rigs/webgpu.sh install)' : undefined;
}

/** WebGPU in software: where its packages are, and what a process that uses it finds in its environment. */
export function webGpu(): { readonly folder: string; readonly env: Readonly<Record<string, string>> } {
  const folder = madeBy('webgpu.sh');
  if (folder === undefined) throw new Error(missingWebGpu());
  const vulkan = path.join(folder, 'vulkan');
  return {
    folder,
    env: {
      LD_LIBRARY_PATH: vulkan,
      VK_DRIVER_FILES: path.join(vulkan, 'vk_swiftshader_icd.json'),
      XDG_RUNTIME_DIR: vulkan,
    },
  };
}

/** Gives a project all packages of a rig, by a link. */
export function usePackages(root: string, rig: string): void {
  fs.symlinkSync(path.join(rig, 'node_modules'), path.join(root, 'node_modules'));
}

/**
 * Gives a project the rig's packages with a copy of tfjs-node that may be broken: the C library by links, all else copied.
 * @returns the folder of the copy.
 */
export function copyTfjsNode(root: string, rig: string): string {
  const link = (from: string, to: string, names: readonly string[]): void => {
    fs.mkdirSync(to, { recursive: true });
    for (const name of names) fs.symlinkSync(path.join(from, name), path.join(to, name));
  };
  const others = (folder: string, name: string) => fs.readdirSync(folder).filter((one) => one !== name);
  const [from, to] = [path.join(rig, 'node_modules'), path.join(root, 'node_modules')];
  link(from, to, others(from, '@tensorflow'));
  link(
    path.join(from, '@tensorflow'),
    path.join(to, '@tensorflow'),
    others(path.join(from, '@tensorflow'), 'tfjs-node'),
  );
  const [original, copy] = [from, to].map((folder) => path.join(folder, '@tensorflow/tfjs-node')) as [string, string];
  fs.mkdirSync(copy);
  for (const name of ['package.json', 'dist', 'lib']) {
    fs.cpSync(path.join(original, name), path.join(copy, name), { recursive: true });
  }
  const libraries = path.join(original, 'deps/lib');
  link(fs.realpathSync(libraries), path.join(copy, 'deps/lib'), fs.readdirSync(libraries));
  return copy;
}
