// SPDX-License-Identifier: Apache-2.0
/* What the whole host can run out of, and what the kernel counts of its troubles: small files of
 * /proc. */
#include <fcntl.h>
#include <stdio.h>

#include "base/fs.h"
#include "collect/host.h"
#include "collect/internal.h"

/* Passes. Whoever forks in a loop needs seconds for the numbers that there are. */
#define PIDS_EVERY     2
#define COUNTERS_EVERY 4 /* vmstat is long */
#define LIMITS_EVERY   32
#define TEXT_MAX       16384

int km_loadavg_parse(const char *text, uint64_t *tasks)
{
	const char *slash = strchr(text, '/');
	unsigned long long n;
	char *end;

	if (!slash)
		return -EBADMSG;
	n = strtoull(slash + 1, &end, 10);
	if (end == slash + 1)
		return -EBADMSG;
	*tasks = n;
	return 0;
}

/* 0 where this kernel does not count it. */
static uint64_t line_value(const char *text, const char *key)
{
	uint64_t n = km_stat_value(text, key);

	return n == KM_UNKNOWN ? 0 : n;
}

/* allocstall_normal, allocstall_movable, ...: one a zone. */
static uint64_t prefix_sum(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);
	uint64_t sum = 0;

	for (const char *p = text; (p = strstr(p, prefix)); p += n) {
		const char *blank = strchr(p, ' ');

		if ((p == text || p[-1] == '\n') && blank)
			sum += strtoull(blank + 1, NULL, 10);
	}
	return sum;
}

void km_vmstat_parse(const char *text, struct km_troubles *ret)
{
	ret->oom_kills = line_value(text, "oom_kill");
	ret->reclaim_stalls = prefix_sum(text, "allocstall_");
	ret->compaction_stalls = line_value(text, "compact_stall");
	ret->major_faults = line_value(text, "pgmajfault");
}

int km_sockstat_parse(const char *text, uint64_t *timewait)
{
	const char *tcp = strstr(text, "TCP: "), *tw = tcp ? strstr(tcp, " tw ") : NULL;

	if (!tw || (strchr(tcp, '\n') && tw > strchr(tcp, '\n')))
		return -EBADMSG;
	*timewait = strtoull(tw + 4, NULL, 10);
	return 0;
}

/* A line of names, then one of values. */
int km_snmp_parse(const char *text, uint64_t *established)
{
	const char *name = strstr(text, "\nTcp: "), *value;

	value = name ? strstr(name + 1, "\nTcp: ") : NULL;
	if (!value)
		return -EBADMSG;
	for (const char *end = value; name < end && value; name++, value++) {
		name = strchr(name, ' ');
		value = strchr(value, ' ');
		if (!name || !value)
			return -EBADMSG;
		if (strncmp(name, " CurrEstab ", 11) == 0) {
			*established = strtoull(value, NULL, 10);
			return 0;
		}
	}
	return -EBADMSG;
}

static int say(struct km_collect *c, enum km_sig sig, double value, double limit)
{
	return km_value_emit(c, &(struct km_said){ .signal = sig,
	                                           .entity = KM_ENTITY_HOST,
	                                           .value = value,
	                                           .limit = limit });
}

/* Whoever starts a thread meets the lower of the two. */
static void read_limits(struct km_collect *c)
{
	uint64_t pids = KM_UNKNOWN, threads = KM_UNKNOWN;

	km_fs_read_u64(c->proc_fd, "sys/kernel/pid_max", &pids);
	km_fs_read_u64(c->proc_fd, "sys/kernel/threads-max", &threads);
	c->pids_max = pids < threads ? pids : threads;
}

static int say_pids(struct km_collect *c)
{
	char text[128];
	uint64_t tasks;

	if (c->pass % LIMITS_EVERY == 0 || !c->pids_max)
		read_limits(c);
	if (c->pids_max == KM_UNKNOWN || km_host_read(c, KM_FILE_LOADAVG, text, sizeof(text)) < 0 ||
	    km_loadavg_parse(text, &tasks) < 0)
		return 0;
	return say(c, KM_SIG_HOST_PIDS, (double)tasks, (double)c->pids_max);
}

/* Absent until something needs the connection tracker. */
static int say_conntrack(struct km_collect *c)
{
	uint64_t count, max;

	c->no_conntrack = true;
	if (km_fs_read_u64(c->proc_fd, "sys/net/netfilter/nf_conntrack_count", &count) < 0 ||
	    km_fs_read_u64(c->proc_fd, "sys/net/netfilter/nf_conntrack_max", &max) < 0)
		return 0;
	c->no_conntrack = false;
	return say(c, KM_SIG_CONNTRACK, (double)count, (double)max);
}

static int say_timewait(struct km_collect *c)
{
	char text[1024];
	uint64_t n;

	if (km_fs_read_small(c->proc_fd, "net/sockstat", text, sizeof(text)) < 0 ||
	    km_sockstat_parse(text, &n) < 0)
		return 0;
	return say(c, KM_SIG_TIMEWAIT, (double)n, 0);
}

static int say_established(struct km_collect *c)
{
	char text[4096];
	uint64_t n;

	if (km_fs_read_small(c->proc_fd, "net/snmp", text, sizeof(text)) < 0 ||
	    km_snmp_parse(text, &n) < 0)
		return 0;
	return say(c, KM_SIG_ESTABLISHED, (double)n, 0);
}

static int say_zombies(struct km_collect *c)
{
	return say(c, KM_SIG_HOST_ZOMBIES, c->zombies, 0);
}

static int say_troubles(struct km_collect *c)
{
	struct km_troubles t;
	const struct {
		enum km_sig sig;
		const uint64_t *count;
	} rows[KM_TROUBLES] = { { KM_SIG_HOST_OOM_KILLS, &t.oom_kills },
		                { KM_SIG_HOST_RECLAIM, &t.reclaim_stalls },
		                { KM_SIG_HOST_COMPACTION, &t.compaction_stalls },
		                { KM_SIG_HOST_MAJOR_FAULTS, &t.major_faults } };
	km_autofree_char char *text = malloc(TEXT_MAX);
	int r = 0;

	if (!text || km_fs_read_small(c->proc_fd, "vmstat", text, TEXT_MAX) < 0)
		return 0;
	km_vmstat_parse(text, &t);
	for (size_t i = 0; i < KM_TROUBLES && r == 0; i++) {
		struct km_said said = { .signal = rows[i].sig, .entity = KM_ENTITY_HOST };

		r = km_value_delta(c, &said, &c->troubles[i], *rows[i].count);
	}
	return r;
}

int km_limits_emit(struct km_collect *c)
{
	int r = c->pass % PIDS_EVERY == 0 ? say_pids(c) : 0;

	if (r == 0 && c->pass % (c->no_conntrack ? LIMITS_EVERY : PIDS_EVERY) == 0)
		r = say_conntrack(c);
	if (r == 0 && c->pass % COUNTERS_EVERY == 0)
		r = say_timewait(c);
	if (r == 0 && c->pass % COUNTERS_EVERY == 0)
		r = say_established(c);
	if (r == 0 && c->pass % COUNTERS_EVERY == 0)
		r = say_zombies(c);
	if (r == 0 && c->pass % COUNTERS_EVERY == 0)
		r = say_troubles(c);
	return r ? r : km_troubles_emit(c);
}
