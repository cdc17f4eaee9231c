// SPDX-License-Identifier: Apache-2.0
/* One number in a file of the service's cgroup: limits that are raised, quotas that are lowered,
 * the freezer. Documentation/admin-guide/cgroup-v2.rst and cgroup-v1. */
#include <fcntl.h>
#include <stdio.h>

#include "base/fs.h"
#include "base/text.h"
#include "repair/effect.h"

/* cgroup v1 says "no limit" by a number of pages that fills the address space. */
#define V1_NO_LIMIT (1ULL << 62)
/* The kernel's least quota, and its default period. */
#define QUOTA_MIN_US 1000
#define PERIOD_US    100000

static int write_text(int dir, const char *file, const char *text)
{
	km_autoclose int fd = openat(dir, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* NONE: how the file says that there is no limit. */
static int write_number(int dir, const char *file, uint64_t v, const char *none)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	return write_text(dir, file, v == KM_UNKNOWN ? none : text);
}

/* A file of which this host may have no such thing. */
static int read_number(int dir, const char *file, uint64_t *ret)
{
	int r = km_fs_read_u64(dir, file, ret);

	return r == -ENOENT ? -EOPNOTSUPP : r;
}

static int more(const struct km_verb_args *args, uint64_t ret[2])
{
	if (args->amount <= ret[0])
		return -ENOSPC;
	ret[0] = args->amount;
	return 0;
}

static int less(const struct km_verb_args *args, uint64_t ret[2])
{
	if (args->amount >= ret[0])
		return -ENOSPC;
	ret[0] = args->amount;
	return 0;
}

static int read_memory(const struct km_target *t, uint64_t now[2])
{
	int r = read_number(t->dir, t->v2 ? "memory.max" : "memory.limit_in_bytes", now);

	if (r == 0 && !t->v2 && now[0] >= V1_NO_LIMIT)
		now[0] = KM_UNKNOWN;
	return r;
}

static int write_memory(const struct km_target *t, const uint64_t v[2])
{
	return write_number(t->dir, t->v2 ? "memory.max" : "memory.limit_in_bytes", v[0],
	                    t->v2 ? "max" : "-1");
}

static int read_tasks(const struct km_target *t, uint64_t now[2])
{
	return read_number(t->dir, "pids.max", now);
}

static int write_tasks(const struct km_target *t, const uint64_t v[2])
{
	return write_number(t->dir, "pids.max", v[0], "max");
}

/* v1 has no such thing: its soft limit holds nobody back. */
static int read_high(const struct km_target *t, uint64_t now[2])
{
	return read_number(t->dir, "memory.high", now);
}

static int write_high(const struct km_target *t, const uint64_t v[2])
{
	return write_number(t->dir, "memory.high", v[0], "max");
}

/* v2: "QUOTA PERIOD" or "max PERIOD"; v1: a file each, -1 is none. */
static int read_cpu(const struct km_target *t, uint64_t now[2])
{
	const char *p;
	char text[64];
	ssize_t n = km_fs_read_small(t->dir, t->v2 ? "cpu.max" : "cpu.cfs_quota_us", text,
	                             sizeof(text));
	bool none = text[0] == 'm' || text[0] == '-';
	int r = 0;

	if (n < 0)
		return n == -ENOENT ? -EOPNOTSUPP : (int)n;
	p = none ? strchr(text, ' ') : text;
	now[0] = KM_UNKNOWN;
	if (!none)
		r = km_text_u64(&p, &now[0]);
	if (!t->v2)
		return r < 0 ? r : read_number(t->dir, "cpu.cfs_period_us", &now[1]);
	if (r < 0 || !p || *p++ != ' ')
		return -EBADMSG;
	return km_text_u64(&p, &now[1]);
}

/* The amount is in ppm of all CPUs of the host. */
static int want_cpu(const struct km_verb_args *args, uint64_t ret[2])
{
	uint64_t cpus = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN), quota;
	uint64_t period = ret[1] ? ret[1] : PERIOD_US;

	quota = args->amount * cpus * period / 1000000;
	if (quota < QUOTA_MIN_US)
		quota = QUOTA_MIN_US;
	if (quota >= ret[0])
		return -ENOSPC;
	ret[0] = quota;
	ret[1] = period;
	return 0;
}

static int write_cpu(const struct km_target *t, const uint64_t v[2])
{
	char text[64], quota[24] = "max";

	if (!t->v2)
		return write_number(t->dir, "cpu.cfs_quota_us", v[0], "-1");
	if (v[0] != KM_UNKNOWN)
		snprintf(quota, sizeof(quota), "%llu", (unsigned long long)v[0]);
	snprintf(text, sizeof(text), "%s %llu", quota, (unsigned long long)v[1]);
	return write_text(t->dir, "cpu.max", text);
}

static int read_frozen(const struct km_target *t, uint64_t now[2])
{
	return read_number(t->dir, "cgroup.freeze", now);
}

static int want_frozen(const struct km_verb_args *args, uint64_t ret[2])
{
	(void)args;
	if (ret[0])
		return -ENOSPC;
	ret[0] = 1;
	return 0;
}

static int write_frozen(const struct km_target *t, const uint64_t v[2])
{
	return write_number(t->dir, "cgroup.freeze", v[0], "0");
}

const struct km_effect km_effects_cgroup[] = {
	{ KM_RAISE_LIMIT, "memory", "memory", "memory limit", read_memory, more, write_memory },
	{ KM_RAISE_LIMIT, "threads", "pids", "limit of tasks", read_tasks, more, write_tasks },
	{ KM_THROTTLE, "cpu", "cpu", "CPU quota", read_cpu, want_cpu, write_cpu },
	{ KM_THROTTLE, "memory", "memory", "memory.high", read_high, less, write_high },
	{ KM_FREEZE, "", "", "frozen", read_frozen, want_frozen, write_frozen },
	{ 0 },
};
