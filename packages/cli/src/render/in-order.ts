import type { FailureError } from '@dag/model';
import type { FetchedInOrder } from '../project/fetch-in-order.ts';
import type { Context } from '../verb.ts';
import { count } from './units.ts';

/** From which remotes things came, where it was more than one. */
export function fromText(from: FetchedInOrder['from'] | undefined): string {
  const gave = [...(from ?? [])].filter(([, { objects }]) => objects > 0);
  if (gave.length < 2) return '';
  return `: ${gave.map(([name, { objects }]) => `${objects} from '${name}'`).join(', ')}`;
}

/** A remote that could not be used, while others can be. */
export function sayPassedOver(context: Context, error: FailureError): void {
  const message = `${error.message}; what it may have is looked for in the others`;
  if (context.json) context.emit({ event: 'warning', message });
  else context.say(`warning: ${message}`);
}

/** Names the remotes that hold something damaged that another one had whole; that one lacks something is as it should be. */
export function saySpared(context: Context, spared: FetchedInOrder['spared']): void {
  const damaged = spared.filter(({ failure }) => failure.reason.startsWith('damaged'));
  for (const name of new Set(damaged.map(({ remote }) => remote))) {
    const own = damaged.filter(({ remote }) => remote === name);
    const paths = [...new Set(own.map(({ failure }) => failure.path))];
    const some = paths.slice(0, 3).join(', ') + (paths.length > 3 ? ', …' : '');
    const message = `${count(own.length, 'object')} damaged in the remote '${name}' came whole from another (${some})`;
    const hint = `'dag fsck -r ${name}' takes out what is damaged there, and sends it again`;
    if (context.json) context.emit({ event: 'warning', message, hint });
    else context.say(`warning: ${message}\n  ${hint}`);
  }
}
