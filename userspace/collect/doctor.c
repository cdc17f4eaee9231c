// SPDX-License-Identifier: Apache-2.0
/* What this kernel and machine offer: looked at without loading anything, as any user, and said
 * with the true cause and the remedy. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/statfs.h>
#include <sys/utsname.h>

#include "base/fs.h"
#include "collect/cgroup.h"
#include "collect/collect.h"
#include "collect/procfs.h"

#define BPF_FS_MAGIC_NUMBER 0xcafe4a11
#define CAP_BIT_BPF         39
#define CAP_BIT_PERFMON     38
#define CAP_BIT_SYS_ADMIN   21

static void good(struct km_finding *f, const char *detail)
{
	f->state = KM_FOUND_GOOD;
	km_copy(f->detail, sizeof(f->detail), detail);
}

static void bad(struct km_finding *f, int state, const char *detail, const char *remedy)
{
	f->state = state;
	km_copy(f->detail, sizeof(f->detail), detail);
	km_copy(f->remedy, sizeof(f->remedy), remedy);
}

static void look_kernel(struct km_finding *f)
{
	unsigned long major = 0, minor = 0;
	struct utsname u;
	char text[128], *dot;

	if (uname(&u) < 0) {
		bad(f, KM_FOUND_NOT_LOOKED, "the release cannot be read", "");
		return;
	}
	major = strtoul(u.release, &dot, 10);
	if (*dot == '.')
		minor = strtoul(dot + 1, NULL, 10);
	snprintf(text, sizeof(text), "%.64s on %.16s", u.release, u.machine);
	if (major > 5 || (major == 5 && minor >= 10))
		good(f, text);
	else
		bad(f, KM_FOUND_LIMITED, "older than 5.10: no kernel programs, /proc only",
		    "run Linux 5.10 or later");
}

static void look_btf(struct km_finding *f)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK) == 0)
		good(f, "type information of the kernel is there");
	else
		bad(f, KM_FOUND_MISSING,
		    "no /sys/kernel/btf/vmlinux: no kernel programs, /proc only",
		    "take a kernel built with CONFIG_DEBUG_INFO_BTF=y");
}

/* -1: not told. */
static int has_cap(int bit)
{
	char text[4096], *p;

	if (km_fs_read_small(AT_FDCWD, "/proc/self/status", text, sizeof(text)) < 0)
		return -1;
	p = strstr(text, "\nCapEff:");
	return p ? (int)(strtoull(p + 8, NULL, 16) >> bit & 1) : -1;
}

static void look_cap(struct km_finding *f, int bit, const char *depends)
{
	char text[200];
	int has = has_cap(bit);

	if (has < 0) {
		bad(f, KM_FOUND_NOT_LOOKED, "/proc/self/status cannot be read", "mount /proc");
	} else if (has || has_cap(CAP_BIT_SYS_ADMIN) == 1) {
		good(f, "held");
	} else {
		snprintf(text, sizeof(text), "not held by this process: %s", depends);
		bad(f, KM_FOUND_MISSING, text, "run as root, or give it with AmbientCapabilities=");
	}
}

static void look_cap_bpf(struct km_finding *f)
{
	look_cap(f, CAP_BIT_BPF, "no kernel programs, /proc only");
}

static void look_cap_perfmon(struct km_finding *f)
{
	look_cap(f, CAP_BIT_PERFMON, "no tracepoints, /proc only");
}

static void look_user(struct km_finding *f)
{
	char user[64];

	snprintf(user, sizeof(user), "user %u", geteuid());
	if (geteuid() == 0)
		good(f, "root");
	else
		bad(f, KM_FOUND_LIMITED, user, "the daemon is started as root and drops it itself");
}

static void look_lockdown(struct km_finding *f)
{
	char text[128];
	int r = km_fs_read_small(AT_FDCWD, "/sys/kernel/security/lockdown", text, sizeof(text));

	if (r == -ENOENT)
		good(f, "not in force (no lockdown in this kernel, or securityfs is not mounted)");
	else if (r < 0)
		bad(f, KM_FOUND_NOT_LOOKED, "/sys/kernel/security/lockdown is not readable",
		    "ask as root");
	else if (strstr(text, "[confidentiality]"))
		bad(f, KM_FOUND_MISSING,
		    "confidentiality: loading programs that read the kernel fails with EINVAL",
		    "boot with lockdown=integrity or without it");
	else
		good(f, text);
}

static void look_cgroup(struct km_finding *f)
{
	struct km_cgroup_mounts m = { 0 };

	km_cgroup_mounts_read(&m);
	if (m.unified[0] && !m.memory[0] && !m.pids[0])
		good(f, "version 2 only");
	else if (m.unified[0])
		bad(f, KM_FOUND_LIMITED,
		    "version 2 for identity, memory or pids by version 1 (hybrid)",
		    "boot with systemd.unified_cgroup_hierarchy=1 for version 2 only");
	else
		bad(f, KM_FOUND_MISSING,
		    "version 2 is not mounted: services cannot be told apart by cgroup",
		    "mount -t cgroup2 none /sys/fs/cgroup (or .../unified)");
}

static const char *version(bool there, const char *v1_mount)
{
	if (!there)
		return "missing";
	return v1_mount[0] ? "version 1" : "version 2";
}

static void look_controllers(struct km_finding *f)
{
	char file[KM_PATH_MAX + 32], v2[256] = "", text[128];
	struct km_cgroup_mounts m = { 0 };
	bool memory, pids;

	km_cgroup_mounts_read(&m);
	snprintf(file, sizeof(file), "%s/cgroup.controllers", m.unified);
	if (m.unified[0] && km_fs_read_small(AT_FDCWD, file, v2, sizeof(v2)) < 0)
		v2[0] = '\0';
	memory = m.memory[0] || strstr(v2, "memory");
	pids = m.pids[0] || strstr(v2, "pids");
	snprintf(text, sizeof(text), "memory %s, pids %s", version(memory, m.memory),
	         version(pids, m.pids));
	if (memory && pids)
		good(f, text);
	else
		bad(f, KM_FOUND_LIMITED, text, "boot with cgroup_enable=memory, or mount them");
}

static void look_psi(struct km_finding *f)
{
	if (access("/proc/pressure/memory", R_OK) == 0)
		good(f, "pressure is measured");
	else
		bad(f, KM_FOUND_LIMITED, "no /proc/pressure: pressure is not measured",
		    "boot with psi=1 (CONFIG_PSI)");
}

static void look_bpffs(struct km_finding *f)
{
	struct statfs s;

	if (statfs("/sys/fs/bpf", &s) < 0)
		bad(f, KM_FOUND_LIMITED, "no /sys/fs/bpf: events during a restart are lost",
		    "mount -t bpf none /sys/fs/bpf");
	else if ((uint64_t)s.f_type != BPF_FS_MAGIC_NUMBER)
		bad(f, KM_FOUND_LIMITED, "no bpffs there: events during a restart are lost",
		    "mount -t bpf none /sys/fs/bpf");
	else
		good(f, "pins outlive the daemon, so a restart loses nothing");
}

static void look_systemd(struct km_finding *f)
{
	if (access("/run/systemd/system", F_OK) == 0)
		good(f, "running: units can be watched and restarted");
	else
		bad(f, KM_FOUND_LIMITED, "not running: units cannot be acted on",
		    "define services by command, cgroup or pidfile");
}

size_t km_collect_doctor(struct km_finding *ret, size_t max)
{
	static const struct {
		const char *what;
		void (*look)(struct km_finding *f);
	} rows[] = {
		{ "kernel", look_kernel },   { "btf", look_btf },
		{ "cap_bpf", look_cap_bpf }, { "cap_perfmon", look_cap_perfmon },
		{ "user", look_user },       { "lockdown", look_lockdown },
		{ "cgroup", look_cgroup },   { "controllers", look_controllers },
		{ "psi", look_psi },         { "bpffs", look_bpffs },
		{ "systemd", look_systemd },
	};
	size_t n = 0;

	_Static_assert(KM_ARRAY_SIZE(rows) <= KM_FINDINGS_MAX, "more than callers have room for");
	for (; n < KM_ARRAY_SIZE(rows) && n < max; n++) {
		memset(&ret[n], 0, sizeof(ret[n]));
		km_copy(ret[n].what, sizeof(ret[n].what), rows[n].what);
		rows[n].look(&ret[n]);
	}
	return n;
}
