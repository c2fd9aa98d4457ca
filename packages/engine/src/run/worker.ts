import fs from 'node:fs';
import path from 'node:path';
import { type Action, type Failure, type ProjectPath, type Stage, unreachable } from '@dag/model';
import { tempName, withIo } from '@dag/store';
import type { CheckpointNotice, ChildMessage, WireError } from '@dag/worker/protocol';
import type { ReproEvent } from '../event.ts';
import type { StageView } from '../observe-stage.ts';
import type { Project } from '../project.ts';
import type { ActionEnd } from './action.ts';
import { DEFAULT_KEEP } from './checkpoints.ts';
import { type StageIo, stageEnv } from './command.ts';
import type { ProcessEnd } from './process.ts';
import { tellUnsaved, type Unsaved } from './unsaved.ts';
import { workerInit } from './worker-init.ts';
import { runWorker, type WorkerEnd } from './worker-process.ts';

/** What a running worker stage is connected to. */
interface WorkerIo extends StageIo {
  /** The folder of its checkpoints; absolute. */
  readonly checkpoints: string;
  emit(event: ReproEvent): void;
  /** Told of each checkpoint that is durable. */
  onSaved(): void;
  /** Told that its event loop turns. */
  onBeat(): void;
  /** Told that it said how far it is. */
  onProgress(text: string): void;
}

type WorkerAction = Extract<Action, { kind: 'worker' }>;

/** Runs the module of a worker stage in a process of its own, and passes on what it says. */
export async function runWorkerStage(
  project: Project,
  stage: Stage,
  action: WorkerAction,
  view: StageView,
  cwd: string,
  io: WorkerIo,
): Promise<ActionEnd> {
  const folder = path.join(project.store.tmpFolder(), tempName('module'));
  withIo('make the folder', folder, () => fs.mkdirSync(folder));
  const unsaved = tellUnsaved(stage.address, (message, hint) =>
    io.emit({ event: 'warning', stage: stage.address, message, hint }),
  );
  try {
    const bundle = path.join(folder, 'module.mjs');
    const built = await project.modules.bundle(action.module, bundle);
    if (!built.ok) return { end: { status: 'exited', exitCode: 1 }, failure: built.error };
    const end = await runWorker({
      childEntry: project.modules.childEntry,
      init: workerInit({
        stage: stage.address,
        root: project.root,
        wdir: stage.wdir,
        module: action.module,
        bundle,
        metrics: io.metrics,
        tensorflow: built.value.tensorflow,
        deps: stage.deps.map((dep) => dep.path),
        outs: stage.outs.map((out) => out.path),
        params: view.observed.fingerprint.params,
        checkpoints: { folder: io.checkpoints, keep: stage.checkpoints?.keep ?? DEFAULT_KEEP },
        ...(action.backend === undefined ? {} : { backend: action.backend }),
      }),
      cwd,
      env: { ...stageEnv(project, stage), ...io.env },
      logLine: (line, stream) => {
        io.log.write(`${line}\n`);
        io.onLine(stream, line);
      },
      onMessage: (message) => passOn(stage, message, io, unsaved),
      ...(io.wrap === undefined ? {} : { wrap: io.wrap }),
      onStart: io.onStart,
      endStrays: io.endStrays,
      meter: io.meter,
      onUsage: io.onUsage,
      signal: io.stop,
      kill: io.kill,
      grace: io.grace,
      stalled: io.stalled,
      ...(stage.timeout === undefined ? {} : { timeout: stage.timeout }),
    });
    if (end.error?.stack !== undefined && end.status === 'failed') io.log.write(`${end.error.stack}\n`);
    return actionEnd(stage, action.module, end);
  } finally {
    unsaved.end();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function passOn(stage: Stage, message: ChildMessage, io: WorkerIo, unsaved: Unsaved): void {
  switch (message.type) {
    case 'progress': {
      const { done, total, text } = message;
      const fraction = message.fraction ?? (done !== undefined && total ? done / total : undefined);
      if (fraction === undefined) return;
      io.onProgress(`${Math.floor(fraction * 100)} %${text === undefined ? '' : ` ${text}`}`);
      io.emit({ event: 'progress', stage: stage.address, fraction, ...(text === undefined ? {} : { text }) });
      return;
    }
    case 'checkpoint':
      noticed(stage, message.notice, io, unsaved);
      return;
    case 'beat':
    case 'ready':
      io.onBeat();
      return;
    case 'done':
    case 'failed':
      return;
  }
}

function noticed(stage: Stage, notice: CheckpointNotice, io: WorkerIo, unsaved: Unsaved): void {
  switch (notice.what) {
    case 'saved': {
      const { step, bytes, seconds } = notice;
      io.log.write(`checkpoint step ${step}, ${bytes} bytes in ${seconds.toFixed(3)} s\n`);
      io.emit({ event: 'checkpoint', stage: stage.address, step, bytes, seconds });
      io.onSaved();
      unsaved.saved();
      io.onProgress(`a checkpoint of step ${step}`);
      break;
    }
    case 'restored':
      io.log.write(`goes on from step ${notice.step}\n`);
      break;
    case 'passed-over':
      io.emit({
        event: 'warning',
        stage: stage.address,
        message: `checkpoint '${notice.file}' of stage '${stage.address}' is passed over: ${notice.reason}`,
      });
      break;
    case 'not-saved':
      io.log.write(`checkpoint step ${notice.step} could not be saved: ${notice.reason}\n`);
      unsaved.lost(notice.step, notice.reason);
      break;
    default:
      unreachable(notice);
  }
}

function actionEnd(stage: Stage, module: ProjectPath, end: WorkerEnd): ActionEnd {
  const context = end.backend === undefined ? {} : backendContext(end.backend);
  switch (end.status) {
    case 'ok':
      return { end: { status: 'exited', exitCode: 0 }, context };
    case 'cancelled':
      return { end: { status: 'stopped' }, context };
    case 'timeout':
      return { end: { status: 'timed-out' }, context };
    case 'stalled':
      return { end: { status: 'stalled' }, context };
    case 'failed':
      return { end: processEnd(end), failure: workerFailure(stage, module, end.error), context };
  }
}

function processEnd(end: WorkerEnd): ProcessEnd {
  if (end.signal !== null) return { status: 'signalled', signal: end.signal };
  return { status: 'exited', exitCode: end.exitCode === null || end.exitCode === 0 ? 1 : end.exitCode };
}

function workerFailure(stage: Stage, module: ProjectPath, error: WireError | undefined): Failure {
  const { name = 'Error', message = 'it ended without a word', stack, hint } = error ?? {};
  const what = name === 'WorkerError' ? message : `it threw ${name}: ${message}`;
  // The stack repeats the message in its first lines; what the user lacks is where, and what that came of.
  const lines = stack?.split('\n') ?? [];
  const first = lines.findIndex((line) => /^\s+at |^Caused by: /.test(line));
  const trace = first === -1 ? '' : `\n${lines.slice(first).join('\n')}`;
  return {
    code: 'stage-failed',
    stage: stage.address,
    message: `stage '${stage.address}' (${module}): ${what}${trace}`,
    ...(hint === undefined ? {} : { hint }),
  };
}

/** What the run record says of it, with all that decides the bits of what was made. */
function backendContext(backend: NonNullable<WorkerEnd['backend']>): NonNullable<ActionEnd['context']> {
  return { backend: backend.name, backendPackage: `${backend.package}@${backend.version}`, ...backend.facts };
}
