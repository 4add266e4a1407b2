/**
 * The SQLite store as it is, in a simulated world: its session, and its writer not on a thread but as tasks of the world, with messages that take their time
 * in between; its file on a disk that fails.
 */
import type { Store } from "../../src/jobs/index.ts";
// Not by the front door: the thread is what a simulation replaces.
import type { FromWriter, ToWriter, WriterOptions } from "../../src/sqlite/protocol.ts";
import type { WriterThread } from "../../src/sqlite/link.ts";
import { sqliteOn } from "../../src/sqlite/store.ts";
import { Writer } from "../../src/sqlite/writer.ts";
import { Died, Disk } from "./sqlite-disk.ts";
import type { SimulatedLife, SimulatedPlace } from "./simulate.ts";
import type { World } from "./world.ts";

export interface SqlitePlaceOptions {
  /** For a mistake: what was committed last is lost with the process. */
  readonly lazy?: boolean;
}

export function sqlitePlace(options: SqlitePlaceOptions = {}): SimulatedPlace {
  let disk: Disk | undefined;
  const claimTimes = new Map<string, number>();
  return {
    workers: 1,
    unheard: "may be done",
    rates: "lost with a process",
    store(life): Store {
      const { world } = life;
      const used = (disk ??= new Disk(world, options));
      const dieAt = world.chance(life.rates().diesInStatement) ? world.between(1, 500) : Infinity;
      used.begin({
        failing: () => life.rates().statementFails,
        // When all is healed nothing dies any more.
        dieAt: () => (life.rates().diesInStatement > 0 ? dieAt : Infinity),
      });
      return sqliteOn((writerOptions) => new SimulatedThread(life, used, writerOptions, claimTimes), used.path, {});
    },
    kill: () => disk?.leave(),
    claimedAt: ({ epoch, claim }) => claimTimes.get(`${epoch}.${claim}`),
    end: () => disk?.end(),
  };
}

type Heard = (told: never) => void;

class SimulatedThread implements WriterThread {
  readonly #life: SimulatedLife;
  readonly #world: World;
  readonly #disk: Disk;
  readonly #writer: Writer;
  readonly #heard = new Map<string, Heard>();
  readonly #inbox: ToWriter[] = [];
  readonly #outbox: FromWriter[] = [];
  readonly #claimTimes: Map<string, number>;
  /** The wall clock of the newest message, and the epoch of this writer. */
  #now: number;
  #epoch = 0;
  #over = false;

  constructor(life: SimulatedLife, disk: Disk, options: WriterOptions, claimTimes: Map<string, number>) {
    this.#life = life;
    this.#world = life.world;
    this.#disk = disk;
    this.#claimTimes = claimTimes;
    this.#now = options.now;
    this.#writer = new Writer(
      {
        clock: life.world.clock,
        post: (message, transfer) => this.#post(message, transfer),
        take: () => this.#take(),
        end: () => undefined,
        pause: () => undefined,
        database: (path, how) => disk.database(path, how),
        own: () => ({ release: () => undefined }),
      },
      options,
    );
    this.#later(() => this.#writer.open());
  }

  on(event: string, heard: Heard): void {
    this.#heard.set(event, heard);
  }

  ref(): void {}

  unref(): void {}

  terminate(): void {
    this.#over = true;
  }

  postMessage(message: ToWriter, transfer: ArrayBuffer[] = []): void {
    this.#inbox.push(structuredClone(message, { transfer }));
    this.#later(() => {
      const next = this.#take();
      if (next !== undefined) this.#writer.receive(next);
    });
  }

  #take(): ToWriter | undefined {
    const message = this.#inbox.shift();
    if (message !== undefined && message.kind !== "heard") this.#now = message.now;
    return message;
  }

  /** In the order in which they were posted. */
  #post(message: FromWriter, transfer: ArrayBuffer[]): void {
    if (message.kind === "opened") this.#epoch = message.epoch;
    if (message.kind === "committed" && message.claim !== undefined)
      this.#claimTimes.set(`${this.#epoch}.${message.claim.claim}`, this.#now);
    this.#outbox.push(structuredClone(message, { transfer }));
    this.#way(() => {
      const next = this.#outbox.shift();
      if (next !== undefined && !this.#over) this.#tell("message", next);
    });
  }

  #tell(event: string, told: unknown): void {
    this.#heard.get(event)?.(told as never);
  }

  /** A turn of the writer. */
  #later(act: () => void): void {
    this.#way(() => {
      if (this.#over || this.#disk.dead) return;
      try {
        act();
      } catch (thrown) {
        if (!(thrown instanceof Died) && !this.#disk.dead) {
          // The thread of a real store dies of that as well, and is started again.
          this.#life.defect(thrown);
          this.#over = true;
          this.#tell("error", thrown);
          return;
        }
      }
      if (this.#disk.dead) this.#life.die("in the middle of a transaction");
    });
  }

  #way(act: () => void): void {
    const { slowestMs } = this.#life.rates();
    this.#world.later(this.#life.name, slowestMs === 0 ? 0 : this.#world.random.int(slowestMs + 1), act);
  }
}
