import { FailureError } from '@dag/model';

/** The value of a flag that counts things. */
export function positiveInteger(flag: string, text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new FailureError({ code: 'usage', message: `${flag} takes a whole number from 1, not '${text}'` });
}

/** Digits behind the point that tables of metrics show. */
const PRECISION = 5;

/** The value of `--precision`. */
export function precisionOf(text: string | undefined): number {
  if (text === undefined) return PRECISION;
  if (/^\d{1,2}$/.test(text)) return Number(text);
  throw new FailureError({ code: 'usage', message: `--precision takes a whole number from 0 to 99, not '${text}'` });
}
