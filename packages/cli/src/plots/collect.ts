import { type AnyPath, FailureError, type ProjectPath, type Value } from '@dag/model';
import type { Snapshot } from '../compare/snapshot.ts';
import { contentOf, type ValueError } from '../compare/values.ts';
import { type Definition, definitionsOf, type Looks, sourcesOf, type Target } from './definition.ts';
import type { Row } from './rows.ts';
import { type Series, seriesOf } from './series.ts';
import { imageType, readSource } from './source.ts';

/** Something that is shown, with what it is at each snapshot. */
export type Plot = LinePlot | ImagePlot;

export interface LinePlot {
  readonly kind: 'vega';
  readonly id: string;
  readonly looks: Looks;
  /** What is drawn; undefined where no revision has rows. */
  readonly series: Series | undefined;
  /** The revisions that have rows. */
  readonly revisions: readonly string[];
  readonly errors: readonly PlotError[];
}

export interface ImagePlot {
  readonly kind: 'image';
  readonly id: string;
  readonly type: string;
  readonly images: readonly { readonly revision: string; readonly bytes: Uint8Array }[];
  readonly errors: readonly PlotError[];
}

/** What is missing from a plot, and why. */
export interface PlotError extends ValueError {
  readonly rev: string;
  /** The file, where it is one. */
  readonly source?: AnyPath;
}

export interface Collected {
  readonly plots: readonly Plot[];
  /** Of snapshots of which nobody knows what they define. */
  readonly errors: readonly PlotError[];
}

/** Finds the plots of snapshots, and reads what they are drawn from. */
export function collectPlots(
  snapshots: readonly Snapshot[],
  targets: readonly Target[],
  options: { readonly looks: Looks; readonly cwd: ProjectPath },
): Collected {
  const errors = snapshots.flatMap(({ name, problem }): PlotError[] =>
    problem === undefined ? [] : [{ rev: name, type: 'invalid', msg: problem }],
  );
  const groups = new Map<string, { snapshot: Snapshot; definition: Definition }[]>();
  for (const snapshot of snapshots) {
    const definitions = definitionsOf(snapshot, targets, options);
    snapshot.prefetch(definitions.flatMap(sourcesOf));
    for (const definition of definitions) {
      const id = fullId(definition, definitions);
      const group = groups.get(id) ?? [];
      groups.set(id, group);
      group.push({ snapshot, definition });
    }
  }
  return { plots: Array.from(groups, ([id, group]) => plotOf(id, group)), errors };
}

/** The name of a plot; with its pipeline.yaml where several files have one of that name. */
function fullId({ id, from }: Definition, all: readonly Definition[]): string {
  const isAmbiguous = all.some((other) => other.id === id && other.from !== from);
  return isAmbiguous && from !== '' ? `${from}::${id}` : id;
}

type Group = readonly { readonly snapshot: Snapshot; readonly definition: Definition }[];

function plotOf(id: string, group: Group): Plot {
  const type = group[0]?.definition.path === undefined ? undefined : imageType(group[0].definition.path);
  return type === undefined ? linePlotOf(id, group) : imagePlotOf(id, type, group);
}

function imagePlotOf(id: string, type: string, group: Group): ImagePlot {
  const [images, errors]: [{ revision: string; bytes: Uint8Array }[], PlotError[]] = [[], []];
  for (const { snapshot, definition } of group) {
    for (const path of sourcesOf(definition)) {
      const content = contentOf(snapshot, path);
      if ('error' in content) errors.push({ rev: snapshot.name, source: path, ...content.error });
      else images.push({ revision: snapshot.name, bytes: content.bytes });
    }
  }
  return { kind: 'image', id, type, images, errors };
}

/** What one revision leaves unsaid the others say, the first before the later ones. */
function linePlotOf(id: string, group: Group): LinePlot {
  const looks: Looks = Object.assign({}, ...[...group].reverse().map(({ definition }) => definition.looks));
  const found: { readonly revision: string; readonly series: Series }[] = [];
  const errors: PlotError[] = [];
  for (const { snapshot, definition } of group) {
    const same = { ...definition, looks };
    const sources = new Map<AnyPath, Value>();
    for (const path of sourcesOf(same)) {
      const content = contentOf(snapshot, path);
      const read = 'error' in content ? content : readSource(content.bytes, path, looks.header !== false);
      if ('error' in read) errors.push({ rev: snapshot.name, source: path, ...read.error });
      else sources.set(path, read.content);
    }
    try {
      const series = sources.size === 0 ? undefined : seriesOf(same, sources, snapshot.name);
      if (series !== undefined) found.push({ revision: snapshot.name, series });
    } catch (error) {
      if (!(error instanceof FailureError) || error.failure.code !== 'refused') throw error;
      errors.push({ rev: snapshot.name, type: 'invalid', msg: error.message });
    }
  }
  const [first] = found;
  const rows: readonly Row[] = found.flatMap(({ series }) => series.rows);
  return {
    kind: 'vega',
    id,
    looks,
    series: first === undefined ? undefined : { ...first.series, rows },
    revisions: found.map(({ revision }) => revision),
    errors,
  };
}
