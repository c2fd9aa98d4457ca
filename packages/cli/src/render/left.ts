import type { Left } from '@dag/engine';
import { bytesText, count } from './units.ts';

/** What a stage goes on from: `from step 120 of 2026-01-31 12:00:00 UTC`. */
export function leftText({ step, at, files, bytes }: Left): string {
  const when = `${at.slice(0, 19).replace('T', ' ')} UTC`;
  if (step !== undefined) return `from step ${step} of ${when}`;
  return `from what it left at ${when} (${count(files, 'file')}, ${bytesText(bytes)})`;
}
