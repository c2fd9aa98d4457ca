import { quote } from '../diagnostic/quote.ts';
import type { Report } from '../diagnostic/report.ts';
import type { Source } from '../diagnostic/source.ts';
import { PIPELINE_FIELDS, STAGE_FIELDS } from '../language/definition.ts';
import { looksLikeStage } from '../language/hint.ts';
import { type Entry, findEntry, isUnknown, type MapNode, type ScalarNode, textNode } from '../yaml/node.ts';

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

/**
 * Reports stages, and keys of one, that stand at the top of a file; the stages are moved to where they belong, the keys taken
 * out.
 */
export function stagesAtTop(root: MapNode, source: Source, report: Report): MapNode {
  const strange = root.entries.filter(
    ({ key }) => typeof key.value === 'string' && !Object.hasOwn(PIPELINE_FIELDS, key.value),
  );
  const keys = strange.filter(({ key, value }) => isKey(key) && !looksLikeStage(value));
  const whole = strange.filter(({ value }) => looksLikeStage(value));
  const [first] = keys;
  if (first !== undefined) {
    const words = list(keys.map(({ key }) => String(key.value)));
    const [stand, them] = keys.length === 1 ? ['stands', 'it'] : ['stand', 'them'];
    const hint = `write \`stages:\`, below it a name, \`train:\`, and indent ${them} below that`;
    report.add(source, first.key, 'unknown-key', `${words} ${stand} outside of any stage`, hint);
  }
  for (const { key } of whole) {
    const message = `the stage ${quote(key.value)} stands beside \`stages:\`, not below it`;
    report.add(source, key, 'unknown-key', message, 'indent it below `stages:`');
  }
  const out = new Set([...keys, ...whole]);
  if (out.size === 0) return root;
  const rest = root.entries.filter((entry) => !out.has(entry));
  const stages = rest.find(({ key }) => key.value === 'stages');
  const known = stages?.value.kind === 'map' ? stages.value.entries : [];
  const moved = whole.filter(({ key }) => !known.some((other) => other.key.value === key.value));
  if (moved.length === 0) return { ...root, entries: rest };
  const key = stages?.key ?? textNode('stages', root);
  const value: MapNode = { kind: 'map', flow: false, start: root.start, end: root.end, entries: [...known, ...moved] };
  return { ...root, entries: [...rest.filter((entry) => entry !== stages), { key, value }] };
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

/** A matrix with its stage below `do:`, as a foreach has it; reported, and mended for what follows. */
export function withoutMatrixDo(definition: MapNode, name: string, source: Source, report: Report): MapNode {
  const body = findEntry(definition, 'do');
  if (
    body === undefined ||
    findEntry(definition, 'matrix') === undefined ||
    findEntry(definition, 'foreach') !== undefined
  )
    return definition;
  const hint = 'indent what stands below `do:` as far as `matrix:`, and take `do:` out';
  report.add(source, body.key, 'wrong-type', `${name}: a matrix takes no \`do:\``, hint);
  const inner = body.value.kind === 'map' ? body.value.entries : [];
  const entries = definition.entries.flatMap((entry) => (entry === body ? inner : [entry]));
  return {
    ...definition,
    entries: entries.filter((one, i) => entries.findIndex((e) => e.key.value === one.key.value) === i),
  };
}

function list(words: readonly string[]): string {
  const last = words.at(-1);
  return words.length < 2 ? `${last}` : `${words.slice(0, -1).join(', ')} and ${last}`;
}
