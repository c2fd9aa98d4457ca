import { join } from 'node:path';
import { inspect } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import type { CheckpointNotice, WorkerInit } from '../../protocol.ts';
import type {
  CheckpointInterval,
  CheckpointParts,
  CheckpointState,
  Checkpoints,
  Restored,
} from '../../public/checkpoint.ts';
import { WorkerError } from '../error.ts';
import { type Content, DamagedError, readCheckpoint, writeCheckpoint } from './file.ts';
import { checkpointName, listCheckpoints, pruneCheckpoints, putAside } from './folder.ts';
import { putWeights, takeWeights } from './parts.ts';
import type { Streams } from './streams.ts';

export interface CheckpointNeeds {
  readonly streams: Streams;
  readonly signal: AbortSignal;
  notify(notice: CheckpointNotice): void;
  /** Told how far a loop is. */
  progress(done: number, total: number): void;
  tensorflow(): Promise<unknown>;
}

/** The checkpoints of a run, and what its end has to know of them. */
export interface OpenCheckpoints {
  readonly checkpoints: Checkpoints;
  /** Whether the module asks when to save, and so notices by itself that it is to end. */
  asksWhen(): boolean;
  /** Resolves when nothing is being saved. */
  idle(): Promise<void>;
}

export function openCheckpoints(init: WorkerInit, needs: CheckpointNeeds): OpenCheckpoints {
  const { streams, signal } = needs;
  let asked = false;
  /** The step and the moment of the last save, or of what was restored. */
  let last = { step: 0, at: performance.now() };
  let saving: Promise<unknown> = Promise.resolve();
  const place = () => init.checkpoints ?? noFolder(init.stage);

  /** The newest that is whole; those that are not are put aside, with a warning. */
  const newest = async (): Promise<{ name: string; content: Content } | undefined> => {
    const { folder } = place();
    for (const { name } of await listCheckpoints(folder)) {
      try {
        return { name, content: await readCheckpoint(join(folder, name)) };
      } catch (error) {
        if (!(error instanceof DamagedError)) throw error;
        needs.notify({ what: 'passed-over', file: name, reason: error.message });
        await putAside(folder, name);
      }
    }
    return undefined;
  };

  const write = async (content: Omit<Content, 'tensors' | 'numbers'>, parts: CheckpointParts | undefined) => {
    const { step } = content;
    const begun = performance.now();
    const { folder, keep } = place();
    const weights = parts === undefined ? { tensors: [], numbers: {} } : await takeWeights(parts);
    try {
      const number = ((await listCheckpoints(folder))[0]?.number ?? 0) + 1;
      const file = checkpointName(number, step);
      const bytes = await writeCheckpoint(join(folder, file), { ...content, ...weights });
      needs.notify({ what: 'saved', file, step, bytes, seconds: (performance.now() - begun) / 1000 });
      await pruneCheckpoints(folder, keep).catch(() => {});
      return true;
    } catch (error) {
      needs.notify({ what: 'not-saved', step, reason: (error as Error).message });
      return false;
    }
  };

  const checkpoints: Checkpoints = {
    get folder() {
      return place().folder;
    },
    latest: async <S extends CheckpointState>() => {
      const found = await newest();
      return found === undefined ? undefined : restored<S>(found.content);
    },
    restore: async <S extends CheckpointState>(parts?: CheckpointParts) => {
      streams.close();
      const found = await newest();
      if (found === undefined) return undefined;
      const { name, content } = found;
      if (parts === undefined && content.tensors.length > 0) {
        throw new WorkerError(
          `checkpoint '${name}' holds weights, and restore() was not told what to put them into`,
          'call restore(model) with what was given to save, or latest() to look at its state alone',
        );
      }
      if (parts !== undefined) await putWeights(parts, content, (await needs.tensorflow()) as never);
      streams.moveTo(content.random);
      last = { step: content.step, at: performance.now() };
      needs.notify({ what: 'restored', file: name, step: content.step });
      return restored<S>(content);
    },
    save: async (parts, state) => {
      streams.close();
      // All that is not a tensor is taken before anything else can change it.
      const content = { step: stepOf(state), at: Date.now(), random: streams.positions(), state: bytesOf(state) };
      const turn = saving.then(() => write(content, parts));
      saving = turn.catch(() => {});
      const saved = await turn;
      last = { step: content.step, at: performance.now() };
      if (signal.aborted) throw signal.reason;
      return saved;
    },
    every: (interval) => {
      asked = true;
      const { steps = Number.POSITIVE_INFINITY, seconds = Number.POSITIVE_INFINITY } = checked(interval);
      return (step) =>
        signal.aborted || step - last.step >= steps || performance.now() - last.at >= Math.max(0, seconds) * 1000;
    },
    loop: async (parts, steps, body, interval = { steps: 1 }) => {
      if (steps !== Number.POSITIVE_INFINITY && !(Number.isSafeInteger(steps) && steps >= 0)) {
        throw new TypeError(`a loop needs how many steps there are, an integer from 0, not ${inspect(steps)}`);
      }
      const due = checkpoints.every(interval);
      const from = (await checkpoints.restore(parts))?.step ?? 0;
      const ends = Number.isFinite(steps);
      if (from > 0 && ends) needs.progress(from, steps);
      for (let step = from; step < steps; step++) {
        await body(step);
        if (ends) needs.progress(step + 1, steps);
        if (due(step + 1)) await checkpoints.save(parts, { step: step + 1 });
      }
    },
  };
  return { checkpoints, asksWhen: () => asked, idle: async () => void (await saving) };
}

function restored<S extends CheckpointState>({ step, at, state }: Content): Restored<S> {
  return { step, at: new Date(at), state: deserialize(state) as S };
}

function stepOf(state: CheckpointState | undefined): number {
  const { step } = state ?? {};
  if (step !== undefined && Number.isSafeInteger(step) && step >= 0) return step;
  throw new TypeError(`a checkpoint needs its step, an integer from 0: save(model, { step: 1 }), not ${String(step)}`);
}

/** @throws where the state holds what can't be kept: functions, tensors. */
function bytesOf(state: CheckpointState): Uint8Array {
  const [tensor] = tensorsIn(state, 'state', new Set());
  if (tensor !== undefined) {
    throw new TypeError(`${tensor} is a tensor: save it as a part, or its values (await tensor.data())`);
  }
  return serialize(state);
}

function* tensorsIn(value: unknown, name: string, seen: Set<object>): Generator<string> {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || seen.has(value)) return;
  seen.add(value);
  if ('dataId' in value && 'dtype' in value) yield name;
  else for (const [key, member] of Object.entries(value)) yield* tensorsIn(member, `${name}.${key}`, seen);
}

function checked(interval: CheckpointInterval | undefined): CheckpointInterval {
  const { steps, seconds } = interval ?? {};
  const isGiven = [steps, seconds].some((value) => value !== undefined);
  if (isGiven && [steps, seconds].every((value) => value === undefined || value > 0)) return { ...interval };
  throw new TypeError('an interval is { steps: 100 } or { seconds: 60 }, above 0');
}

function noFolder(stage: string): never {
  throw new WorkerError(`whoever started stage '${stage}' keeps no checkpoints`);
}
