import type { CheckpointKeeper } from '@dag/engine';
import { FailureError, type StageAddress } from '@dag/model';
import type { Context } from '../verb.ts';
import type { OpenProject } from './open.ts';
import { defaultRemotes, homeOf, isOnlyRead, openRemotes } from './remotes.ts';

/**
 * The remote that checkpoints are sent to, and looked for in: that of the outs of no remote of their own. Undefined where no
 * selected stage asks for it, and said where one does and there is none. It is opened when first asked.
 */
export function checkpointKeeper(
  context: Context,
  project: OpenProject,
  selection: readonly StageAddress[],
  named: string | undefined,
): (CheckpointKeeper & { close(): Promise<void> }) | undefined {
  const first = selection.find((address) => project.pipeline.stages.get(address)?.checkpoints?.push === true);
  if (first === undefined) return undefined;
  const home = named ?? homeOf(project, defaultRemotes(project, context));
  const config = home === undefined ? undefined : project.pipeline.settings.remotes.get(home);
  if (home === undefined || config === undefined || isOnlyRead(config)) {
    throw new FailureError({
      code: 'usage',
      message: `stage '${first}' sends its checkpoints (checkpoints.push), and there is no remote to send them to`,
      hint: "set one: 'dag remote add -d NAME URL'; or take 'push' out of the stage's checkpoints",
    });
  }
  const opened = openRemotes(project, context);
  const remote = (name: string) => opened.get(home).then((one) => one.checkpoints(name));
  return {
    find: async (name, signal) => {
      const there = await remote(name);
      return (await there.find({ signal })).map((record) => ({
        ...record,
        bring: (folder, stop) => there.fetch(record, folder, { signal: stop }),
      }));
    },
    copies: (name) => {
      const there = remote(name);
      // Whoever pushes is told what is wrong with it.
      there.catch(() => {});
      return { push: async (snapshot, signal) => await (await there).push(snapshot, { signal }) };
    },
    drop: async (name) => {
      try {
        await (await remote(name)).drop({ signal: AbortSignal.any([context.kill, AbortSignal.timeout(DROP_MS)]) });
      } catch (error) {
        const why = error instanceof FailureError && 'message' in error.failure ? error.failure.message : String(error);
        context.say(`warning: old checkpoints stay in the remote '${home}' until a 'dag gc -c': ${why}`);
      }
    },
    close: () => opened.close(),
  };
}

/** The longest that a finished stage waits for the removal of its checkpoints, in milliseconds. */
const DROP_MS = 15_000;
