import type { Failure, Stage, StageAddress } from '@dag/model';
import type { Project } from '../project.ts';
import type { ReproOptions } from '../repro-run.ts';
import type { Gpus } from './gpus.ts';

/** A stage that can't have the GPUs that it wants on this host. */
export interface Shortage {
  readonly stage: StageAddress;
  readonly failure: Failure;
  /** Whether it is sure to run; otherwise what lies upstream may come out as it was, or its result be found. */
  readonly certain: boolean;
}

/** So many are told ahead; the rest fail when their turn comes. */
const TOLD_AHEAD = 10;

/**
 * Tells before hours of work are spent that a stage further down wants GPUs which this host doesn't have. Where no stage
 * runs nothing is asked: a machine without a GPU restores and skips such stages as any other does.
 */
export class GpuDemand {
  readonly #project: Project;
  readonly #stages: readonly Stage[];
  readonly #options: ReproOptions;
  readonly #gpus: Gpus;
  readonly #told = new Set<StageAddress>();
  #affected: Promise<ReadonlyMap<StageAddress, readonly Shortage[]>> | undefined;

  constructor(project: Project, stages: readonly Stage[], options: ReproOptions, gpus: Gpus) {
    this.#project = project;
    this.#stages = stages.filter((stage) => (stage.resources.gpu ?? 0) > 0);
    this.#options = options;
    this.#gpus = gpus;
  }

  /** Whether any of the selected stages wants a GPU. */
  get any(): boolean {
    return this.#stages.length > 0;
  }

  /** What a stage that is about to run can't have, and what those selected stages can't that need it. */
  async shortages(stage: Stage): Promise<readonly Shortage[]> {
    if (!this.any) return [];
    this.#affected ??= this.#find();
    const found = (await this.#affected).get(stage.address) ?? [];
    return found.map((shortage) => (shortage.stage === stage.address ? { ...shortage, certain: true } : shortage));
  }

  /** Whether a stage is asked about for the first time. */
  firstTime(stage: StageAddress): boolean {
    if (this.#told.has(stage)) return false;
    this.#told.add(stage);
    return true;
  }

  /** Shortages by every stage that leads to them. */
  async #find(): Promise<ReadonlyMap<StageAddress, readonly Shortage[]>> {
    const affected = new Map<StageAddress, Shortage[]>();
    let found = 0;
    for (const stage of this.#stages) {
      const failure = await this.#gpus.shortage(stage);
      if (failure === undefined) continue;
      if (++found > TOLD_AHEAD) break;
      const { force = false, fetcher } = this.#options;
      const unknown = fetcher === undefined && this.#project.locks.stage(stage) === undefined;
      const shortage = { stage: stage.address, failure, certain: force || unknown };
      for (const address of this.#above(stage.address)) {
        affected.set(address, [...(affected.get(address) ?? []), shortage]);
      }
    }
    return affected;
  }

  /** A stage and all upstream of it. */
  #above(address: StageAddress): Set<StageAddress> {
    const above = new Set([address]);
    for (const next of above) for (const upstream of this.#project.pipeline.upstream(next)) above.add(upstream);
    return above;
  }
}
