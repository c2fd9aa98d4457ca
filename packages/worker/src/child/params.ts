import type { WireValue, WorkerInit } from '../protocol.ts';
import type { WorkerParams } from '../public.ts';

/** Names that the language itself asks any object for. */
const ASKED_BY_THE_LANGUAGE = new Set(['then', 'toJSON', 'constructor', 'toString', 'valueOf', 'hasOwnProperty']);

interface Level {
  readonly [key: string]: WireValue | Level;
}

/**
 * The declared params of all files as one nested object: `train.lr` is `params.train.lr`. Reading a key that is not declared
 * throws, because what is not declared is not in the fingerprint; inside a value that was declared whole, any key may be
 * asked for.
 * @throws when two files declare one key.
 */
export function nestParams(files: WorkerInit['params'], stage: string): WorkerParams {
  const root: Record<string, unknown> = {};
  const origin = new Map<string, string>();
  for (const [file, values] of Object.entries(files)) {
    for (const [key, value] of Object.entries(values)) {
      const other = origin.get(key);
      if (other !== undefined) throw new Error(`${key} is declared from both ${other} and ${file}; rename one`);
      origin.set(key, file);
      put(root, key.split('.'), value);
    }
  }
  return guard(root as Level, [...origin.keys()], '', stage) as WorkerParams;
}

function put(level: Record<string, unknown>, parts: readonly string[], value: WireValue): void {
  const [first = '', ...rest] = parts;
  if (rest.length === 0) {
    level[first] = value;
    return;
  }
  const next = level[first];
  const inner: Record<string, unknown> = typeof next === 'object' && next !== null ? { ...next } : {};
  put(inner, rest, value);
  level[first] = inner;
}

/** Wraps the levels that declared keys pass through, down to the values themselves. */
function guard(level: Level, declared: readonly string[], prefix: string, stage: string): Level {
  const guarded: Record<string, WireValue | Level> = {};
  for (const [name, value] of Object.entries(level)) {
    const path = prefix + name;
    guarded[name] = declared.includes(path) ? value : guard(value as Level, declared, `${path}.`, stage);
  }
  return new Proxy(Object.freeze(guarded), {
    get(target, name) {
      if (typeof name === 'symbol' || Object.hasOwn(target, name)) return Reflect.get(target, name);
      if (ASKED_BY_THE_LANGUAGE.has(name)) return Reflect.get(target, name);
      throw new Error(`${prefix}${name} is not among the params of stage ${stage}; declare it in pipeline.yaml`);
    },
  });
}
