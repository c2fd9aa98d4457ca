import { type Diagnostic, ok, type ProjectPath, type Result } from '@dag/model';
import { quote } from '../diagnostic/quote.ts';
import { findEntry, findValue, type MapNode, textOf } from '../yaml/node.ts';
import { yamlKey } from '../yaml/write.ts';
import { contentOf, flowText, type Plain } from './content.ts';
import { applyEdits, type Document, type Edit, lineStart, openDocument, refuse } from './document.ts';
import { appendEntry, appendTop, removeEntry, replaceValue } from './entry.ts';

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
  if (!remotes) return applyEdits(document, [appendTop(document, 'remotes', all)]);
  const map = remotes.value;
  const empty =
    (map.kind === 'scalar' && map.value === null) || (map.kind === 'map' && map.flow && map.entries.length === 0);
  if (empty) return applyEdits(document, [replaceValue(document, remotes, all, document.root?.flow === true)]);
  if (map.kind !== 'map') return refuse(document, map, 'remotes must be a map');
  const before = findEntry(map, name);
  if (before) return applyEdits(document, [replaceValue(document, before, line, map.flow)]);
  return applyEdits(document, [appendEntry(document, map, yamlKey(name), line)]);
}

/** Takes a remote out, and `remote:` with it where that named it. */
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
  const edits = [map.entries.length > 1 ? removeEntry(document, map, index) : removeTop(document, root, 'remotes')];
  if (textOf(findValue(root, 'remote')) === name) edits.push(removeTop(document, root, 'remote'));
  return applyEdits(document, merged(edits));
}

function removeTop(document: Document, root: MapNode, key: string): Edit {
  return removeEntry(
    document,
    root,
    root.entries.findIndex((entry) => entry.key.value === key),
  );
}

/** Removals that touch or overlap become one. */
function merged(edits: readonly Edit[]): Edit[] {
  const result: Edit[] = [];
  for (const edit of [...edits].sort((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    if (last && edit.start <= last.end) result[result.length - 1] = { ...last, end: Math.max(last.end, edit.end) };
    else result.push(edit);
  }
  return result;
}

/** Writes `remote: NAME`; undefined takes it out. */
export function setDefaultRemoteText(
  text: string,
  file: ProjectPath,
  name: string | undefined,
): Result<string, Diagnostic[]> {
  const opened = openDocument(text, file);
  if (!opened.ok) return opened;
  const document = opened.value;
  const { root } = document;
  const before = root && findEntry(root, 'remote');
  if (name === undefined)
    return root && before ? applyEdits(document, [removeTop(document, root, 'remote')]) : ok(text);
  const content = contentOf(name);
  if (root && before) return applyEdits(document, [replaceValue(document, before, content, root.flow)]);
  const remotes = root && !root.flow ? findEntry(root, 'remotes') : undefined;
  if (remotes) {
    const at = lineStart(text, remotes.key.start);
    return applyEdits(document, [{ start: at, end: at, text: `remote:${content.block('')}\n` }]);
  }
  return applyEdits(document, [appendTop(document, 'remote', content)]);
}
