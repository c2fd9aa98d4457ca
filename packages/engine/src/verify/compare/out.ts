import fs from 'node:fs';
import path from 'node:path';
import { type AnyPath, byCodeUnit, isWithin, joinPath, type OutCheck, type OutForm } from '@dag/model';
import { compareBytes, holdsText } from './bytes.ts';
import type { Comparison, Difference } from './difference.ts';
import { compareNpy } from './npy.ts';
import { compareTables, compareText } from './text.ts';
import { compareModels } from './tfjs.ts';
import { compareValues } from './values.ts';

/** How one path of an out compares with what it was. */
export interface PathComparison {
  readonly path: AnyPath;
  readonly comparison: Comparison;
  /** The form in which it was compared. */
  readonly as: OutForm;
  /** Why it could not be compared in the form that is declared. */
  readonly problem?: string;
  /** It would be the same, but for the way it is written, if it were declared as this. */
  readonly sameAs?: OutForm;
}

export interface CompareOptions {
  readonly checks: readonly OutCheck[];
  /** Reads an image's pixels; undefined for none that is known. */
  readonly images?: ImageCompare | undefined;
}

/** Compares the pixels of two files, absolute; or says why it can't. */
export type ImageCompare = (
  before: string,
  after: string,
  check: OutCheck | undefined,
) => Comparison | { readonly problem: string };

/** Files above this are compared by their bytes only: what is read as values is read whole. */
const MOST = 1 << 29;

/**
 * Compares what stands at a path with what was there, both absolute, files of folders one by one.
 * @returns what is not identical, sorted by path; what is to be ignored is left out.
 */
export function compareOut(out: AnyPath, before: string, after: string, options: CompareOptions): PathComparison[] {
  const check = checkFor(out, options.checks);
  if (check?.ignore === true) return [];
  const [old, now] = [statOf(before), statOf(after)];
  if (old === undefined || now === undefined) {
    if (old === now) return [];
    return [different(out, { kind: 'file', how: old === undefined ? 'added' : 'removed' })];
  }
  if (kindOf(old) !== kindOf(now)) return [different(out, part('kind', kindOf(old), kindOf(now)))];
  if (old.isSymbolicLink()) {
    const [from, to] = [fs.readlinkSync(before), fs.readlinkSync(after)];
    return from === to ? [] : [different(out, part('target', from, to))];
  }
  if (old.isDirectory()) return compareFolders(out, before, after, check, options);
  if ((old.mode & 0o100) !== (now.mode & 0o100)) {
    const word = (stat: fs.Stats) => (stat.mode & 0o100 ? 'set' : 'not set');
    return [different(out, part('executable bit', word(old), word(now)))];
  }
  const comparison = compareFile(out, before, after, check, options.images);
  return comparison.comparison.verdict === 'identical' ? [] : [comparison];
}

function compareFolders(
  out: AnyPath,
  before: string,
  after: string,
  check: OutCheck | undefined,
  options: CompareOptions,
): PathComparison[] {
  if (check?.as === 'tfjs') {
    const comparison = compareModels(before, after, check);
    if (comparison !== undefined) {
      return comparison.verdict === 'identical' || isSameFolder(out, before, after)
        ? []
        : [{ path: out, comparison, as: 'tfjs' }];
    }
  }
  const names = [...new Set([...fs.readdirSync(before), ...fs.readdirSync(after)])].sort(byCodeUnit);
  const found = names.flatMap((name) =>
    compareOut(joinPath(out, name), path.join(before, name), path.join(after, name), options),
  );
  const isBytes = found.every(({ as }) => as === 'bytes');
  const same = found.length > 0 && isBytes && check === undefined ? compareModels(before, after, undefined) : undefined;
  if (same?.verdict === 'canonical') return found.map((one) => ({ ...one, sameAs: 'tfjs' }));
  // What a model differs in is a tensor, whatever was declared.
  const isNumeric = same?.verdict === 'different' && found.every(({ path: at }) => !at.endsWith('model.json'));
  return isNumeric ? [{ path: out, comparison: same, as: 'bytes' }] : found;
}

function isSameFolder(out: AnyPath, before: string, after: string): boolean {
  const names = new Set([...fs.readdirSync(before), ...fs.readdirSync(after)]);
  return [...names].every(
    (name) =>
      compareOut(joinPath(out, name), path.join(before, name), path.join(after, name), { checks: [] }).length === 0,
  );
}

function compareFile(
  out: AnyPath,
  before: string,
  after: string,
  check: OutCheck | undefined,
  images: ImageCompare | undefined,
): PathComparison {
  const bytes: PathComparison = { path: out, comparison: compareBytes(before, after), as: 'bytes' };
  if (bytes.comparison.verdict === 'identical') return bytes;
  const isDeclared = check?.as !== undefined || check?.tolerance !== undefined || check?.tolerances !== undefined;
  const form = check?.as ?? formOf(out);
  const isLarge = Math.max(fs.statSync(before).size, fs.statSync(after).size) > MOST;
  const found = form === 'bytes' || isLarge ? undefined : compareAs(form, out, { before, after, check, images });
  if (found === undefined) return bytes;
  if ('problem' in found) return isDeclared ? { ...bytes, ...found } : bytes;
  if (isDeclared) return { path: out, comparison: found, as: form };
  return found.verdict === 'different' ? { ...bytes, comparison: found } : { ...bytes, sameAs: form };
}

interface Two {
  readonly before: string;
  readonly after: string;
  readonly check: OutCheck | undefined;
  readonly images: ImageCompare | undefined;
}

/** Undefined where one of the files is none of this form. */
function compareAs(
  form: OutForm,
  name: string,
  { before, after, check, images }: Two,
): Comparison | { readonly problem: string } | undefined {
  const read = (): [Uint8Array, Uint8Array] => [fs.readFileSync(before), fs.readFileSync(after)];
  switch (form) {
    case 'json':
    case 'yaml':
    case 'toml':
      return compareValues(...read(), `x.${form}`, check);
    case 'csv':
      return compareTables(...read(), /\.(tsv|tab)$/i.test(name) ? '\t' : ',', check);
    case 'text':
      return compareText(...read());
    case 'npy':
      return compareNpy(...read(), check);
    case 'image':
      return images?.(before, after, check);
    case 'tfjs':
    case 'bytes':
      return undefined;
  }
}

const FORMS: Readonly<Record<string, OutForm>> = {
  '.json': 'json',
  '.yaml': 'yaml',
  '.yml': 'yaml',
  '.toml': 'toml',
  '.csv': 'csv',
  '.tsv': 'csv',
  '.npy': 'npy',
  '.png': 'image',
  '.jpg': 'image',
  '.jpeg': 'image',
  '.txt': 'text',
  '.md': 'text',
  '.log': 'text',
};

/** What a name says that a file is. */
function formOf(name: string): OutForm {
  return FORMS[/\.[^./]*$/.exec(name)?.[0].toLowerCase() ?? ''] ?? 'bytes';
}

/** The check of a path, or of the nearest folder around it that has one. */
function checkFor(path: AnyPath, checks: readonly OutCheck[]): OutCheck | undefined {
  let best: OutCheck | undefined;
  for (const check of checks) {
    if (isWithin(check.path, path) && check.path.length >= (best?.path.length ?? 0)) best = check;
  }
  return best;
}

/** Whether one of the files at a path, absolute, holds a text. */
export function anyHolds(at: string, text: string): boolean {
  const stat = statOf(at);
  if (stat === undefined || stat.isSymbolicLink()) return false;
  if (!stat.isDirectory()) return holdsText(at, text);
  return fs.readdirSync(at).some((name) => anyHolds(path.join(at, name), text));
}

function statOf(file: string): fs.Stats | undefined {
  return fs.lstatSync(file, { throwIfNoEntry: false });
}

function kindOf(stat: fs.Stats): string {
  return stat.isDirectory() ? 'folder' : stat.isSymbolicLink() ? 'symlink' : 'file';
}

function part(name: string, before: string, after: string): Difference {
  return { kind: 'part', part: name, before, after };
}

function different(path: AnyPath, difference: Difference): PathComparison {
  return { path, comparison: { verdict: 'different', difference }, as: 'bytes' };
}
