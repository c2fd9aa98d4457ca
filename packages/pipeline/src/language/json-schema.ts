import { DO, FOREACH, PIPELINE_FIELDS, STAGE } from './definition.ts';
import type { Fields, Shape } from './shape.ts';

/** The JSON Schema of pipeline.yaml (draft 2020-12), from the same definition that the parser checks against. */
export function pipelineJsonSchema(): object {
  const pipeline = mapSchema(PIPELINE_FIELDS, [], false);
  const properties = pipeline['properties'] as Record<string, object>;
  properties['stages'] = {
    type: 'object',
    description: PIPELINE_FIELDS['stages']?.doc,
    additionalProperties: {
      if: { anyOf: [{ required: ['foreach'] }, { required: ['do'] }] },
      // biome-ignore lint/suspicious/noThenProperty: a word of JSON Schema
      then: { $ref: '#/$defs/foreach' },
      else: { $ref: '#/$defs/stage' },
    },
  };
  const action = { anyOf: [{ required: ['cmd'] }, { required: ['worker'] }] };
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'pipeline.yaml',
    ...pipeline,
    $defs: {
      stage: { ...schemaOf(STAGE, true), ...action },
      foreach: foreachSchema(),
      do: { ...schemaOf(DO, true), ...action },
    },
  };
}

function foreachSchema(): object {
  const schema = schemaOf(FOREACH, true);
  const properties = schema['properties'] as Record<string, object>;
  properties['do'] = { $ref: '#/$defs/do' };
  return schema;
}

/** A scalar other than text may be written as a template inside stages. */
const TEMPLATE = { type: 'string', pattern: '\\$\\{' };

function schemaOf(shape: Shape, templates: boolean): Record<string, unknown> {
  switch (shape.type) {
    case 'text': {
      if (shape.values === undefined) return { type: 'string' };
      return orTemplate({ enum: [...shape.values] }, templates);
    }
    case 'boolean':
      return orTemplate({ type: 'boolean' }, templates);
    case 'integer':
      return orTemplate({ type: 'integer', minimum: shape.least }, templates);
    case 'number':
      return orTemplate({ type: 'number', minimum: 0 }, templates);
    case 'null':
      return shape.empty === true ? { enum: [null, {}, '', false] } : { type: 'null' };
    case 'any':
      return {};
    case 'list':
      return { type: 'array', items: schemaOf(shape.of, templates) };
    case 'map':
      return mapSchema(shape.fields, shape.required, templates);
    case 'table':
      return { type: 'object', additionalProperties: schemaOf(shape.of, templates) };
    case 'either':
      return { anyOf: shape.shapes.map((option) => schemaOf(option, templates)) };
  }
}

function orTemplate(schema: Record<string, unknown>, templates: boolean): Record<string, unknown> {
  return templates ? { anyOf: [schema, TEMPLATE] } : schema;
}

function mapSchema(fields: Fields, required: readonly string[], templates: boolean): Record<string, unknown> {
  const properties: Record<string, object> = {};
  for (const [key, { shape, doc }] of Object.entries(fields)) {
    properties[key] = { description: doc, ...schemaOf(shape, templates) };
  }
  return {
    type: 'object',
    additionalProperties: false,
    properties,
    ...(required.length === 0 ? {} : { required: [...required] }),
  };
}
