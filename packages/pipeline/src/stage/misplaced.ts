import { quote } from '../diagnostic/quote.ts';
import type { Report } from '../diagnostic/report.ts';
import type { Source } from '../diagnostic/source.ts';
import { STAGE_FIELDS } from '../language/definition.ts';
import { looksLikeStage } from '../language/hint.ts';
import { type Entry, findEntry, isUnknown, type MapNode, type ScalarNode } from '../yaml/node.ts';

/** Keys of a stage that stand where names of stages should. */
export interface Misplaced {
  readonly keys: ReadonlySet<ScalarNode>;
  /** The empty stage that they most likely belong to. */
  readonly empty: Entry | undefined;
}

/** Reports keys of a stage that stand beside its name, or without any: one mistake, however many they are. */
export function keysOutside(stages: MapNode, source: Source, report: Report): Misplaced {
  const found = stages.entries.filter(({ key, value }) => isKey(key) && !looksLikeStage(value) && !isUnknown(value));
  const [first] = found;
  if (first === undefined) return { keys: new Set(), empty: undefined };
  const above = stages.entries.slice(0, stages.entries.indexOf(first)).at(-1);
  const empty = above?.value.kind === 'scalar' && above.value.value === null ? above : undefined;
  const words = list(found.map(({ key }) => String(key.value)));
  const stand = found.length === 1 ? 'stands' : 'stand';
  const them = found.length === 1 ? 'it' : 'them';
  const [message, hint] = empty
    ? [
        `${words} ${stand} beside the stage ${quote(empty.key.value)}, not in it`,
        `indent ${them} below \`${empty.key.value}:\``,
      ]
    : [`${words} ${stand} where names of stages should`, `put a name above, \`train:\`, and indent ${them} below it`];
  report.add(source, first.key, 'unknown-key', message, hint);
  return { keys: new Set(found.map(({ key }) => key)), empty };
}

function isKey(key: ScalarNode): boolean {
  const { value } = key;
  return typeof value === 'string' && (Object.hasOwn(STAGE_FIELDS, value) || value === 'do' || value === 'matrix');
}

/** A foreach whose stage stands beside it instead of below `do:`; reported, and mended for what follows. */
export function withoutDo(definition: MapNode, name: string, source: Source, report: Report): MapNode {
  const foreach = findEntry(definition, 'foreach');
  if (foreach === undefined || findEntry(definition, 'do') !== undefined) return definition;
  const isField = ({ key }: Entry) => typeof key.value === 'string' && Object.hasOwn(STAGE_FIELDS, key.value);
  const fields = definition.entries.filter(isField);
  const [first] = fields;
  if (first === undefined) return definition;
  const words = list(fields.map(({ key }) => String(key.value)));
  const message = `${name}: ${words} ${fields.length === 1 ? 'stands' : 'stand'} beside foreach, and it has no \`do:\``;
  report.add(source, first.key, 'wrong-type', message, `indent ${fields.length === 1 ? 'it' : 'them'} below \`do:\``);
  const { start, end } = first.key;
  const key = { ...first.key, value: 'do', start, end };
  const rest = definition.entries.filter((entry) => !isField(entry));
  return { ...definition, entries: [...rest, { key, value: { ...definition, entries: fields } }] };
}

function list(words: readonly string[]): string {
  const last = words.at(-1);
  return words.length < 2 ? `${last}` : `${words.slice(0, -1).join(', ')} and ${last}`;
}
