import path from 'node:path';
import { type ReportingRun, reportingRuns } from '@dag/engine';
import type { MetricLine } from '@dag/model';
import { EXIT } from '../failure.ts';
import { followReports } from '../live/follow.ts';
import { newestRuns, Reported, wantedStages } from '../live/reported.ts';
import { openProject } from '../project/open.ts';
import { count } from '../render/units.ts';
import { EventFile } from '../tensorboard/event-file.ts';
import type { Context } from '../verb.ts';

interface Options {
  readonly tensorboard: string;
  readonly all?: boolean;
  readonly follow?: boolean;
}

/** `dag metrics export`: what runs reported, as event files of TensorBoard. */
export async function metricsExport(context: Context, targets: readonly string[], options: Options): Promise<number> {
  const project = await openProject(context, { targets });
  const folder = path.resolve(context.cwd, options.tensorboard);
  const files = new EventFiles(folder);
  try {
    const wanted = wantedStages(project, targets);
    const runs = options.all === true ? reportingRuns(project, wanted) : newestRuns(project, wanted);
    for (const run of runs) {
      const reported = new Reported(run);
      await reported.read(context.stop, (line, which) => files.add(run, which, line));
      reported.close();
    }
    files.flush();
    if (options.follow === true) {
      context.onlyWatches();
      // It reads from the start once more: what is there already is found, not written again.
      files.close();
      const reported = await followReports(project, wanted, {
        stop: context.stop,
        onLine: (run, line, which) => files.add(run, which, line),
        onRead: () => files.flush(),
      });
      for (const one of reported) one.close();
    }
    const { written, folders } = files;
    context.emit({ event: 'summary', folder, written, runs: folders });
    context.print(
      folders.length === 0
        ? 'Nothing to write: nothing was reported.'
        : `${count(written, 'record')} written of ${count(folders.length, 'run')}: tensorboard --logdir ${options.tensorboard}`,
    );
    return EXIT.done;
  } finally {
    files.close();
    await project.close();
  }
}

/** The event files of runs: `STAGE/TIME/` for what a run reported, `system/` in it for what it used. */
class EventFiles {
  readonly #folder: string;
  readonly #open = new Map<string, EventFile>();
  readonly #folders = new Set<string>();
  #written = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  add(run: ReportingRun, which: 'metrics' | 'system', line: MetricLine): void {
    const name = path.join(
      run.stage.replaceAll(':', '_'),
      run.at.slice(0, 19).replaceAll(':', '').replace('T', '-'),
      ...(which === 'system' ? ['system'] : []),
    );
    let file = this.#open.get(name);
    if (file === undefined) {
      file = new EventFile(path.join(this.#folder, name), run.files?.images ?? '', Date.parse(run.at));
      this.#open.set(name, file);
      this.#folders.add(name);
    }
    file.add(line);
  }

  flush(): void {
    for (const file of this.#open.values()) file.flush();
  }

  close(): void {
    for (const file of this.#open.values()) {
      file.close();
      this.#written += file.written;
    }
    this.#open.clear();
  }

  /** Records that were not there before. */
  get written(): number {
    return [...this.#open.values()].reduce((sum, file) => sum + file.written, this.#written);
  }

  get folders(): string[] {
    return [...this.#folders];
  }
}
