import { afterEach, beforeEach } from 'vitest';
import { type Held, holdCommands } from './held.ts';
import { makeProject, type TestProject } from './project.ts';

/**
 * Something that each test of a file has for itself: made before it and removed after it, what was made last first. What is
 * returned stands for the one of the test that runs.
 */
export function perTest<T extends object>(make: () => T | Promise<T>, remove: (one: T) => unknown): T {
  let current: T | undefined;
  beforeEach(async () => {
    current = await make();
  });
  afterEach(async () => {
    const one = current;
    current = undefined;
    if (one !== undefined) await remove(one);
  });
  return new Proxy({} as T, {
    get: (_, key) => {
      if (current === undefined) throw new Error('there is none outside of a test');
      return Reflect.get(current, key);
    },
  });
}

/** A project for each test. */
export function projectPerTest(): TestProject {
  return perTest(makeProject, (project) => project.remove());
}

/** Commands held open, for each test. */
export function heldPerTest(): Held {
  return perTest(holdCommands, (held) => held.close());
}
