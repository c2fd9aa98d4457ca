import type { BackendPins, Failure, Stage, StageAddress } from '@dag/model';
import type { Project } from '../project.ts';
import type { ReproOptions } from '../repro-run.ts';
import type { Gpus } from './gpus.ts';

/** A stage that can't have the GPUs, or the backend, that it wants on this host. */
export interface Shortage {
  readonly stage: StageAddress;
  readonly failure: Failure;
  /** Whether it is sure to run; otherwise what lies upstream may come out as it was, or its result be found. */
  readonly certain: boolean;
}

/** So many are told ahead; the rest fail when their turn comes. */
const TOLD_AHEAD = 10;

/**
 * Tells before hours of work are spent that a stage further down wants GPUs, or pins a backend, which this host doesn't have.
 * Where no stage runs nothing is asked: a machine without a GPU restores and skips such stages as any other does.
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
    this.#stages = stages.filter((stage) => (stage.resources.gpu ?? 0) > 0 || pinsOf(stage)?.name !== undefined);
    this.#options = options;
    this.#gpus = gpus;
  }

  /** Whether any of the selected stages wants a GPU or pins a backend. */
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
      const failure = (await this.#gpus.shortage(stage)) ?? (await this.#backendShortage(stage));
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

  /** What keeps the backend that a stage pins from loading, where that is plain: packages that a stage makes may yet come. */
  async #backendShortage(stage: Stage): Promise<Failure | undefined> {
    const pins = pinsOf(stage);
    if (pins?.name === undefined || stage.action.kind !== 'worker' || this.#makesPackages()) return undefined;
    const missing = await this.#project.modules.missingBackend(stage.action.module, pins);
    if (missing === undefined) return undefined;
    return {
      code: 'resources',
      stage: stage.address,
      message: `stage '${stage.address}' (${stage.file}:${stage.line}) pins the backend ${pins.name}, which can't be loaded here: ${missing.why}`,
      ...(missing.hint === undefined ? {} : { hint: missing.hint }),
    };
  }

  #makesPackages(): boolean {
    const stages = [...this.#project.pipeline.stages.values()];
    return stages.some(({ outs }) => outs.some(({ path }) => path.split('/').includes('node_modules')));
  }

  /** A stage and all upstream of it. */
  #above(address: StageAddress): Set<StageAddress> {
    const above = new Set([address]);
    for (const next of above) for (const upstream of this.#project.pipeline.upstream(next)) above.add(upstream);
    return above;
  }
}

function pinsOf({ action }: Stage): BackendPins | undefined {
  return action.kind === 'worker' ? action.backend : undefined;
}
