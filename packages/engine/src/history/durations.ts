import fs from 'node:fs';
import path from 'node:path';
import { tempName } from '@dag/store';

/** What a stage took when it last succeeded. */
export interface Past {
  readonly seconds: number;
  /** Bytes; undefined where it was not measured. */
  readonly peakRss?: number;
}

/** What stages took: read once, asked often. */
export interface Durations {
  /**
   * Of the last successful run of a stage; of one that never ran but belongs to a group (`build@…`), the mean of its group.
   * Undefined where nothing is known.
   */
  of(stage: string): Past | undefined;
}

/** Lines beyond two a stage before the file is written anew. */
const SLACK = 1000;

/**
 * Reads `.cache/logs/durations.ndjson`: a line `[stage, seconds, peakRss]` for each successful run, the last one of a stage
 * counts. One small file, however many stages there are. It may be deleted at any time.
 */
export function readDurations(root: string): Durations {
  const file = fileOf(root);
  const lines = readText(file).split('\n');
  const known = new Map<string, Past>();
  for (const line of lines) {
    const entry = parse(line);
    if (entry !== undefined) known.set(entry.stage, entry.past);
  }
  if (lines.length > 2 * known.size + SLACK) rewrite(file, known);
  let groups: Map<string, Past> | undefined;
  return {
    of: (stage) => {
      const own = known.get(stage);
      if (own !== undefined || !stage.includes('@')) return own;
      groups ??= meansOf(known);
      return groups.get(groupName(stage));
    },
  };
}

/** Adds what a run took. Where the disk refuses it is not known, and nobody is disturbed. */
export function noteDuration(root: string, stage: string, past: Past): void {
  const file = fileOf(root);
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.appendFileSync(file, lineOf(stage, past));
  } catch {
    // Nothing depends on it.
  }
}

function lineOf(stage: string, { seconds, peakRss }: Past): string {
  return `${JSON.stringify([stage, seconds, ...(peakRss === undefined ? [] : [peakRss])])}\n`;
}

function parse(line: string): { readonly stage: string; readonly past: Past } | undefined {
  if (!line.startsWith('[')) return undefined;
  try {
    const [stage, seconds, peakRss] = JSON.parse(line) as unknown[];
    if (typeof stage !== 'string' || typeof seconds !== 'number' || !(seconds >= 0)) return undefined;
    return { stage, past: { seconds, ...(typeof peakRss === 'number' ? { peakRss } : {}) } };
  } catch {
    return undefined;
  }
}

function meansOf(known: ReadonlyMap<string, Past>): Map<string, Past> {
  const members = new Map<string, Past[]>();
  for (const [stage, past] of known) {
    if (!stage.includes('@')) continue;
    const name = groupName(stage);
    const list = members.get(name);
    if (list === undefined) members.set(name, [past]);
    else list.push(past);
  }
  return new Map([...members].map(([name, list]) => [name, meanOf(list)]));
}

/** The mean of the times; of the peaks the highest, as it says how much room is needed. */
function meanOf(list: readonly Past[]): Past {
  const peaks = list.flatMap(({ peakRss }) => peakRss ?? []);
  const seconds = list.reduce((sum, past) => sum + past.seconds, 0) / list.length;
  return { seconds, ...(peaks.length === 0 ? {} : { peakRss: peaks.reduce((a, b) => Math.max(a, b)) }) };
}

function groupName(stage: string): string {
  return stage.slice(0, stage.lastIndexOf('@'));
}

/** Another process may add a line meanwhile, which is then lost: an older one of that stage stands in for it. */
function rewrite(file: string, known: ReadonlyMap<string, Past>): void {
  const temp = path.join(path.dirname(file), tempName('durations'));
  const lines = Array.from(known, ([stage, past]) => lineOf(stage, past));
  try {
    fs.writeFileSync(temp, lines.join(''));
    fs.renameSync(temp, file);
  } catch {
    fs.rmSync(temp, { force: true });
  }
}

function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function fileOf(root: string): string {
  return path.join(root, '.cache', 'logs', 'durations.ndjson');
}
