/** A graph to be shown: names in topological order, edges upstream → downstream. */
export interface ShownGraph {
  readonly nodes: readonly string[];
  readonly edges: readonly (readonly [string, string])[];
}

/**
 * Draws a graph as text, a node a line, in topological order, with rails for the edges on their way down (as
 * `git log --graph` does, upside down): each node stands below all that it needs.
 */
export function drawGraph({ nodes, edges }: ShownGraph): string {
  const downstream = new Map<string, Set<string>>();
  for (const [from, to] of edges) {
    const set = downstream.get(from) ?? new Set();
    downstream.set(from, set.add(to));
  }
  /** Each rail carries one upstream node down to those of its downstream nodes that are still to come. */
  const rails: (Set<string> | undefined)[] = [];
  const lines: string[] = [];
  for (const node of nodes) {
    const incoming = rails.flatMap((rail, index) => (rail?.has(node) === true ? [index] : []));
    for (const index of incoming) rails[index]?.delete(node);
    const ending = incoming.filter((index) => rails[index]?.size === 0);
    for (const index of ending) rails[index] = undefined;
    const free = ending[0] ?? rails.indexOf(undefined);
    const column = free === -1 ? rails.length : free;
    if (incoming.length > 0) lines.push(joinLine(rails, incoming, column));
    const wanted = downstream.get(node);
    rails[column] = undefined;
    lines.push(`${railsText(rails, column)} ${node}`);
    if (wanted !== undefined && wanted.size > 0) rails[column] = new Set(wanted);
    while (rails.length > 0 && rails.at(-1) === undefined) rails.pop();
  }
  return `${lines.join('\n')}${lines.length > 0 ? '\n' : ''}`;
}

function railsText(rails: readonly (Set<string> | undefined)[], column: number): string {
  const width = Math.max(rails.length, column + 1);
  const cells = Array.from({ length: width }, (_, index) => (index === column ? '●' : rails[index] ? '│' : ' '));
  return cells.join(' ').trimEnd();
}

/** The line above a node: rails that lead to it bend into its column; others pass it unbroken. */
function joinLine(rails: readonly (Set<string> | undefined)[], incoming: readonly number[], column: number): string {
  const all = [...incoming, column];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const width = Math.max(rails.length, high + 1);
  let line = '';
  for (let index = 0; index < width; index++) {
    const goesOn = rails[index] !== undefined;
    const inSpan = index >= low && index <= high && low !== high;
    let cell = ' ';
    if (incoming.includes(index) || index === column) {
      const [left, right] = [inSpan && index > low, inSpan && index < high];
      const down = goesOn || index === column;
      const up = incoming.includes(index) || goesOn;
      cell = corner(up, down, left, right);
    } else if (goesOn) cell = '│';
    else if (inSpan) cell = '─';
    line += cell;
    if (index < width - 1) line += inSpan && index < high ? '─' : ' ';
  }
  return line.trimEnd();
}

function corner(up: boolean, down: boolean, left: boolean, right: boolean): string {
  const key = `${up ? 'u' : ''}${down ? 'd' : ''}${left ? 'l' : ''}${right ? 'r' : ''}`;
  return CORNERS[key] ?? '│';
}

const CORNERS: Readonly<Record<string, string>> = {
  ud: '│',
  udl: '┤',
  udr: '├',
  udlr: '┼',
  ul: '╯',
  ur: '╰',
  ulr: '┴',
  dl: '╮',
  dr: '╭',
  dlr: '┬',
};

/** What labels of Mermaid take for marks or HTML, and how they write it. */
const MERMAID_ESCAPES: Readonly<Record<string, string>> = {
  '"': '#quot;',
  '#': '#35;',
  '&': '#amp;',
  '<': '#lt;',
  '>': '#gt;',
  '`': '#96;',
};

/** A Mermaid flowchart. */
export function mermaidText({ nodes, edges }: ShownGraph): string {
  const ids = new Map(nodes.map((node, index) => [node, `n${index + 1}`]));
  const lines = nodes.map(
    (node) => `  ${ids.get(node)}["${node.replaceAll(/["#&<>`]/g, (c) => MERMAID_ESCAPES[c] ?? c)}"]`,
  );
  return `flowchart TD\n${[...lines, ...edges.map(([from, to]) => `  ${ids.get(from)} --> ${ids.get(to)}`)].join('\n')}\n`;
}

/** A Graphviz digraph. */
export function dotText({ nodes, edges }: ShownGraph): string {
  const quoted = (name: string): string => JSON.stringify(name);
  const lines = [
    ...nodes.map((node) => `  ${quoted(node)};`),
    ...edges.map(([a, b]) => `  ${quoted(a)} -> ${quoted(b)};`),
  ];
  return `digraph {\n${lines.join('\n')}\n}\n`;
}
