import { BACKENDS } from '@dag/model';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ChildMessage, PROTOCOL_VERSION, readChildMessage, readParentMessage, wrap } from '../src/protocol.ts';

const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const facts = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.double(), fc.boolean()), {
  noNullPrototype: true,
});
const backend = fc.record({
  name: fc.constantFrom(...BACKENDS),
  package: fc.string(),
  version: fc.string(),
  facts: optional(facts),
});

/** Any message that a child may send; keys that are absent are absent, not undefined. */
const childMessage: fc.Arbitrary<ChildMessage> = fc
  .oneof(
    fc.record({ type: fc.constant('ready'), version: fc.nat(), node: fc.string(), backend: optional(backend) }),
    fc.record({
      type: fc.constant('progress'),
      fraction: optional(fc.double()),
      done: optional(fc.double()),
      total: optional(fc.double()),
      text: optional(fc.string()),
    }),
    fc.record({ type: fc.constant('beat') }),
    fc.record({ type: fc.constant('done'), backend: optional(backend) }),
    fc.record({
      type: fc.constant('failed'),
      error: fc.record({ name: fc.string(), message: fc.string(), stack: fc.string(), hint: fc.string() }),
      backend: optional(backend),
    }),
  )
  .map((message) => Object.fromEntries(Object.entries(message).filter(([, v]) => v !== undefined)) as ChildMessage);

describe('the protocol', () => {
  test('a child message is read as it was sent', () => {
    fc.assert(
      fc.property(childMessage, (message) => {
        expect(readChildMessage(structuredClone(wrap(message)))).toEqual(message);
      }),
    );
  });

  test('nothing that a module sends by itself is taken for a message of ours', () => {
    fc.assert(
      fc.property(fc.anything(), (raw) => {
        expect(readChildMessage(raw)).toBeUndefined();
      }),
    );
  });

  test('a message of ours with a wrong field is passed over, never half read', () => {
    const bad = [
      { type: 'ready', version: '1', node: 'v20' },
      { type: 'failed', error: 'text' },
      { type: 'from a later version' },
    ];
    for (const message of bad) {
      expect(readChildMessage({ dag: PROTOCOL_VERSION, message })).toBeUndefined();
    }
  });

  test('a backend that this version does not know is left out', () => {
    const message = { type: 'done', backend: { name: 'abacus', package: 'x', version: '1' } };
    expect(readChildMessage({ dag: PROTOCOL_VERSION, message })).toEqual({ type: 'done' });
  });

  test('the parent says init and cancel, and nothing else', () => {
    const cancel = { type: 'cancel', reason: 'timeout' } as const;
    expect(readParentMessage(wrap(cancel))).toEqual(cancel);
    expect(readParentMessage({ dag: PROTOCOL_VERSION, message: { type: 'done' } })).toBeUndefined();
    expect(readParentMessage(cancel)).toBeUndefined();
  });
});
