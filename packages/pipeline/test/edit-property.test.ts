import type { Diagnostic, Result } from '@dag/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runs } from '../../../test/fuzz.ts';
import { toValue } from '../src/data/value.ts';
import {
  addDataText,
  addStageText,
  removeDataText,
  removeRemoteText,
  removeStageText,
  renameDataText,
  setDefaultRemoteText,
  setFrozenText,
  setRemoteText,
} from '../src/index.ts';
import { parseYaml } from '../src/yaml/parse.ts';
import { path } from './rig/memory.ts';
import { oddText } from './rig/odd-texts.ts';

const FILE = path('pipeline.yaml');

// biome-ignore lint/suspicious/noExplicitAny: a document of any shape
type Doc = any;

/** What a text means. */
function meaning(text: string): Doc {
  const { root, problems } = parseYaml(text);
  if (problems.length > 0) throw new Error(`${problems[0]?.message}\n${text}`);
  const value = root === undefined ? null : toValue(root);
  return JSON.parse(JSON.stringify(value ?? {}));
}

interface Change {
  edit(text: string): Result<string, Diagnostic[]>;
  /** Changes the meaning as the edit should; false where it must be refused, undefined where nothing is to be done. */
  apply(doc: Doc): boolean | undefined;
  /** It takes nothing out, so that every comment stays. */
  readonly adds?: true;
}

const paths = (doc: Doc): string[] => (doc.data ?? []).map((item: Doc) => item.path ?? item);

const NEW = { cmd: 'python "x" # y', deps: ['in 1', '#2'], outs: [{ m: { cache: false } }] };
const ADDED = { cmd: NEW.cmd, deps: NEW.deps, outs: [{ path: 'm', cache: false }] };
const REWRITTEN = ['cmd', 'wdir', 'deps', 'outs', 'frozen', 'always_changed'];

const addStage = (name: string): Change => ({
  adds: true,
  edit: (text) => addStageText(text, FILE, { name, ...ADDED }),
  apply(doc) {
    if (doc.stages?.[name]) return false;
    doc.stages = { ...doc.stages, [name]: NEW };
    return true;
  },
});

const replaceStage = (name: string): Change => ({
  edit: (text) => addStageText(text, FILE, { name, ...ADDED }, { replace: true }),
  apply(doc) {
    const kept = Object.entries(doc.stages?.[name] ?? {}).filter(([key]) => !REWRITTEN.includes(key));
    doc.stages = { ...doc.stages, [name]: { ...Object.fromEntries(kept), ...NEW } };
    return true;
  },
});

const freeze = (name: string, frozen: boolean): Change => ({
  ...(frozen ? { adds: true } : {}),
  edit: (text) => setFrozenText(text, FILE, name, frozen),
  apply(doc) {
    const stage = doc.stages?.[name];
    if (!stage) return false;
    if ((stage.frozen ?? false) === frozen) return undefined;
    if (frozen) stage.frozen = true;
    else delete stage.frozen;
    return true;
  },
});

const removeStage = (name: string): Change => ({
  edit: (text) => removeStageText(text, FILE, name),
  apply(doc) {
    if (!doc.stages?.[name]) return false;
    delete doc.stages[name];
    if (Object.keys(doc.stages).length === 0) delete doc.stages;
    return true;
  },
});

const addData = (...added: string[]): Change => ({
  adds: true,
  edit: (text) =>
    addDataText(
      text,
      FILE,
      added.map((one) => ({ path: one })),
    ),
  apply(doc) {
    const wanted = added.filter((one) => !paths(doc).includes(one));
    if (wanted.length === 0) return undefined;
    doc.data = [...(doc.data ?? []), ...wanted];
    return true;
  },
});

const describeData = (one: string): Change => ({
  adds: true,
  edit: (text) => addDataText(text, FILE, [{ path: one, desc: 'new: desc' }]),
  apply(doc) {
    doc.data = doc.data ?? [];
    const at = paths(doc).indexOf(one);
    const before = doc.data[at];
    const item = { ...(before?.path ? before : { path: one }), desc: 'new: desc' };
    if (at === -1) doc.data.push(item);
    else doc.data[at] = item;
    return true;
  },
});

const removeData = (...gone: string[]): Change => ({
  edit: (text) => removeDataText(text, FILE, gone),
  apply(doc) {
    if (gone.some((one) => !paths(doc).includes(one))) return false;
    doc.data = doc.data.filter((_: Doc, i: number) => !gone.includes(paths(doc)[i] as string));
    if (doc.data.length === 0) delete doc.data;
    return true;
  },
});

const renameData = (from: string, to: string): Change => ({
  adds: true,
  edit: (text) => renameDataText(text, FILE, { from, to }),
  apply(doc) {
    const at = paths(doc).indexOf(from);
    if (at === -1) return false;
    if (doc.data[at].path) doc.data[at].path = to;
    else doc.data[at] = to;
    return true;
  },
});

const setRemote = (name: string, url: string, region?: string): Change => ({
  edit: (text) => setRemoteText(text, FILE, { name, url, ...(region === undefined ? {} : { region }) }),
  apply(doc) {
    doc.remotes = { ...doc.remotes, [name]: region === undefined ? url : { url, region } };
    return true;
  },
});

const removeRemote = (name: string): Change => ({
  edit: (text) => removeRemoteText(text, FILE, name),
  apply(doc) {
    if (!doc.remotes?.[name]) return false;
    delete doc.remotes[name];
    if (Object.keys(doc.remotes).length === 0) delete doc.remotes;
    if (doc.remote === name) delete doc.remote;
    return true;
  },
});

const setDefault = (name: string | undefined): Change => ({
  edit: (text) => setDefaultRemoteText(text, FILE, name === undefined ? [] : [name]),
  apply(doc) {
    if (name === undefined && doc.remote === undefined) return undefined;
    if (name === undefined) delete doc.remote;
    else doc.remote = name;
    return true;
  },
});

const CHANGES: { readonly [name: string]: Change } = {
  'stage add new': addStage('new'),
  'stage add a': addStage('a'),
  'stage add -f a': replaceStage('a'),
  'stage add -f b': replaceStage('b'),
  'stage add -f c': replaceStage('c'),
  'freeze a': freeze('a', true),
  'freeze b': freeze('b', true),
  'unfreeze a': freeze('a', false),
  'unfreeze c': freeze('c', false),
  'remove a': removeStage('a'),
  'remove b': removeStage('b'),
  'remove c': removeStage('c'),
  'add one': addData('one'),
  'add raw and two': addData('raw', 'two words'),
  'add --desc raw': describeData('raw'),
  'add --desc more': describeData('more'),
  'remove raw': removeData('raw'),
  'remove raw and more': removeData('raw', 'more'),
  'remove last': removeData('last'),
  'move raw': renameData('raw', 'other: raw'),
  'move more': renameData('more', 'm2'),
  'remote add one': setRemote('one', 'az://x'),
  'remote add two': setRemote('two', 's3://q', 'us'),
  'remote add three': setRemote('three', '../a b'),
  'remote remove one': removeRemote('one'),
  'remote remove two': removeRemote('two'),
  'remote default two': setDefault('two'),
  'remote default --unset': setDefault(undefined),
};

/** Why an edit of a text with anchors may be refused. */
const ELSEWHERE =
  /is written elsewhere in the file|would mean something else|no anchor|from a map that is merged|is merged in has/;

/** Fails where an edit of a text does anything but what it should. */
function check(change: Change, text: string): void {
  const wanted = meaning(text);
  const applied = change.apply(wanted);
  const edited = change.edit(text);
  if (applied === false) {
    expect(edited.ok).toBe(false);
    return;
  }
  if (!edited.ok && text.includes('*') && ELSEWHERE.test(edited.error[0]?.message ?? '')) return;
  if (!edited.ok) throw new Error(`refused: ${edited.error[0]?.message}`);
  const after = edited.value;
  if (applied === undefined) {
    expect(after).toBe(text);
    return;
  }
  expect(meaning(after), `the meaning of\n${after}`).toEqual(wanted);
  expect(lineEnds(after), 'line ends').toEqual(lineEnds(text));
  expect(after.startsWith('\ufeff')).toBe(text.startsWith('\ufeff'));
  if (change.adds) expect(notes(after), `the comments of\n${after}`).toEqual(notes(text));
}

describe('an edit of any text', () => {
  it.each(Object.entries(CHANGES))('%s changes its meaning by just that', (_, change) => {
    fc.assert(
      fc.property(oddText, (text) => check(change, text)),
      { numRuns: runs(25) },
    );
  });
});

/** The comments that the generator wrote, in order. */
function notes(text: string): readonly string[] {
  return text.match(/# (?:note|tail|left) \d+/g) ?? [];
}

/** Whether a text has line ends of either kind; one line has both or none. */
function lineEnds(text: string): boolean[] {
  return [text.includes('\r\n'), /(?<!\r)\n/.test(text)];
}
