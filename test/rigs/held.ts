import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

/** One command of a stage that has started and waits to be told how to end. */
export interface HeldCommand {
  readonly name: string;
  readonly pid: number;
  /** Lets it end with this exit status. */
  release(status?: number): void;
  /** Resolves when the process is gone, however it ended. */
  readonly gone: Promise<void>;
}

/** Commands that tests hold open through a socket, so that order and overlap are proved without sleeping. */
export interface Held {
  /** The shell command that connects under this name, waits, and then ends as it was told. */
  command(name: string): string;
  /** The command of this name, once it has started. */
  started(name: string): Promise<HeldCommand>;
  /** Names of the commands that have started and not ended, sorted. */
  running(): string[];
  /** Names in the order in which they started. */
  readonly order: readonly string[];
  close(): Promise<void>;
}

/** Runs in the stage: says its name and pid, waits for a status, ends with it. `trap` ignores SIGTERM. */
const CLIENT = `
const [socket, name, trap] = process.argv.slice(1);
if (trap) process.on('SIGTERM', () => {});
const connection = require('node:net').connect(socket);
connection.write(JSON.stringify({ name, pid: process.pid }) + '\\n');
connection.on('data', (status) => process.exit(Number(status)));
connection.on('close', () => process.exit(1));
`;

export async function holdCommands(): Promise<Held> {
  const socket = path.join(os.tmpdir(), `dag-held-${process.pid}-${Math.random().toString(36).slice(2)}.sock`);
  const waiting = new Map<string, HeldCommand[]>();
  const wanted = new Map<string, ((command: HeldCommand) => void)[]>();
  const running = new Set<HeldCommand>();
  const connections = new Set<net.Socket>();
  const order: string[] = [];
  const server = net.createServer((connection) => {
    connection.on('error', () => {});
    connections.add(connection);
    connection.once('close', () => connections.delete(connection));
    connection.once('data', (line) => {
      const { name, pid } = JSON.parse(String(line)) as { name: string; pid: number };
      let end = (): void => {};
      const gone = new Promise<void>((resolve) => {
        end = resolve;
      });
      const command: HeldCommand = { name, pid, gone, release: (status = 0) => void connection.write(String(status)) };
      running.add(command);
      order.push(name);
      // The first word of it, which comes before any of a command that started later: 'close' may come after that.
      for (const event of ['end', 'close']) {
        connection.once(event, () => {
          running.delete(command);
          end();
        });
      }
      const next = wanted.get(name)?.shift();
      if (next !== undefined) next(command);
      else waiting.set(name, [...(waiting.get(name) ?? []), command]);
    });
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    command: (name) =>
      `${process.execPath} -e '${CLIENT.replaceAll("'", '"').replaceAll('\n', ' ')}' ${socket} ${name}`,
    started: (name) => {
      const there = waiting.get(name)?.shift();
      if (there !== undefined) return Promise.resolve(there);
      return new Promise((resolve) => wanted.set(name, [...(wanted.get(name) ?? []), resolve]));
    },
    running: () => [...running].map((command) => command.name).sort(),
    order,
    close: () => {
      for (const connection of connections) connection.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
