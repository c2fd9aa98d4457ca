import type { AnyPath } from '@dag/model';
import type { Store } from '@dag/store';
import type { Workspace } from '@dag/workspace';
import { endOrphans } from './run/orphans.ts';

/** What killed processes left, and what was done about it. */
export interface Healed {
  /** In words. */
  readonly messages: readonly string[];
  /** Paths whose content came back. */
  readonly back: readonly AnyPath[];
}

/**
 * Heals what killed processes left: first their stages end, which may still write, then what they had set aside comes back.
 * Safe at any time, and by several processes at once.
 */
export async function heal(store: Store, workspace: Workspace): Promise<Healed> {
  const ended = await endOrphans(store.dir);
  const back = workspace.recover();
  return {
    back,
    messages: [
      ...ended.map(({ stage, pid }) => `ended stage '${stage}' (pid ${pid}), which a killed dag had left running`),
      ...back.map(
        (path) =>
          `put back '${path}', which an interrupted run had set aside (what stood there is in .cache/recovered)`,
      ),
    ],
  };
}
