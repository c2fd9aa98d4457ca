import type { Node, Scalar } from '../node.ts';
import { resolvePlain } from '../scalar.ts';
import type { SyntaxProblem } from './problem.ts';
import type { Token } from './token.ts';

const YAML = 'tag:yaml.org,2002:';

/**
 * The node that a tag makes of what it stands before.
 * @param text the scalar's text; undefined for a map or list.
 * @param name the whole tag; undefined where there is none.
 */
export function applyTag(
  node: Node,
  text: string | undefined,
  tag: Token | undefined,
  name: string | undefined,
  problems: SyntaxProblem[],
): Node {
  if (tag === undefined || name === undefined) return node;
  const at = { start: node.start, end: node.end };
  const short = name.startsWith(YAML) ? name.slice(YAML.length) : undefined;
  if (text === undefined) {
    if (short === node.kind) return node;
  } else if (short === 'merge') {
    return { kind: 'scalar', value: text, float: false, merge: true, ...at };
  } else {
    const value = short === undefined ? undefined : construct(short, text);
    if (value !== undefined) return { kind: 'scalar', value, float: short === 'float', ...at };
  }
  const known = short !== undefined && KNOWN.has(short);
  const shown = short === undefined ? name : `!!${short}`;
  const message = known ? `this is no value for the tag ${shown}` : `the tag ${shown} means nothing here`;
  problems.push({ at: { start: tag.start, end: tag.end }, message, hint: 'leave the tag out' });
  return node;
}

const KNOWN = new Set(['str', 'int', 'float', 'bool', 'null', 'timestamp', 'seq', 'map']);

const FLAGS: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  y: true,
  on: true,
  false: false,
  no: false,
  n: false,
  off: false,
};

/** The value of a scalar with a tag; undefined where the tag does not go with it. Dates stay text. */
function construct(tag: string, text: string): Scalar | undefined {
  switch (tag) {
    case 'str':
      return text;
    case 'null':
      return null;
    case 'bool':
      return Object.hasOwn(FLAGS, text.toLowerCase()) ? FLAGS[text.toLowerCase()] : undefined;
    case 'int': {
      const { value, float } = resolvePlain(text.trim().replaceAll('_', ''));
      return typeof value === 'bigint' || (typeof value === 'number' && !float) ? value : undefined;
    }
    case 'float': {
      const word = text.trim().replaceAll('_', '').toLowerCase();
      if (/^[-+]?\.?inf(?:inity)?$/.test(word)) return word.startsWith('-') ? -Infinity : Infinity;
      if (/^[-+]?\.?nan$/.test(word)) return Number.NaN;
      return /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/.test(word) ? Number(word) : undefined;
    }
    case 'timestamp':
      return TIMESTAMP.test(text) ? text : undefined;
    default:
      return undefined;
  }
}

const TIMESTAMP =
  /^\d{4}-\d\d?-\d\d?(?:(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?)?$/;
