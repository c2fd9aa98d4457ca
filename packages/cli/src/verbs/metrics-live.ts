import { EXIT } from '../failure.ts';
import { followReports } from '../live/follow.ts';
import { newestRuns, Reported, wantedStages } from '../live/reported.ts';
import { type OpenProject, openProject } from '../project/open.ts';
import { LiveLines } from '../render/live.ts';
import { liveMetricLines, liveMetricsJson, plainNumber } from '../render/live-metrics.ts';
import { MetricLines } from '../render/metric-lines.ts';
import type { Context } from '../verb.ts';

export interface LiveOptions {
  readonly live?: boolean;
  readonly follow?: boolean;
  readonly system?: boolean;
}

/** `dag metrics show --live`, `--follow`, `--system`: what the newest run of each stage reported, or reports. */
export async function metricsLive(context: Context, targets: readonly string[], options: LiveOptions): Promise<number> {
  const project = await openProject(context, { targets });
  try {
    const wanted = wantedStages(project, targets);
    if (options.follow === true) return await follow(context, project, wanted, options);
    const reported = newestRuns(project, wanted).map((run) => new Reported(run));
    for (const one of reported) {
      await one.read(context.stop);
      one.close();
    }
    context.emit(liveMetricsJson(reported));
    print(context, reported, options);
    return EXIT.done;
  } finally {
    await project.close();
  }
}

async function follow(
  context: Context,
  project: OpenProject,
  wanted: (stage: string) => boolean,
  options: LiveOptions,
): Promise<number> {
  const { io, quiet, json } = context;
  context.onlyWatches();
  const system = options.system === true;
  let shown: readonly Reported[] = [];
  const isLive = io.live && !quiet && !json;
  const table = (): string[] => liveMetricLines(shown, { system, colour: io.colour.err });
  const live = new LiveLines(io, isLive, () => table().slice(0, Math.max(1, io.terminal.size().rows - 1)));
  const lines = new MetricLines((stage, text) => context.print(`${stage} │ ${text}`));
  live.start();
  try {
    const reported = await followReports(project, wanted, {
      stop: context.stop,
      onLine: ({ stage }, line, which) => {
        if (!('value' in line) || (which === 'system') !== system) return;
        const { name, value, step, at } = line;
        context.emit({ event: 'metric', stage, name, value: plainNumber(value), step, at });
        // A terminal has the table; to a pipe each value is a line, or a part of one.
        if (!isLive && !json) lines.add(stage, name, value, step);
      },
      onRead: (now) => {
        shown = now;
      },
    });
    lines.flush();
    live.close();
    for (const one of reported) one.close();
    context.emit({ event: 'summary', stages: liveMetricsJson(reported) });
    print(context, reported, options);
    return EXIT.done;
  } finally {
    live.close();
  }
}

function print(context: Context, reported: readonly Reported[], { system = false }: LiveOptions): void {
  const lines = liveMetricLines(reported, { system, colour: context.io.colour.out });
  for (const line of lines) context.print(line);
  if (lines.length > 0) return;
  context.say(
    system
      ? 'no samples: a stage is sampled every other second, and none has run for so long'
      : 'nothing reported: a stage does so with ctx.metric, or with lines that it appends to the file named in DAG_METRICS',
  );
}
