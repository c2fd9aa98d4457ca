import type { BackendPins } from '@dag/model';
import { addonProblem, type Problem } from './child/backend/diagnose.ts';
import { findPackage, PACKAGES, packageFolder, packageVersion } from './child/backend/packages.ts';

/** A package that can provide a backend, as it lies there. */
export interface InstalledBackend {
  readonly package: string;
  readonly version: string;
  /** What is plain to see without loading it. */
  readonly problem?: Problem;
}

/** Those that the project has; nothing is loaded. @param folders absolute; where packages are looked up from. */
export function installedBackends(folders: readonly string[]): InstalledBackend[] {
  return [...new Set(Object.values(PACKAGES).flat())].flatMap((name) => {
    const main = findPackage(name, folders);
    if (main === undefined) return [];
    const problem = name.startsWith('@tensorflow/tfjs-node') ? addonProblem(packageFolder(main), name) : undefined;
    return [{ package: name, version: packageVersion(main, name), ...(problem === undefined ? {} : { problem }) }];
  });
}

/** What makes it sure that a backend which a stage pins can't be loaded; undefined where it may well be. */
export function missingBackend(folders: readonly string[], pins: BackendPins): Problem | undefined {
  const { name, version } = pins;
  if (name === undefined) return undefined;
  const packages = PACKAGES[name];
  const tried: string[] = [];
  let hint: string | undefined;
  const installed = installedBackends(folders);
  for (const one of packages) {
    const found = installed.find((other) => other.package === one);
    if (found === undefined) tried.push(`${one} is not installed`);
    else if (version !== undefined && version !== found.version) {
      tried.push(`${one} is ${found.version}, not ${version}`);
      hint ??= `npm install ${one}@${version}, or pin '${found.version}'`;
    } else if (found.problem === undefined) return undefined;
    else {
      tried.push(`${one}: ${found.problem.why}`);
      hint ??= found.problem.hint;
    }
  }
  const also = name === 'webgpu' ? ' webgpu' : '';
  return { why: tried.join('; '), hint: hint ?? `npm install ${packages[0]}${also}` };
}
