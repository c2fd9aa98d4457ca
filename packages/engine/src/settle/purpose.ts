/** What a stage's paths are held for, in the words that others see. */
export function purposeOf(stage: string): string {
  return `dag repro: stage '${stage}'`;
}
