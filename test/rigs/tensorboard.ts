import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const SCRIPT = join(import.meta.dirname, 'tensorboard.sh');

function findPython(): string | undefined {
  try {
    return execFileSync('bash', [SCRIPT, 'python'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}

/** Why tests with the real TensorBoard can't run; undefined where they can. */
export function missingTensorboard(): string | undefined {
  return findPython() === undefined ? 'TensorBoard is not installed (test/rigs/tensorboard.sh install)' : undefined;
}

/** What TensorBoard's own reader finds in the event files of a folder. */
export interface Events {
  /** By tag: step and value, which is a text where it is not finite. */
  readonly scalars: Readonly<Record<string, readonly (readonly [number, number | string])[]>>;
  /** By tag: step, width, height, and the file in base64. */
  readonly images: Readonly<Record<string, readonly (readonly [number, number, number, string])[]>>;
  /** By tag: step, number of values, their sum, limits and counts. */
  readonly histograms: Readonly<
    Record<string, readonly (readonly [number, number, number, readonly number[], readonly number[]])[]>
  >;
}

const READ = `
import base64, json, math, sys
from tensorboard.backend.event_processing import event_accumulator as ea
kinds = {ea.SCALARS: 0, ea.IMAGES: 0, ea.HISTOGRAMS: 0, ea.COMPRESSED_HISTOGRAMS: 1, ea.TENSORS: 1}
all = ea.EventAccumulator(sys.argv[1], size_guidance=kinds)
all.Reload()
tags = all.Tags()
number = lambda value: value if math.isfinite(value) else str(value)
json.dump({
  'scalars': {t: [[e.step, number(e.value)] for e in all.Scalars(t)] for t in tags['scalars']},
  'images': {t: [[e.step, e.width, e.height, base64.b64encode(e.encoded_image_string).decode()] for e in all.Images(t)] for t in tags['images']},
  'histograms': {t: [[e.step, e.histogram_value.num, e.histogram_value.sum, list(e.histogram_value.bucket_limit), list(e.histogram_value.bucket)] for e in all.Histograms(t)] for t in tags['histograms']},
}, sys.stdout)
`;

export function readEvents(folder: string): Events {
  const python = findPython();
  if (python === undefined) throw new Error(missingTensorboard());
  const stdio = ['ignore', 'pipe', 'ignore'] as const;
  return JSON.parse(execFileSync(python, ['-c', READ, folder], { encoding: 'utf8', stdio: [...stdio] })) as Events;
}
