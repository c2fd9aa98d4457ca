/** A primitive that must not be swapped for another of the same type. Each brand has one constructor that validates. */
export type Brand<T, Name extends string> = T & { readonly __brand: Name };

/** The end of every exhaustive switch: a variant that reaches it does not compile. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
