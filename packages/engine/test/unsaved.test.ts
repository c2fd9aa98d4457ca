import { expect, test } from 'vitest';
import { tellUnsaved } from '../src/run/unsaved.ts';

function told(steps: (unsaved: ReturnType<typeof tellUnsaved>) => void): string[] {
  const messages: string[] = [];
  const unsaved = tellUnsaved('train', (message, hint) => messages.push(`${message}; ${hint}`));
  steps(unsaved);
  unsaved.end();
  return messages;
}

test('a disk that stays full is told once, and at the end how long that was', () => {
  const messages = told(({ lost }) => {
    for (let step = 3; step <= 40; step++)
      lost(step, `ENOSPC: no space left on device, ${step % 2 ? 'write' : 'fsync'}`);
  });
  expect(messages).toEqual([
    "stage 'train' could not save step 3: ENOSPC: no space left on device, write; it goes on; what was saved before is as it was",
    "stage 'train' could not save the 37 after it, up to step 40, either; it would go on from what was saved before",
  ]);
});

test('each row of them is told, and each reason', () => {
  const messages = told(({ lost, saved }) => {
    saved();
    lost(1, 'ENOSPC: full');
    lost(2, 'ENOSPC: full');
    saved();
    lost(4, 'ENOSPC: full');
    lost(5, 'EROFS: read-only');
    saved();
    saved();
  });
  expect(messages.map((message) => message.replace(/^stage 'train' could not save /, ''))).toEqual([
    'step 1: ENOSPC: full; it goes on; what was saved before is as it was',
    'step 2 either; its checkpoints are saved again',
    'step 4: ENOSPC: full; it goes on; what was saved before is as it was',
    'step 5: EROFS: read-only; it goes on; what was saved before is as it was',
  ]);
});
