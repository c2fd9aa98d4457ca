import { type Diagnostic, ok, type ProjectPath, parentPath, type Result, resolvePath } from '@dag/model';
import { findEntry, findValue, type Node, type SeqNode, textOf } from '../yaml/node.ts';
import { contentOf, flowText, type Plain } from './content.ts';
import { applyEdits, BY_HAND, columnOf, type Document, type Edit, lineEnd, openDocument, refuse } from './document.ts';
import {
  appendEntries,
  appendFlow,
  appendTop,
  type Content,
  dashBefore,
  insertLine,
  isAlias,
  isOwn,
  removeEntry,
  removeItems,
  replaceValue,
} from './entry.ts';

const DATA = [['data']];

/** An entry of `data:`; the path is relative to the folder of the pipeline.yaml. */
export interface DataDefinition {
  readonly path: string;
  readonly desc?: string;
  readonly remote?: string;
  readonly push?: boolean;
}

/** Adds entries to `data:`, in the order given; one whose path is there already keeps its place and gets what is new. */
export function addDataText(
  text: string,
  file: ProjectPath,
  entries: readonly DataDefinition[],
): Result<string, Diagnostic[]> {
  const opened = openDocument(text, file);
  if (!opened.ok) return opened;
  const document = opened.value;
  if (entries.length === 0) return ok(text);
  const entry = document.root && findEntry(document.root, 'data');
  const all = contentOf(entries.map(itemOf));
  if (!entry) return applyEdits(document, [appendTop(document, 'data', all)], DATA);
  const list = entry.value;
  if (list.kind === 'scalar' && list.value === null) {
    return applyEdits(document, [replaceValue(document, entry, all, document.root?.flow === true)], DATA);
  }
  if (list.kind !== 'seq') return refuse(document, list, 'data must be a list');
  if (list.flow && list.items.length === 0) {
    return applyEdits(document, [replaceValue(document, entry, all, document.root?.flow === true)], DATA);
  }
  if (isAlias(document, list)) return refuse(document, list, 'data is written elsewhere in the file', BY_HAND);
  const edits: Edit[] = [];
  const added: Plain[] = [];
  for (const wanted of entries) {
    const before = list.items.find((item) => samePath(pathOf(item), wanted.path, file));
    if (!before) added.push(itemOf(wanted));
    else if (Object.keys(wanted).some((key) => key !== 'path')) edits.push(...itemEdits(document, before, wanted));
  }
  if (added.length > 0) edits.push(appendItems(document, list, added));
  return applyEdits(document, edits, DATA);
}

function itemOf(entry: DataDefinition): Plain {
  const map = mapOfDefinition(entry);
  return Object.keys(map).length === 1 ? entry.path : map;
}

function mapOfDefinition({ path, desc, remote, push }: DataDefinition): { [key: string]: Plain } {
  return {
    path,
    ...(desc === undefined ? {} : { desc }),
    ...(remote === undefined ? {} : { remote }),
    ...(push === undefined ? {} : { push }),
  };
}

/** What makes an item say what is wanted: keys that stand there get the new value, others are added. */
function itemEdits(document: Document, item: Node, wanted: DataDefinition): Edit[] {
  const { path: _, ...more } = mapOfDefinition(wanted);
  if (item.kind !== 'map') {
    return [{ start: item.start, end: item.end, text: flowText({ path: textOf(item) ?? wanted.path, ...more }) }];
  }
  const missing: [string, Content][] = [];
  const edits = Object.entries(more).flatMap(([key, value]): Edit[] => {
    const entry = findEntry(item, key);
    if (entry && isOwn(item, entry)) return [replaceValue(document, entry, contentOf(value), item.flow)];
    missing.push([key, contentOf(value)]);
    return [];
  });
  return [...edits, ...appendEntries(document, item, missing)];
}

function pathOf(item: Node): string | undefined {
  return item.kind === 'map' ? textOf(findValue(item, 'path')) : textOf(item);
}

function samePath(written: string | undefined, wanted: string, file: ProjectPath): boolean {
  if (written === undefined) return false;
  const folder = parentPath(file);
  return written === wanted || resolvePath(folder, written) === resolvePath(folder, wanted);
}

function appendItems(document: Document, list: SeqNode, items: readonly Plain[]): Edit {
  const { text } = document;
  const last = list.items.at(-1) as Node;
  if (list.flow) return appendFlow(document, list, items.map(flowText).join(', '));
  const indent = ' '.repeat(columnOf(text, dashBefore(text, last)));
  return insertLine(text, lineEnd(text, last.end), items.map((item) => `${indent}- ${flowText(item)}\n`).join(''));
}

/** Gives an entry of `data:` another path; its other keys, its place and its comments stay. */
export function renameDataText(
  text: string,
  file: ProjectPath,
  { from, to }: { readonly from: string; readonly to: string },
): Result<string, Diagnostic[]> {
  const opened = openDocument(text, file);
  if (!opened.ok) return opened;
  const document = opened.value;
  const list = findValue(document.root, 'data');
  const item = list?.kind === 'seq' ? list.items.find((one) => samePath(pathOf(one), from, file)) : undefined;
  const path = item?.kind === 'map' ? findValue(item, 'path') : item;
  if (path === undefined)
    return refuse(document, list ?? { start: 0, end: 0 }, `${from} is not in the data: of ${file}`);
  return applyEdits(document, [{ start: path.start, end: path.end, text: flowText(to) }], DATA);
}

/** Takes entries out of `data:`, by path. The last one takes the `data:` key along. */
export function removeDataText(
  text: string,
  file: ProjectPath,
  paths: readonly string[],
): Result<string, Diagnostic[]> {
  const opened = openDocument(text, file);
  if (!opened.ok) return opened;
  const document = opened.value;
  const { root } = document;
  const list = findValue(root, 'data');
  if (!root || list?.kind !== 'seq') return refuse(document, { start: 0, end: 0 }, `${file} tracks no data`);
  const gone = new Set<number>();
  for (const path of paths) {
    const index = list.items.findIndex((item) => samePath(pathOf(item), path, file));
    if (index === -1) return refuse(document, list, `${path} is not in the data: of ${file}`);
    gone.add(index);
  }
  if (gone.size === list.items.length) {
    const index = root.entries.findIndex((entry) => entry.key.value === 'data');
    return applyEdits(document, [removeEntry(document, root, index)], DATA);
  }
  if (isAlias(document, list)) return refuse(document, list, 'data is written elsewhere in the file', BY_HAND);
  return applyEdits(document, removeItems(document, list, gone), DATA);
}
