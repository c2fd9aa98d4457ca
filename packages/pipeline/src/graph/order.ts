/**
 * Topological order, in the order of the list among equals. Stages of a cycle come last.
 * @param downstream for each stage, the indices of those that need it; @param waiting how many each one needs.
 */
export function topologicalOrder(downstream: readonly (readonly number[])[], waiting: readonly number[]): number[] {
  const left = [...waiting];
  const heap = new IndexHeap();
  left.forEach((count, i) => {
    if (count === 0) heap.push(i);
  });
  const order: number[] = [];
  for (let next = heap.pop(); next !== undefined; next = heap.pop()) {
    order.push(next);
    for (const other of downstream[next] ?? []) {
      const count = (left[other] ?? 0) - 1;
      left[other] = count;
      if (count === 0) heap.push(other);
    }
  }
  return order;
}

/** A binary heap of numbers, smallest first. */
class IndexHeap {
  private readonly items: number[] = [];

  push(value: number): void {
    const { items } = this;
    let i = items.length;
    items.push(value);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = items[parent] as number;
      if (above <= value) break;
      items[i] = above;
      items[parent] = value;
      i = parent;
    }
  }

  pop(): number | undefined {
    const { items } = this;
    const top = items[0];
    const last = items.pop();
    if (top === undefined || last === undefined || items.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && (items[child + 1] as number) < (items[child] as number)) child++;
      if ((items[child] as number) >= last) break;
      items[i] = items[child] as number;
      i = child;
    }
    items[i] = last;
    return top;
  }
}

/**
 * The cycles among stages that no topological order holds: a shortest one for each set of stages that all need each other,
 * as indices in the order of the edges, the earliest stage first.
 */
export function findCycles(upstream: readonly (readonly number[])[], rest: ReadonlySet<number>): number[][] {
  const cycles: number[][] = [];
  for (const component of components(upstream, rest)) {
    const cycle = shortestCycle(upstream, component);
    const first = cycle.indexOf(Math.min(...cycle));
    if (cycle.length > 0) cycles.push([...cycle.slice(first), ...cycle.slice(0, first)]);
  }
  return cycles.sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
}

/** Sets of two or more stages that all need each other: Tarjan's algorithm, without recursion. */
function components(upstream: readonly (readonly number[])[], rest: ReadonlySet<number>): Set<number>[] {
  const found: Set<number>[] = [];
  const index = new Map<number, number>();
  const low = new Map<number, number>();
  const open: number[] = [];
  const isOpen = new Set<number>();
  for (const root of rest) {
    if (index.has(root)) continue;
    const work: { at: number; next: number }[] = [];
    const enter = (at: number) => {
      index.set(at, index.size);
      low.set(at, index.size - 1);
      open.push(at);
      isOpen.add(at);
      work.push({ at, next: 0 });
    };
    const lower = (at: number, to: number | undefined) =>
      low.set(at, Math.min(low.get(at) ?? 0, to ?? Number.POSITIVE_INFINITY));
    enter(root);
    for (let frame = work.at(-1); frame !== undefined; frame = work.at(-1)) {
      const other = upstream[frame.at]?.[frame.next++];
      if (other === undefined) {
        work.pop();
        const above = work.at(-1);
        if (above !== undefined) lower(above.at, low.get(frame.at));
        if (low.get(frame.at) !== index.get(frame.at)) continue;
        const members = new Set(open.splice(open.lastIndexOf(frame.at)));
        for (const member of members) isOpen.delete(member);
        if (members.size > 1) found.push(members);
      } else if (rest.has(other)) {
        if (!index.has(other)) enter(other);
        else if (isOpen.has(other)) lower(frame.at, index.get(other));
      }
    }
  }
  return found;
}

/** A shortest cycle through the first stage of such a set, by breadth. */
function shortestCycle(upstream: readonly (readonly number[])[], members: ReadonlySet<number>): number[] {
  const start = Math.min(...members);
  const next = new Map<number, number>();
  const queue = [start];
  for (const at of queue) {
    for (const other of upstream[at] ?? []) {
      if (other === start) {
        const cycle: number[] = [];
        for (let step: number | undefined = at; step !== undefined; step = next.get(step)) cycle.push(step);
        return cycle;
      }
      if (!members.has(other) || next.has(other)) continue;
      next.set(other, at);
      queue.push(other);
    }
  }
  return [];
}
