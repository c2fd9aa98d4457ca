import type { BuildOptions, BuildResult } from 'esbuild';

/**
 * esbuild's `build`. Its service is a process of its own that lives as long as this one and that it does not start again:
 * where that was ended (memory ran out, a signal went to all of a job) a new one is started, once a build.
 * @throws esbuild's BuildFailure for what is wrong with the module, another error where esbuild can't run.
 */
export async function build<Options extends BuildOptions>(options: Options): Promise<BuildResult<Options>> {
  const esbuild = await import('esbuild');
  try {
    return await esbuild.build<Options>(options as never);
  } catch (error) {
    if (!isServiceGone(error)) throw error;
    await revive(esbuild);
    return await esbuild.build<Options>(options as never);
  }
}

/** What esbuild says of builds that were at work when its service ended, and of those that come after it. */
function isServiceGone(error: unknown): boolean {
  return error instanceof Error && /^The service (was stopped|is no longer running)/.test(error.message);
}

let reviving: Promise<void> | undefined;

/** Lets go of a service that has ended. Builds that find it ended at the same time share this: one that is new must stay. */
function revive(esbuild: Pick<typeof import('esbuild'), 'stop' | 'transform'>): Promise<void> {
  const look = async () => {
    const isThere = await esbuild.transform('').then(
      () => true,
      () => false,
    );
    if (!isThere) await esbuild.stop();
  };
  reviving ??= look().finally(() => {
    reviving = undefined;
  });
  return reviving;
}
