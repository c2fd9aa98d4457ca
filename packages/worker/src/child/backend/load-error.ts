/** Why a backend can't be loaded, where more is known than what was thrown. */
export class LoadError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.name = 'LoadError';
    this.hint = hint;
  }
}
