import { FailureError } from '@dag/model';

/** The value of a flag that counts things. */
export function positiveInteger(flag: string, text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new FailureError({ code: 'usage', message: `${flag} takes a whole number from 1, not '${text}'` });
}
