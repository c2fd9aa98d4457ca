import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { checkpointStep } from '../../protocol.ts';

/** What a killed process was writing. */
const BESIDE = /^\d{8,15}-step-\d+\.checkpoint\.tmp$/;

/** A checkpoint in a folder, by its name alone. */
export interface Named {
  readonly name: string;
  readonly number: number;
  readonly step: number;
}

/** The name of a checkpoint. */
export function checkpointName(number: number, step: number): string {
  return `${String(number).padStart(8, '0')}-step-${step}.checkpoint`;
}

/** All checkpoints of a folder, newest first. */
export async function listCheckpoints(folder: string): Promise<Named[]> {
  const found = (await readdir(folder)).flatMap((name): Named[] => {
    const one = checkpointStep(name);
    return one === undefined ? [] : [{ name, ...one }];
  });
  return found.sort((a, b) => b.number - a.number);
}

/** Keeps the newest `keep` checkpoints, and nothing that a killed process was writing. */
export async function pruneCheckpoints(folder: string, keep: number): Promise<void> {
  const old = (await listCheckpoints(folder)).slice(keep).map(({ name }) => name);
  const begun = (await readdir(folder)).filter((name) => BESIDE.test(name));
  for (const name of [...old, ...begun]) await rm(join(folder, name), { force: true });
}

/** A damaged checkpoint counts as none, and is kept to be looked at until the stage has finished. */
export async function putAside(folder: string, name: string): Promise<void> {
  await rename(join(folder, name), join(folder, `${name}.damaged`)).catch(() => {});
}
