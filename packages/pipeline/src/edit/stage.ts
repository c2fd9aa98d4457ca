import { type Diagnostic, err, ok, type ProjectPath, type Result, sameValue, type Value } from '@dag/model';
import { toValue } from '../data/value.ts';
import { quote } from '../diagnostic/quote.ts';
import { type Entry, findEntry, findValue, type MapNode, type Node } from '../yaml/node.ts';
import { yamlKey } from '../yaml/write.ts';
import { contentOf, type Plain } from './content.ts';
import { applyEdits, BY_HAND, type Document, type Edit, openDocument, refuse } from './document.ts';
import {
  appendEntries,
  appendEntry,
  appendTop,
  type Content,
  isAlias,
  isOwn,
  mergeRemovals,
  removeEntry,
  replaceValue,
} from './entry.ts';

/** An out as `stage add` writes it; paths are relative to the stage's wdir. */
export interface OutDefinition {
  readonly path: string;
  /** Written only where it is false. */
  readonly cache?: boolean;
  /** Written only where it is true. */
  readonly persist?: boolean;
}

/** A stage as `stage add` writes it. Absent fields are not written. */
export interface StageDefinition {
  readonly name: string;
  readonly cmd?: string | readonly string[];
  /** Module of a worker stage, instead of cmd. */
  readonly worker?: string;
  readonly wdir?: string;
  readonly desc?: string;
  readonly deps?: readonly string[];
  /** Keys of params.yaml, and by file the keys there; no keys is the file as a whole. */
  readonly params?: readonly (string | { readonly file: string; readonly keys: readonly string[] })[];
  readonly env?: readonly string[];
  readonly resources?: {
    readonly cpu?: number;
    readonly gpu?: number;
    readonly gpu_memory?: string;
    readonly memory?: string;
  };
  readonly outs?: readonly OutDefinition[];
  readonly metrics?: readonly OutDefinition[];
  readonly plots?: readonly OutDefinition[];
  readonly frozen?: boolean;
  readonly alwaysChanged?: boolean;
}

/**
 * Writes a stage into the text of a pipeline.yaml, all else byte for byte as it was.
 * With `replace`, a stage of that name is rewritten in place, key by key: its `desc`, `meta`, unknown keys and comments
 * stay. Fails when the text is no YAML map, the name is taken or can't be one, or the stage comes from a template.
 */
export function addStageText(
  text: string,
  file: ProjectPath,
  stage: StageDefinition,
  options: { readonly replace?: boolean } = {},
): Result<string, Diagnostic[]> {
  const opened = openDocument(text, file);
  if (!opened.ok) return opened;
  const document = opened.value;
  if (!isStageName(stage.name)) {
    const hint = 'letters, digits, - and _ only';
    return refuse(document, { start: 0, end: 0 }, `${quote(stage.name)} can't be the name of a stage`, hint);
  }
  const definition = definitionOf(stage);
  const stages = document.root && findEntry(document.root, 'stages');
  const key = yamlKey(stage.name);
  const places = [['stages', stage.name]];
  if (!stages)
    return applyEdits(document, [appendTop(document, 'stages', contentOf({ [stage.name]: definition }))], places);
  if (stages.value.kind !== 'map') {
    const empty = stages.value.kind === 'scalar' && stages.value.value === null;
    if (!empty) return refuse(document, stages.value, 'stages must be a map');
    return applyEdits(
      document,
      [replaceValue(document, stages, contentOf({ [stage.name]: definition }), false)],
      places,
    );
  }
  const before = findEntry(stages.value, stage.name);
  if (!before) {
    if (stages.value.flow && stages.value.entries.length === 0) {
      const flow = document.root?.flow === true;
      return applyEdits(
        document,
        [replaceValue(document, stages, contentOf({ [stage.name]: definition }), flow)],
        places,
      );
    }
    return applyEdits(document, [appendEntry(document, stages.value, key, contentOf(definition))], places);
  }
  if (!options.replace) {
    return refuse(document, before.key, `there is a stage ${quote(stage.name)} already`, 'use -f to write it anew');
  }
  if (before.value.kind !== 'map' || isAlias(document, before.value))
    return applyEdits(document, [replaceValue(document, before, contentOf(definition), stages.value.flow)], places);
  if (isTemplate(before.value))
    return refuse(document, before.key, `${quote(stage.name)} comes from a template`, BY_HAND);
  const merged = before.value.entries.find((entry) => isStale(before.value as MapNode, entry, definition));
  if (merged) {
    const message = `${quote(stage.name)} has ${quote(String(merged.key.value))} from a map that is merged into it`;
    return refuse(document, before.key, message, BY_HAND);
  }
  return applyEdits(document, rewrite(document, before.value, definition), places);
}

/** A name that commands may give: what DVC allows. */
export function isStageName(name: string): boolean {
  return name !== '' && !/[!-,./:-@[-^`{-~]/.test(name);
}

type Definition = { readonly [key: string]: Plain };

function definitionOf(stage: StageDefinition): Definition {
  const outs = (list: readonly OutDefinition[] | undefined): Plain | undefined =>
    list?.map(({ path, cache, persist }) => {
      const flags = { ...(cache === false ? { cache } : {}), ...(persist === true ? { persist } : {}) };
      return Object.keys(flags).length === 0 ? path : { [path]: flags };
    });
  const params = stage.params?.map((param): Plain => {
    return typeof param === 'string' ? param : { [param.file]: param.keys.length === 0 ? null : param.keys };
  });
  const resources =
    stage.resources && Object.fromEntries(Object.entries(stage.resources).filter(([, amount]) => amount !== undefined));
  const all: [string, Plain | undefined][] = [
    ['desc', stage.desc],
    ['cmd', stage.cmd],
    ['worker', stage.worker],
    ['wdir', stage.wdir],
    ['deps', stage.deps],
    ['params', params],
    ['env', stage.env],
    ['resources', resources],
    ['outs', outs(stage.outs)],
    ['metrics', outs(stage.metrics)],
    ['plots', outs(stage.plots)],
    ['frozen', stage.frozen === true ? true : undefined],
    ['always_changed', stage.alwaysChanged === true ? true : undefined],
  ];
  return Object.fromEntries(all.filter((entry): entry is [string, Plain] => isWritten(entry[1])));
}

function isWritten(value: Plain | undefined): boolean {
  if (value === undefined) return false;
  return value === null || typeof value !== 'object' || Object.keys(value).length > 0;
}

/** Keys that a stage written by command has anew; others stay as they are. */
const REWRITTEN: ReadonlySet<unknown> = new Set([
  'cmd',
  'worker',
  'backend',
  'wdir',
  'deps',
  'params',
  'env',
  'resources',
  'outs',
  'metrics',
  'plots',
  'frozen',
  'always_changed',
]);

/** Whether an entry is merged from another map, and can't be taken out or hidden by the new definition. */
function isStale(map: MapNode, entry: Entry, definition: Definition): boolean {
  return !isOwn(map, entry) && REWRITTEN.has(entry.key.value) && definition[String(entry.key.value)] === undefined;
}

function rewrite(document: Document, map: MapNode, definition: Definition): Edit[] {
  const replaced: Edit[] = [];
  const removed: Edit[] = [];
  const gone = new Set<Node>();
  map.entries.forEach((entry, index) => {
    const key = String(entry.key.value);
    const wanted = definition[key];
    if (!isOwn(map, entry)) return;
    if (wanted === undefined && REWRITTEN.has(key)) {
      removed.push(removeEntry(document, map, index));
      gone.add(entry.value);
    } else if (wanted !== undefined && !sameValue(toValue(entry.value), wanted as Value)) {
      replaced.push(replaceValue(document, entry, contentOf(wanted), map.flow));
    }
  });
  const missing = Object.entries(definition).filter(([key, wanted]) => {
    const entry = findEntry(map, key);
    return entry === undefined || (!isOwn(map, entry) && !sameValue(toValue(entry.value), wanted as Value));
  });
  const added = missing.map(([key, value]): [string, Content] => [yamlKey(key), contentOf(value)]);
  return [...mergeRemovals(document, removed), ...replaced, ...appendEntries(document, map, added, gone)];
}

function isTemplate(stage: MapNode): boolean {
  return ['foreach', 'do', 'matrix', 'vars'].some((key) => findEntry(stage, key) !== undefined) || holdsTemplate(stage);
}

function holdsTemplate(node: Node): boolean {
  if (node.kind === 'scalar') return typeof node.value === 'string' && node.value.includes('${');
  if (node.kind === 'seq') return node.items.some(holdsTemplate);
  return node.entries.some((entry) => holdsTemplate(entry.key) || holdsTemplate(entry.value));
}

interface FoundStage {
  readonly document: Document;
  readonly stages: MapNode;
  readonly index: number;
  readonly value: Node;
}

/** The stage by a name, in the text of its pipeline.yaml; fails for one that a template makes. */
export function findStage(text: string, file: ProjectPath, name: string): Result<FoundStage, Diagnostic[]> {
  const opened = openDocument(text, file);
  if (!opened.ok) return opened;
  const document = opened.value;
  const stages = findValue(document.root, 'stages');
  const find = (wanted: string) =>
    stages?.kind === 'map' ? stages.entries.findIndex((entry) => entry.key.value === wanted) : -1;
  const index = find(name);
  const value = stages?.kind === 'map' ? stages.entries[index]?.value : undefined;
  if (stages?.kind === 'map' && value) return ok({ document, stages, index, value });
  const group = name.split('@', 1)[0] ?? name;
  const at = (stages?.kind === 'map' ? stages.entries[find(group)]?.key : undefined) ?? { start: 0, end: 0 };
  if (name.includes('@') && at.end > 0) {
    return err(
      fail(
        document,
        at,
        `${quote(name)} is made by the template ${quote(group)}`,
        `edit ${quote(group)} in the file itself`,
      ),
    );
  }
  return err(fail(document, at, `there is no stage ${quote(name)} in ${file}`));
}

function fail(document: Document, at: { start: number; end: number }, message: string, hint?: string): Diagnostic[] {
  const refused = refuse(document, at, message, hint);
  return refused.ok ? [] : refused.error;
}

/** Takes a stage or a whole group out, with the comments that are its own. The last one takes the `stages:` key along. */
export function removeStageText(text: string, file: ProjectPath, name: string): Result<string, Diagnostic[]> {
  const found = findStage(text, file, name);
  if (!found.ok) return found;
  const { document, stages, index } = found.value;
  const places = [['stages', name]];
  if (stages.entries.length > 1) {
    const entry = stages.entries[index];
    if (entry && !isOwn(stages, entry))
      return refuse(document, stages, `the stage ${quote(name)} is written elsewhere in the file`, BY_HAND);
    return applyEdits(document, [removeEntry(document, stages, index)], places, ['stages', name]);
  }
  const root = document.root as MapNode;
  const all = root.entries.findIndex((entry) => entry.key.value === 'stages');
  return applyEdits(document, [removeEntry(document, root, all)], places);
}

/** Writes `frozen: true` into a stage, or takes it out. A group is frozen as a whole. */
export function setFrozenText(
  text: string,
  file: ProjectPath,
  name: string,
  frozen: boolean,
): Result<string, Diagnostic[]> {
  const found = findStage(text, file, name);
  if (!found.ok) return found;
  const { document, value } = found.value;
  const places = [['stages', name]];
  const stage = findValue(value, 'do') ?? value;
  if (stage.kind !== 'map') return refuse(document, stage, `the stage ${quote(name)} must be a map`);
  if (isAlias(document, stage)) {
    return refuse(document, stage, `the stage ${quote(name)} is written elsewhere in the file`, BY_HAND);
  }
  const index = stage.entries.findIndex((entry) => entry.key.value === 'frozen');
  const entry = stage.entries[index];
  const now = entry === undefined ? false : entry.value.kind === 'scalar' ? entry.value.value : undefined;
  if (now === frozen) return ok(text);
  if (!entry || !isOwn(stage, entry))
    return applyEdits(document, [appendEntry(document, stage, 'frozen', contentOf(frozen))], places);
  if (frozen) return applyEdits(document, [replaceValue(document, entry, contentOf(true), stage.flow)], places);
  const flag = findValue(value, 'do') === undefined ? ['frozen'] : ['do', 'frozen'];
  return applyEdits(document, [removeEntry(document, stage, index)], places, ['stages', name, ...flag]);
}
