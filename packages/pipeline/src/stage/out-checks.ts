import {
  type AnyPath,
  type Bound,
  isWithin,
  type Out,
  type OutCheck,
  type OutForm,
  relativePath,
  resolveAnyPath,
} from '@dag/model';
import { keyText } from '../data/value.ts';
import { suggestionOrAll } from '../diagnostic/nearest.ts';
import { quote } from '../diagnostic/quote.ts';
import { findValue, isUnknown, type Node } from '../yaml/node.ts';
import type { PathsPlace } from './paths.ts';

/** Reads `verify`: checks by the paths of outs, or paths inside them. What fits no out, or makes no sense, is reported. */
export function readOutChecks(node: Node | undefined, outs: readonly Out[], place: PathsPlace): OutCheck[] {
  if (node?.kind !== 'map') return [];
  return node.entries.flatMap(({ key, value }) => {
    if (isUnknown(key) || isUnknown(value)) return [];
    const written = keyText(key.value);
    const path = resolveAnyPath(place.folder, written);
    if (path === undefined || !outs.some((out) => isWithin(out.path, path))) {
      const hint = suggestionOrAll(
        written,
        outs.map((out) => relativePath(place.folder, out.path)),
      );
      problem(place, key, `${quote(written)} is no out of this stage, and lies in none`, hint);
      return [];
    }
    return [readCheck(path, value, place)];
  });
}

function readCheck(path: AnyPath, node: Node, place: PathsPlace): OutCheck {
  const form = findValue(node, 'as');
  const as = form?.kind === 'scalar' && !isUnknown(form) ? (form.value as OutForm) : undefined;
  const ignore = findValue(node, 'ignore');
  const tolerance = findValue(node, 'tolerance');
  if (tolerance !== undefined && (as === 'bytes' || as === 'text')) {
    problem(
      place,
      tolerance,
      `${quote(as)} has no numbers to tolerate anything of`,
      'say what it is: `as: json`, csv, tfjs …',
    );
  }
  return {
    path,
    ...(as === undefined ? {} : { as }),
    ...readTolerance(tolerance, place),
    ...(ignore?.kind === 'scalar' && ignore.value === true ? { ignore: true } : {}),
  };
}

function readTolerance(node: Node | undefined, place: PathsPlace): Pick<OutCheck, 'tolerance' | 'tolerances'> {
  if (node === undefined || isUnknown(node)) return {};
  if (node.kind !== 'map') {
    const tolerance = readBound(node, place);
    return tolerance === undefined ? {} : { tolerance };
  }
  const tolerances = new Map<string, Bound>();
  for (const { key, value } of node.entries) {
    const bound = isUnknown(key) || isUnknown(value) ? undefined : readBound(value, place);
    if (bound !== undefined) tolerances.set(keyText(key.value), bound);
  }
  return { tolerances };
}

/** A number from 0 up, or a percentage. */
function readBound(node: Node, place: PathsPlace): Bound | undefined {
  if (node.kind === 'scalar' && (typeof node.value === 'number' || typeof node.value === 'string')) {
    const text = String(node.value).trim();
    const percent = text.endsWith('%');
    const most = /^[+]?[\d.]/.test(text) ? Number(percent ? text.slice(0, -1) : text) : Number.NaN;
    if (Number.isFinite(most) && most >= 0) {
      return percent ? { kind: 'relative', most: most / 100 } : { kind: 'absolute', most };
    }
  }
  problem(place, node, 'this is no tolerance', 'write how far it may be off, 0.01, or which part of it, 5%');
  return undefined;
}

function problem(place: PathsPlace, at: Node, message: string, hint: string | undefined): void {
  place.report.add(place.source, at, 'bad-value', message, hint);
}
