/**
 * What a container may use, as the kernel tells it: cgroup v2 and v1, nested groups and all. Reads through a function, so that
 * the files of any container can be put under it.
 *
 * A group's limit holds for everything below it, so the least on the way from this process's own group to the root counts. Where
 * the container has a cgroup namespace its path is `/`; where it has none (Docker with v1) the path is the host's, and the mount's
 * root says which part of it is visible.
 *
 * Sources: cgroups(7); kernel Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/; proc(5) for mountinfo.
 */
export interface CgroupLimits {
  /** Bytes before the kernel kills. */
  readonly memoryMax?: number;
  /** Bytes before the kernel slows the group down and reclaims. v2 only. */
  readonly memoryHigh?: number;
  /** Cores' worth of time: 0.5 is half of one. */
  readonly cpus?: number;
  /** Where these come from; undefined: no group limits anything. */
  readonly version?: 1 | 2;
}

/** The text of a file; undefined when it cannot be read. */
export type ReadFile = (path: string) => string | undefined;

export function cgroupLimits(read: ReadFile): CgroupLimits {
  const groups = parseGroups(read("/proc/self/cgroup") ?? "");
  const mounts = parseMounts(read("/proc/self/mountinfo") ?? "");
  const v2 = unified(groups, mounts, read);
  const v1 = legacy(groups, mounts, read);
  // A hybrid system has an empty v2 beside the controllers of v1.
  const limits = { ...v1, ...v2 };
  if (Object.keys(limits).length === 0) return {};
  return { ...limits, version: Object.keys(v2).length > 0 ? 2 : 1 };
}

interface Group {
  readonly controllers: readonly string[];
  readonly path: string;
}

interface Mount {
  /** The group that is mounted there. */
  readonly root: string;
  readonly point: string;
  readonly type: string;
  /** Of the superblock: v1 names its controllers here. */
  readonly options: readonly string[];
}

/** `4:memory:/docker/ab`, `0::/user.slice/x.scope`. A path may hold colons. */
function parseGroups(text: string): Group[] {
  return text.split("\n").flatMap((line) => {
    const parts = /^\d+:([^:]*):(\/.*)$/.exec(line);
    if (parts === null) return [];
    const [, controllers = "", path = ""] = parts;
    return [{ controllers: controllers === "" ? [] : controllers.split(","), path }];
  });
}

/** `30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate`: optional fields end at the dash. */
function parseMounts(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [before = "", after] = line.split(" - ");
    if (after === undefined) return [];
    const [, , , root = "", point = ""] = before.split(" ");
    const [type = "", , options = ""] = after.split(" ");
    if (type !== "cgroup" && type !== "cgroup2") return [];
    return [{ root: unescape(root), point: unescape(point), type, options: options.split(",") }];
  });
}

/** Spaces and the like stand as `\040` in mountinfo. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** Folders from the process's own group up to the one that is mounted, as far as they are visible. */
function foldersOf({ path }: Group, { root, point }: Mount): string[] {
  const base = root === "/" ? "" : root;
  const inside = path === base || path.startsWith(`${base}/`) ? path.slice(base.length) : path;
  // Outside of the namespace: `/../../x`. Only what is mounted can be seen.
  const names = inside.split("/").filter((name) => name !== "" && name !== ".");
  const visible = names.includes("..") ? [] : names;
  return Array.from({ length: visible.length + 1 }, (_, i) =>
    [point, ...visible.slice(0, visible.length - i)].join("/"),
  );
}

function unified(groups: readonly Group[], mounts: readonly Mount[], read: ReadFile): CgroupLimits {
  const group = groups.find(({ controllers }) => controllers.length === 0);
  const mount = mounts.find(({ type }) => type === "cgroup2");
  if (group === undefined || mount === undefined) return {};
  const folders = foldersOf(group, mount);
  return limitsOf(
    least(folders, (folder) => bytes(read(`${folder}/memory.max`))),
    least(folders, (folder) => bytes(read(`${folder}/memory.high`))),
    least(folders, (folder) => {
      const [quota, period] = (read(`${folder}/cpu.max`) ?? "").trim().split(" ");
      return quota === "max" ? undefined : share(quota, period);
    }),
  );
}

function legacy(groups: readonly Group[], mounts: readonly Mount[], read: ReadFile): CgroupLimits {
  const foldersFor = (controller: string): string[] => {
    const group = groups.find(({ controllers }) => controllers.includes(controller));
    const mount = mounts.find(({ type, options }) => type === "cgroup" && options.includes(controller));
    return group === undefined || mount === undefined ? [] : foldersOf(group, mount);
  };
  return limitsOf(
    least(foldersFor("memory"), (folder) => bytes(read(`${folder}/memory.limit_in_bytes`))),
    undefined,
    least(foldersFor("cpu"), (folder) =>
      share(read(`${folder}/cpu.cfs_quota_us`)?.trim(), read(`${folder}/cpu.cfs_period_us`)?.trim()),
    ),
  );
}

function limitsOf(
  memoryMax: number | undefined,
  memoryHigh: number | undefined,
  cpus: number | undefined,
): CgroupLimits {
  return {
    ...(memoryMax !== undefined && { memoryMax }),
    ...(memoryHigh !== undefined && { memoryHigh }),
    ...(cpus !== undefined && { cpus }),
  };
}

function least(folders: readonly string[], value: (folder: string) => number | undefined): number | undefined {
  const values = folders.map(value).filter((one) => one !== undefined);
  return values.length === 0 ? undefined : Math.min(...values);
}

/** Nobody has so much: v1 writes "no limit" as 2^63 less a page. */
const noLimit = 2 ** 60;

/** `max` and what is no number: no limit. */
function bytes(text: string | undefined): number | undefined {
  const value = /^\d+$/.test(text?.trim() ?? "") ? Number(text) : Infinity;
  return value > 0 && value < noLimit ? value : undefined;
}

/** A quota of -1 is none. */
function share(quota: string | undefined, period: string | undefined): number | undefined {
  const cpus = Number(quota ?? Number.NaN) / Number(period ?? Number.NaN);
  return Number.isFinite(cpus) && cpus > 0 ? cpus : undefined;
}
