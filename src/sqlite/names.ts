/** Job names as the calling thread numbers them, and as the file does. */
import { must } from "./must.ts";
import type { JobPolicy } from "../jobs/index.ts";
import { setPolicy } from "./limiting.ts";
import { makeName, type Core, type JobName } from "./core.ts";

export class NameBook {
  readonly #core: Core;
  readonly #told: string[] = [];
  readonly #policies: (JobPolicy | undefined)[] = [];

  constructor(core: Core) {
    this.#core = core;
  }

  /** Names that the calling thread numbers from `from` on. */
  tell(from: number, names: readonly string[], policies: readonly (JobPolicy | undefined)[]): void {
    names.forEach((name, index) => {
      this.#told[from + index] = name;
      this.#policies[from + index] = policies[index];
    });
  }

  ofNumber(local: number): JobName {
    const core = this.#core;
    const known = core.namesByLocal.get(local);
    if (known !== undefined) return known;
    const name = this.#learn(must(this.#told[local]), local);
    core.namesByLocal.set(local, name);
    return name;
  }

  ofText(text: string): JobName {
    const known = this.#core.names.get(text);
    return known !== undefined && known.local >= 0 ? known : this.ofNumber(this.#told.indexOf(text));
  }

  #learn(text: string, local: number): JobName {
    const core = this.#core;
    let name = core.names.get(text);
    if (name === undefined) {
      const id = Number(core.sql.insertName.run(text).lastInsertRowid);
      name = makeName(id, text);
      setPolicy(core, name, this.#policies[local]);
      core.names.set(text, name);
      core.namesById.set(id, name);
      core.journal.add(() => {
        core.names.delete(text);
        core.namesById.delete(id);
      });
    }
    name.local = local;
    core.journal.add(() => core.namesByLocal.delete(local));
    return name;
  }
}
