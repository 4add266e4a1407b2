/** The kernel's files as containers of several kinds have them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cgroupLimits, type CgroupLimits } from "./cgroup.ts";

const id = "3f1c9b0e5d2a4c6f8e7b1a2c3d4e5f60718293a4b5c6d7e8f9a0b1c2d3e4f506";
const noLimit = "9223372036854771712\n";

interface Fixture {
  readonly name: string;
  readonly files: { readonly [path: string]: string };
  readonly limits: CgroupLimits;
}

const fixtures: readonly Fixture[] = [
  {
    name: "Docker with cgroup v2: a namespace of its own, --memory=512m --cpus=1.5",
    files: {
      "/proc/self/cgroup": "0::/\n",
      "/proc/self/mountinfo":
        "1021 1011 0:120 / / rw,relatime master:445 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/A\n" +
        "1030 1029 0:29 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate,memory_recursiveprot\n",
      "/sys/fs/cgroup/memory.max": "536870912\n",
      "/sys/fs/cgroup/memory.high": "max\n",
      "/sys/fs/cgroup/cpu.max": "150000 100000\n",
    },
    limits: { memoryMax: 536_870_912, cpus: 1.5, version: 2 },
  },
  {
    name: "Docker with cgroup v1: the host's path, and a mount whose root is that path",
    files: {
      "/proc/self/cgroup":
        `12:pids:/docker/${id}\n11:memory:/docker/${id}\n10:cpu,cpuacct:/docker/${id}\n` +
        `1:name=systemd:/docker/${id}\n0::/system.slice/containerd.service\n`,
      "/proc/self/mountinfo":
        `707 705 0:31 /docker/${id} /sys/fs/cgroup/memory ro,nosuid,nodev,noexec,relatime master:14 - cgroup cgroup rw,memory\n` +
        `706 705 0:30 /docker/${id} /sys/fs/cgroup/cpu,cpuacct ro,nosuid,nodev,noexec,relatime master:13 - cgroup cgroup rw,cpu,cpuacct\n`,
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "268435456\n",
      "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
      "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    },
    limits: { memoryMax: 268_435_456, cpus: 0.5, version: 1 },
  },
  {
    name: "Kubernetes with cgroup v2 and no namespace: the pod's limit is above the container's",
    files: {
      "/proc/self/cgroup": `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-${id}.scope\n`,
      "/proc/self/mountinfo": "38 24 0:33 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
      "/sys/fs/cgroup/kubepods.slice/memory.max": "8000000000\n",
      "/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/memory.max": "1073741824\n",
      "/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cpu.max": "200000 100000\n",
      [`/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-${id}.scope/memory.max`]:
        "max\n",
      [`/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-${id}.scope/cpu.max`]:
        "max 100000\n",
    },
    limits: { memoryMax: 1_073_741_824, cpus: 2, version: 2 },
  },
  {
    name: "Kubernetes with cgroup v1",
    files: {
      "/proc/self/cgroup": `4:memory:/kubepods/besteffort/pod2/${id}\n5:cpuacct,cpu:/kubepods/besteffort/pod2/${id}\n`,
      "/proc/self/mountinfo":
        `900 899 0:32 /kubepods/besteffort/pod2/${id} /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n` +
        `901 899 0:33 /kubepods/besteffort/pod2/${id} /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n`,
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": noLimit,
      "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
      "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    },
    limits: {},
  },
  {
    name: "a systemd scope with MemoryHigh=400M and MemoryMax=500M, nested in the user's slice",
    files: {
      "/proc/self/cgroup": "0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-u1:2.scope\n",
      "/proc/self/mountinfo": "35 24 0:30 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
      "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/run-u1:2.scope/memory.max": "524288000\n",
      "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/run-u1:2.scope/memory.high": "419430400\n",
      "/sys/fs/cgroup/user.slice/user-1000.slice/memory.max": "max\n",
    },
    limits: { memoryMax: 524_288_000, memoryHigh: 419_430_400, version: 2 },
  },
  {
    name: "a hybrid system: v1 has the controllers, v2 is there and empty",
    files: {
      "/proc/self/cgroup": "4:memory:/worker/7\n1:cpu:/\n0::/\n",
      "/proc/self/mountinfo":
        "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n" +
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n" +
        "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": noLimit,
      "/sys/fs/cgroup/memory/worker/memory.limit_in_bytes": "700000000\n",
      "/sys/fs/cgroup/memory/worker/7/memory.limit_in_bytes": "900000000\n",
    },
    limits: { memoryMax: 700_000_000, version: 1 },
  },
  {
    name: "a group outside of the namespace: only what is mounted can be seen",
    files: {
      "/proc/self/cgroup": "0::/../../other\n",
      "/proc/self/mountinfo": "35 24 0:30 / /sys/fs/cgroup\\040x rw - cgroup2 cgroup2 rw\n",
      "/sys/fs/cgroup x/memory.max": "300000000\n",
    },
    limits: { memoryMax: 300_000_000, version: 2 },
  },
  { name: "no limit at all", files: { "/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": "" }, limits: {} },
  { name: "not Linux", files: {}, limits: {} },
];

for (const { name, files, limits } of fixtures) {
  test(name, () => {
    assert.deepEqual(
      cgroupLimits((path) => files[path]),
      limits,
    );
  });
}

test("whatever stands in the files, nothing is thrown and every limit is a number above 0", () => {
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom(
      "max",
      "0",
      "-1",
      "max 100000",
      "1 0",
      "0::/a/../b",
      "4:memory:/x",
      "31 2 0:1 / /m rw - cgroup2 c rw",
    ),
  );
  fc.assert(
    fc.property(fc.array(text, { minLength: 1 }), fc.nat(), (texts, at) => {
      let reads = at;
      const limits = cgroupLimits(() => texts[reads++ % texts.length]);
      for (const value of [limits.memoryMax, limits.memoryHigh, limits.cpus])
        assert.ok(value === undefined || value > 0);
    }),
  );
});
