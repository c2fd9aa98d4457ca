import type { RunRecord } from '@dag/model';

type Context = RunRecord['context'];
type Fact = Context[string];

/** What of a run's context tells what computed it: the backend, and all else that decides its bits. */
export const BACKEND_FACTS = [
  'tensorflow',
  'threads',
  'deterministic',
  'onednn',
  'isa',
  'simd',
  'device',
  'webgpu',
] as const;

/** What may decide bits of anything that runs. */
const MACHINE = ['backend', 'backendPackage', ...BACKEND_FACTS, 'gpus', 'gpuDriver', 'platform', 'cpu'] as const;

/** What a run on a TensorFlow backend was made with, by name; empty for any other run. */
export function backendFacts(context: Context): ReadonlyMap<string, Fact> {
  return new Map(BACKEND_FACTS.flatMap((name) => (context[name] === undefined ? [] : [[name, context[name] as Fact]])));
}

/** Where runs differ in what they were made with: by name, the value of each run. */
export function otherFacts(contexts: readonly Context[]): ReadonlyMap<string, readonly Fact[]> {
  const names = contexts.some(({ backend }) => backend !== undefined) ? [...MACHINE, 'node'] : MACHINE;
  const found = new Map<string, Fact[]>();
  for (const name of names) {
    const values = contexts.map((context) => context[name] ?? 'none');
    if (new Set(values).size > 1) found.set(name, values);
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}
