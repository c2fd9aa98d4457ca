export { looksWhole } from './child/checkpoint/whole.ts';

import { BACKENDS, type Backend, type BackendPins } from '@dag/model';

/**
 * What a worker process and the process that started it say to each other, over the child's IPC channel
 * (`serialization: 'advanced'`, so that integers keep all their digits).
 *
 * Order: the parent sends `init` once; the child answers `ready` when the module is loaded and about to run, or `failed`;
 * then any number of `progress`, `checkpoint` and `beat`; last `done` or `failed`, after which the child ends by itself.
 * The parent may send `cancel` at any time. A message of a type that the other side does not know is passed over, so
 * that types can be added; a change that an old side would misread raises PROTOCOL_VERSION.
 *
 * Back-pressure: nothing that a module sends piles up in either process. Metrics, histograms and images don't cross the
 * channel: the child appends them to files (`WorkerInit.metrics`), each with a write that is done when the module goes on,
 * so that a parent that is slow, or stopped, loses none of them, and neither does a child that crashes. Of `progress` and
 * `beat` the newest counts, and none is sent before the one before is on its way. What `ctx.log` says is standard output,
 * in order with all else that is printed; writes to it block.
 *
 * `beat` says that the child's event loop turns. One that does not come proves nothing by itself: a native training step
 * holds the loop for as long as it takes. Whether the process works or hangs then, the parent sees from outside, in the CPU
 * time that its group uses (`engine/src/run/vitals.ts`): a thread of a process that is stopped could not say it.
 */
export const PROTOCOL_VERSION = 2;

/** Exit status of a worker process that ended because it was told to, by whomever: that of SIGTERM. */
export const TOLD_TO_END = 143;

/** Milliseconds between two beats. */
export const BEAT_MS = 1000;

/** What ran: the backend, and the package that provides it. */
export interface BackendInfo {
  readonly name: Backend;
  /** The npm package, `@tensorflow/tfjs-backend-wasm`, say. */
  readonly package: string;
  /** That package's version. */
  readonly version: string;
  /** What else decides the bits of its results, as it was in effect: TensorFlow's version, threads, oneDNN and the like. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
}

/** Checkpoints bear numbers, so that the newest is known without trust in any clock: `00000003-step-120.checkpoint`. */
const CHECKPOINT_NAME = /^(\d{8,15})-step-(\d+)\.checkpoint$/;

/** The number of a checkpoint and the step that it holds, by its name; undefined for a name that is none. */
export function checkpointStep(name: string): { readonly number: number; readonly step: number } | undefined {
  const [, number, step] = CHECKPOINT_NAME.exec(name) ?? [];
  return number === undefined ? undefined : { number: Number(number), step: Number(step) };
}

/** What is no checkpoint to go on from: one that was being written, or that was found not to be whole. */
export function isNoCheckpoint(name: string): boolean {
  return /\.(tmp|damaged)$/.test(name) && checkpointStep(name.replace(/\.\w+$/, '')) !== undefined;
}

/** A value as params files hold it, and as it crosses the channel. */
export type WireValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly WireValue[]
  | { readonly [key: string]: WireValue };

/** All that a worker process needs to run one stage. Paths without `absolute` in their description are project paths. */
export interface WorkerInit {
  readonly type: 'init';
  readonly version: typeof PROTOCOL_VERSION;
  /** Address of the stage, for messages. */
  readonly stage: string;
  /** Absolute path of the project root. */
  readonly root: string;
  /** Folder that the paths in pipeline.yaml are relative to. */
  readonly wdir: string;
  /** The user's module. */
  readonly module: string;
  /** Absolute path of the bundle that `bundleModule` made of it. */
  readonly bundle: string;
  readonly deps: readonly string[];
  readonly outs: readonly string[];
  /** Declared parameters: by file, then by dotted key. */
  readonly params: { readonly [file: string]: { readonly [key: string]: WireValue } };
  /**
   * Absolute path of the file that takes metrics and histograms (`formatMetricLine` of the model), in a folder that is there.
   * Images go into the folder beside it whose name ends in `.images` instead of `.metrics.ndjson`.
   */
  readonly metrics: string;
  /** Seeds `ctx.random()` and Math.random. An integer from 0 to 2^32 - 1. */
  readonly seed: number;
  /** What the stage pins of the backend. */
  readonly backend?: BackendPins;
  /** Whether a backend is to be set up before the module is loaded: it imports TensorFlow.js, or the stage pins one. */
  readonly tensorflow: boolean;
  /** Where checkpoints of this run lie, absolute, and how many are kept. */
  readonly checkpoints?: { readonly folder: string; readonly keep: number };
}

export interface WorkerCancel {
  readonly type: 'cancel';
  readonly reason: 'interrupted' | 'timeout';
}

export type ParentMessage = WorkerInit | WorkerCancel;

/** How far the stage is. `fraction` from 0 to 1; `done` of `total` in whatever unit the stage counts. */
export interface Progress {
  readonly fraction?: number;
  readonly done?: number;
  readonly total?: number;
  readonly text?: string;
}

/** An error as it crosses the channel. The stack is in terms of the user's sources, relative to the project root. */
export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  /** What to do about it, where that is known. */
  readonly hint?: string;
}

/** What became of a checkpoint; `file` is its name in the folder of checkpoints. */
export type CheckpointNotice =
  /** It is durable. `seconds`: what that took. */
  | {
      readonly what: 'saved';
      readonly file: string;
      readonly step: number;
      readonly bytes: number;
      readonly seconds: number;
    }
  /** The stage goes on from it. */
  | { readonly what: 'restored'; readonly file: string; readonly step: number }
  /** It is damaged: the one before is taken. */
  | { readonly what: 'passed-over'; readonly file: string; readonly reason: string }
  /** It could not be written; those before it are as they were. */
  | { readonly what: 'not-saved'; readonly step: number; readonly reason: string };

export type ChildMessage =
  | { readonly type: 'ready'; readonly version: number; readonly node: string; readonly backend?: BackendInfo }
  | ({ readonly type: 'progress' } & Progress)
  | { readonly type: 'checkpoint'; readonly notice: CheckpointNotice }
  /** Its event loop turns. */
  | { readonly type: 'beat' }
  | { readonly type: 'done'; readonly backend?: BackendInfo }
  | { readonly type: 'failed'; readonly error: WireError; readonly backend?: BackendInfo };

/** Messages travel in an envelope, so that what a user's module sends by itself is not taken for one. */
export interface Envelope<T> {
  readonly dag: typeof PROTOCOL_VERSION;
  readonly message: T;
}

export function wrap<T extends ParentMessage | ChildMessage>(message: T): Envelope<T> {
  return { dag: PROTOCOL_VERSION, message };
}

/** Reads what came from a child. Undefined: not a message of ours, or not one that this version knows. */
export function readChildMessage(raw: unknown): ChildMessage | undefined {
  const message = unwrap(raw);
  switch (message?.['type']) {
    case 'ready': {
      const { version, node } = message;
      if (typeof version !== 'number' || typeof node !== 'string') return undefined;
      return { type: 'ready', version, node, ...readBackend(message) };
    }
    case 'progress':
      return { type: 'progress', ...readProgress(message) };
    case 'checkpoint': {
      const notice = readNotice(message['notice']);
      return notice === undefined ? undefined : { type: 'checkpoint', notice };
    }
    case 'beat':
      return { type: 'beat' };
    case 'done':
      return { type: 'done', ...readBackend(message) };
    case 'failed': {
      const error = readError(message['error']);
      return error === undefined ? undefined : { type: 'failed', error, ...readBackend(message) };
    }
    default:
      return undefined;
  }
}

/** Reads what came from the parent; it is this program too, so only the envelope and the type are checked. */
export function readParentMessage(raw: unknown): ParentMessage | undefined {
  const message = unwrap(raw);
  return message?.['type'] === 'init' || message?.['type'] === 'cancel'
    ? (message as unknown as ParentMessage)
    : undefined;
}

function unwrap(raw: unknown): Record<string, unknown> | undefined {
  return isRecord(raw) && raw['dag'] === PROTOCOL_VERSION && isRecord(raw['message']) ? raw['message'] : undefined;
}

function readProgress(message: Record<string, unknown>): Progress {
  const { fraction, done, total, text } = message;
  return {
    ...(typeof fraction === 'number' ? { fraction } : {}),
    ...(typeof done === 'number' ? { done } : {}),
    ...(typeof total === 'number' ? { total } : {}),
    ...(typeof text === 'string' ? { text } : {}),
  };
}

function readNotice(raw: unknown): CheckpointNotice | undefined {
  if (!isRecord(raw)) return undefined;
  const { what, file, step, bytes, seconds, reason } = raw;
  if (what === 'passed-over' && typeof file === 'string' && typeof reason === 'string') return { what, file, reason };
  if (typeof step !== 'number') return undefined;
  if (what === 'not-saved' && typeof reason === 'string') return { what, step, reason };
  if (typeof file !== 'string') return undefined;
  if (what === 'restored') return { what, file, step };
  const isSaved = what === 'saved' && typeof bytes === 'number' && typeof seconds === 'number';
  return isSaved ? { what, file, step, bytes, seconds } : undefined;
}

function readError(raw: unknown): WireError | undefined {
  if (!isRecord(raw) || typeof raw['name'] !== 'string' || typeof raw['message'] !== 'string') return undefined;
  const { name, message, stack, hint } = raw;
  return {
    name,
    message,
    ...(typeof stack === 'string' ? { stack } : {}),
    ...(typeof hint === 'string' ? { hint } : {}),
  };
}

function readBackend(message: Record<string, unknown>): { backend?: BackendInfo } {
  const raw = message['backend'];
  if (!isRecord(raw)) return {};
  const name = BACKENDS.find((known) => known === raw['name']);
  const { package: from, version } = raw;
  if (name === undefined || typeof from !== 'string' || typeof version !== 'string') return {};
  return { backend: { name, package: from, version, ...readFacts(raw['facts']) } };
}

function readFacts(raw: unknown): Pick<BackendInfo, 'facts'> {
  if (!isRecord(raw)) return {};
  const plain = Object.entries(raw).filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value));
  return { facts: Object.fromEntries(plain) as NonNullable<BackendInfo['facts']> };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
