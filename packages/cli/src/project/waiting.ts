import { holderText, type LockOptions } from '@dag/workspace';
import type { Context } from '../verb.ts';

/** How a verb takes paths that another process may hold: it waits, says for whom, and can be interrupted. */
export function waiting(context: Context): LockOptions {
  return {
    wait: mayWait(context),
    signal: context.stop,
    onWait: (holder) => context.say(`waiting for ${holderText(holder)}`),
  };
}

/** With --no-wait, and inside a stage, nobody waits: whoever holds the paths may be that very stage. */
export function mayWait(context: Context): boolean {
  return context.wait && (context.io.env['DAG_STAGE'] ?? '') === '';
}
