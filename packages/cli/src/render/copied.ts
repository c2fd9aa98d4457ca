import type { Context } from '../verb.ts';
import { bytesText } from './units.ts';

/** Bytes from which a copy between workspace and cache that a link would have spared is worth a word. */
const WORTH_TELLING = 1e9;

/** Says, once a command, that much was copied and how to have it linked. */
export function sayCopied(context: Context, bytes: number): void {
  if (bytes < WORTH_TELLING) return;
  context.say(
    `copied ${bytesText(bytes)} for want of reflinks here; 'cache: {link: [hardlink]}' in pipeline.yaml shares it with the cache instead, read-only`,
  );
}
