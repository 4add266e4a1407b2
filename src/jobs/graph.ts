/** Builds jobs that depend on each other, and enqueues them in one commit. */
import { Err, Ok, type Result } from "../core/index.ts";
import type {
  EnqueueFault,
  EnqueueOptions,
  GraphNode,
  InvalidInput,
  Job,
  JobGraph,
  JobRef,
  NodeOptions,
  StartedGraph,
} from "../contract/index.ts";
import type { NewJobOptions } from "./new-job.ts";

/** One job, on its way to a record. */
export interface PlannedJob {
  readonly job: Job;
  readonly input: unknown;
  readonly options: NewJobOptions | undefined;
}

/** Checks and commits all, or nothing. A fault of an input names its place in front of each pointer. */
export type EnqueuePlanned = (
  planned: readonly PlannedJob[],
) => Promise<Result<readonly JobRef[], EnqueueFault | ReturnType<typeof InvalidInput>>>;

type Parent = Pick<EnqueueOptions, "parent">;

export class Graph implements JobGraph {
  readonly #enqueue: EnqueuePlanned;
  readonly #parent: Parent;
  readonly #most: number;
  readonly #nodes: PlannedJob[] = [];
  #started = false;

  constructor(enqueue: EnqueuePlanned, parent: Parent, most: number) {
    this.#enqueue = enqueue;
    this.#parent = parent;
    this.#most = most;
  }

  add<J extends Job>(job: J, input: unknown, { after, ...options }: NodeOptions = {}): GraphNode<J> {
    if (this.#started)
      throw new TypeError(`graph.add("${job.name}"): the graph is enqueued already. Begin another one.`);
    if (this.#nodes.length >= this.#most) throw new TypeError(`A graph has at most ${this.#most} jobs.`);
    const place = this.#nodes.length;
    this.#nodes.push({
      job,
      input,
      options: {
        ...this.#parent,
        ...options,
        ...(after !== undefined && { after: after.map((one) => this.#dependency(job, one)) }),
      },
    });
    return new Node(this, job, place);
  }

  async enqueue(): Promise<Result<StartedGraph, EnqueueFault>> {
    if (this.#started) throw new TypeError("graph.enqueue(): the graph is enqueued already. Begin another one.");
    this.#started = true;
    const made = await this.#enqueue(this.#nodes);
    // Nothing was kept: the same graph may be offered again.
    if (!made.ok) this.#started = false;
    return made.ok ? new Ok(new Started(this, made.value)) : new Err(made.fault);
  }

  #dependency(job: Job, one: GraphNode | JobRef | string): number | JobRef | string {
    if (typeof one !== "object" || !("place" in one)) return one;
    if (one instanceof Node && one.graph === this) return one.place;
    throw new TypeError(`graph.add("${job.name}"): after names a node of another graph.`);
  }
}

class Node<J extends Job> implements GraphNode<J> {
  readonly graph: Graph;
  readonly job: J;
  readonly place: number;

  constructor(graph: Graph, job: J, place: number) {
    this.graph = graph;
    this.job = job;
    this.place = place;
  }
}

class Started implements StartedGraph {
  readonly #graph: Graph;
  readonly refs: readonly JobRef[];

  constructor(graph: Graph, refs: readonly JobRef[]) {
    this.#graph = graph;
    this.refs = refs;
  }

  ref<J extends Job>(node: GraphNode<J>): JobRef<J> {
    const ref = node instanceof Node && node.graph === this.#graph ? this.refs[node.place] : undefined;
    if (ref === undefined) throw new TypeError(`ref("${node.job.name}"): the node is of another graph.`);
    // The job at this place is the node's.
    return ref;
  }
}

/** The jobs of a batch, and the last one that runs after all of them. */
export function planBatch(
  job: Job,
  inputs: readonly unknown[],
  last: { readonly job: Job; readonly input: unknown; readonly on?: "succeeded" | "finished" },
  options: Omit<EnqueueOptions, "uniqueKey" | "on"> | undefined,
): readonly PlannedJob[] {
  const planned: PlannedJob[] = inputs.map((input) => ({ job, input, options }));
  const { job: lastJob, input, on = "finished" } = last;
  planned.push({
    job: lastJob,
    input,
    options: {
      ...(options?.parent !== undefined && { parent: options.parent }),
      after: inputs.map((_, place) => place),
      on,
    },
  });
  return planned;
}
