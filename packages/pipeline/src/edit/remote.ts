import { type Diagnostic, ok, type ProjectPath, type Result } from '@dag/model';
import { quote } from '../diagnostic/quote.ts';
import { findEntry, findValue, type MapNode, textOf } from '../yaml/node.ts';
import { yamlKey } from '../yaml/write.ts';
import { flowText, type Plain } from './content.ts';
import { applyEdits, BY_HAND, type Document, type Edit, lineStart, openDocument, refuse } from './document.ts';
import {
  appendEntry,
  appendTop,
  type Content,
  isAlias,
  isOwn,
  mergeRemovals,
  removeEntry,
  replaceValue,
} from './entry.ts';

/** A remote as `remote add` writes it. */
export interface RemoteDefinition {
  readonly name: string;
  readonly url: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly profile?: string;
  readonly path_style?: boolean;
}

/** Adds a remote, or replaces the one of that name; works for pipeline.yaml and .cache/local.yaml alike. */
export function setRemoteText(text: string, file: ProjectPath, remote: RemoteDefinition): Result<string, Diagnostic[]> {
  const opened = openDocument(text, file);
  if (!opened.ok) return opened;
  const document = opened.value;
  const { name, url, ...more } = remote;
  const options = Object.entries(more).filter((entry): entry is [string, string | boolean] => entry[1] !== undefined);
  const value: Plain = options.length === 0 ? url : { url, ...Object.fromEntries(options) };
  const line = { flow: flowText(value), block: () => ` ${flowText(value)}` };
  const remotes = document.root && findEntry(document.root, 'remotes');
  const all = {
    flow: `{${yamlKey(name)}: ${line.flow}}`,
    block: (indent: string) => `\n${indent}  ${yamlKey(name)}: ${line.flow}`,
  };
  const places = [['remotes', name]];
  if (!remotes) return applyEdits(document, [appendTop(document, 'remotes', all)], places);
  const map = remotes.value;
  const empty =
    (map.kind === 'scalar' && map.value === null) || (map.kind === 'map' && map.flow && map.entries.length === 0);
  if (empty) return applyEdits(document, [replaceValue(document, remotes, all, document.root?.flow === true)], places);
  if (map.kind !== 'map') return refuse(document, map, 'remotes must be a map');
  if (isAlias(document, map)) return refuse(document, map, 'remotes is written elsewhere in the file', BY_HAND);
  const before = findEntry(map, name);
  if (before && isOwn(map, before))
    return applyEdits(document, [replaceValue(document, before, line, map.flow)], places);
  return applyEdits(document, [appendEntry(document, map, yamlKey(name), line)], places);
}

/** Takes a remote out, and its name out of `remote:`. */
export function removeRemoteText(text: string, file: ProjectPath, name: string): Result<string, Diagnostic[]> {
  const opened = openDocument(text, file);
  if (!opened.ok) return opened;
  const document = opened.value;
  const { root } = document;
  const map = findValue(root, 'remotes');
  const index = map?.kind === 'map' ? map.entries.findIndex((entry) => entry.key.value === name) : -1;
  if (!root || map?.kind !== 'map' || index === -1) {
    return refuse(document, { start: 0, end: 0 }, `there is no remote ${quote(name)} in ${file}`);
  }
  const [entry] = map.entries.slice(index);
  if (entry && map.entries.length > 1 && !isOwn(map, entry))
    return refuse(document, map, `the remote ${quote(name)} is written elsewhere in the file`, BY_HAND);
  const edits = [map.entries.length > 1 ? removeEntry(document, map, index) : removeTop(document, root, 'remotes')];
  edits.push(...forgetDefault(document, root, name));
  return applyEdits(document, mergeRemovals(document, edits), [['remotes', name], ['remote']], ['remotes', name]);
}

/** Takes a name out of `remote:`, and that away where it is the last. */
function forgetDefault(document: Document, root: MapNode, name: string): Edit[] {
  const entry = findEntry(root, 'remote');
  if (entry === undefined) return [];
  const names = entry.value.kind === 'seq' ? entry.value.items.map(textOf) : [textOf(entry.value)];
  const rest = names.filter((one): one is string => one !== undefined && one !== name);
  if (rest.length === names.length) return [];
  if (rest.length === 0) return [removeTop(document, root, 'remote')];
  return [replaceValue(document, entry, defaultsContent(rest), root.flow)];
}

/** One name as it is, several as a list on the line. */
function defaultsContent(names: readonly string[]): Content {
  const [only] = names;
  const text = flowText(names.length === 1 && only !== undefined ? only : names);
  return { flow: text, block: () => ` ${text}` };
}

function removeTop(document: Document, root: MapNode, key: string): Edit {
  return removeEntry(
    document,
    root,
    root.entries.findIndex((entry) => entry.key.value === key),
  );
}

/** Writes `remote: NAME`, or `remote: [NAME, OTHER]`; no name takes it out. */
export function setDefaultRemoteText(
  text: string,
  file: ProjectPath,
  names: readonly string[],
): Result<string, Diagnostic[]> {
  const opened = openDocument(text, file);
  if (!opened.ok) return opened;
  const document = opened.value;
  const { root } = document;
  const before = root && findEntry(root, 'remote');
  const places = [['remote']];
  if (names.length === 0)
    return root && before ? applyEdits(document, [removeTop(document, root, 'remote')], places) : ok(text);
  const content = defaultsContent(names);
  if (root && before) return applyEdits(document, [replaceValue(document, before, content, root.flow)], places);
  const remotes = root && !root.flow ? findEntry(root, 'remotes') : undefined;
  if (remotes) {
    const at = lineStart(text, remotes.key.start);
    return applyEdits(document, [{ start: at, end: at, text: `remote:${content.block('')}\n` }], places);
  }
  return applyEdits(document, [appendTop(document, 'remote', content)], places);
}
