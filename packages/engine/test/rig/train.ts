import {
  type AnyPath,
  type Artifact,
  blake3Digest,
  type Out,
  type ProjectPath,
  type RunKey,
  type RunRecord,
  type Stage,
  type StageAddress,
} from '@dag/model';

export const path = (text: string): ProjectPath => text as ProjectPath;

/** A file whose content a number stands for. */
export const file = (content: number): Artifact => ({
  kind: 'file',
  digest: blake3Digest(content.toString(16).padStart(64, '0')),
  size: 1,
  executable: false,
});

export const out = (name: string, extra: Partial<Out> = {}): Out =>
  ({ path: path(name), kind: 'out', cache: true, persist: false, push: true, ...extra }) as Out;

/** A stage that reads `data` and the param `lr`, and writes `model`. */
export const TRAIN: Stage = {
  address: 'train' as StageAddress,
  name: 'train',
  file: path('pipeline.yaml'),
  wdir: path(''),
  action: { kind: 'command', cmd: 'train --fast' },
  deps: [{ path: path('data') }],
  outs: [out('model')],
  params: [{ file: path('params.yaml'), keys: ['lr'] }],
  env: [],
  strictEnv: false,
  resources: {},
  mutex: [],
  retries: 0,
  frozen: false,
  alwaysChanged: false,
  line: 2,
};

/** What it depends on, when `data` is the first content. */
export const INPUTS = {
  cmd: 'train --fast',
  deps: new Map<AnyPath, Artifact>([[path('data'), file(1)]]),
  params: new Map([[path('params.yaml'), new Map([['lr', 0.1]])]]),
  env: new Map(),
};

/** A record of a run of it that made these outs. */
export function recordOf(outs: RunRecord['outs']): RunRecord {
  return {
    schema: 1,
    key: '0'.repeat(64) as RunKey,
    stage: TRAIN.address,
    fingerprint: '',
    outs,
    startedAt: '2026-01-01T00:00:00.000Z',
    seconds: 60,
    context: {},
  };
}
