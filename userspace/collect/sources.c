// SPDX-License-Identifier: Apache-2.0
/* The table of signals: one row each. To add one: a function in bpf/, a record in event.h, a row in
 * bpf_table.c and one here. */
#include <fcntl.h>
#include <stdio.h>

#include "base/fs.h"
#include "collect/internal.h"

#define NO_PROG (-1)

enum need { NEED_PROG, NEED_TASKS, NEED_CGROUP, NEED_MEMORY, NEED_PIDS, NEED_PROC, NEED_PSI };

struct row {
	struct km_source s;
	int prog; /* enum km_prog_id */
	enum need need;
};

/* clang-format off */
static const struct row rows[] = {
	{ { .name = "fork", .unit = "processes", .per = "process",
	    .hook = "tp_btf/sched_process_fork", .since = "5.10",
	    .meaning = "a storm of new processes starves its host",
	    .type = KMEND_FORK }, KM_PROG_FORK, NEED_PROG },
	{ { .name = "exec", .unit = "processes", .per = "process",
	    .hook = "tp_btf/sched_process_exec", .since = "5.10",
	    .meaning = "which program a process is",
	    .type = KMEND_EXEC }, KM_PROG_EXEC, NEED_PROG },
	{ { .name = "exit", .unit = "processes", .per = "process",
	    .hook = "tp_btf/sched_process_exit", .since = "5.10",
	    .meaning = "a service ended, with code and signal",
	    .type = KMEND_EXIT }, KM_PROG_EXIT, NEED_PROG },
	{ { .name = "signal", .unit = "signals", .per = "process",
	    .hook = "tp_btf/signal_generate", .since = "5.10",
	    .meaning = "who ended it",
	    .type = KMEND_SIGNAL }, KM_PROG_SIGNAL, NEED_PROG },
	{ { .name = "oom", .unit = "kills", .per = "process",
	    .hook = "tp_btf/mark_victim", .since = "5.10",
	    .meaning = "memory ran out and the kernel chose a victim",
	    .type = KMEND_OOM }, KM_PROG_OOM, NEED_PROG },
	{ { .name = "tcp-failure", .unit = "connections", .per = "service",
	    .hook = "tp_btf/inet_sock_set_state", .since = "5.10",
	    .meaning = "connects that fail and connections that are reset",
	    .type = KMEND_TCP_STATE }, KM_PROG_TCP_STATE, NEED_PROG },
	{ { .name = "tcp-retransmit", .unit = "segments", .per = "service",
	    .hook = "tp_btf/tcp_retransmit_skb", .since = "5.10",
	    .meaning = "the network loses packets or a peer does not answer",
	    .type = KMEND_RETRANSMIT }, KM_PROG_RETRANSMIT, NEED_PROG },
	{ { .name = "task", .unit = "bytes, descriptors, threads, ns", .per = "process",
	    .hook = "iter/task", .since = "5.10",
	    .meaning = "descriptors and memory of each process against its limits",
	    .type = KMEND_TASK }, KM_PROG_TASKS, NEED_TASKS },
	{ { .name = "canary", .unit = "records", .per = "host",
	    .hook = "raw_tp, run on demand", .since = "5.10",
	    .meaning = "records still come through",
	    .type = KMEND_CANARY }, KM_PROG_CANARY, NEED_PROG },
	{ { .name = "cgroup", .unit = "cgroups", .per = "service",
	    .hook = "inotify on the cgroup v2 mount", .since = "5.10",
	    .meaning = "services come and go",
	    .type = KM_RAW_CGROUP }, NO_PROG, NEED_CGROUP },
	{ { .name = "process", .unit = "processes", .per = "process",
	    .hook = "/proc, once", .since = "5.10",
	    .meaning = "what ran before the start",
	    .type = KM_RAW_PROCESS }, NO_PROG, NEED_PROC },
	{ { .name = "memory", .unit = "bytes", .per = "service",
	    .hook = "cgroup memory controller", .since = "5.10",
	    .meaning = "growth towards the limit ends in an OOM kill",
	    .type = KM_RAW_LEVEL }, NO_PROG, NEED_MEMORY },
	{ { .name = "threads", .unit = "tasks", .per = "service",
	    .hook = "cgroup pids controller", .since = "5.10",
	    .meaning = "at the limit no thread can be started",
	    .type = KM_RAW_LEVEL }, NO_PROG, NEED_PIDS },
	{ { .name = "host", .unit = "bytes, files", .per = "host",
	    .hook = "/proc/meminfo, file-nr", .since = "5.10",
	    .meaning = "memory and open files of the whole host",
	    .type = KM_RAW_HOST }, NO_PROG, NEED_PROC },
	{ { .name = "pressure", .unit = "ppm", .per = "host",
	    .hook = "/proc/pressure", .since = "5.10",
	    .meaning = "tasks wait for CPU, memory or storage",
	    .type = KM_RAW_HOST }, NO_PROG, NEED_PSI },
};
/* clang-format on */

_Static_assert(KM_ARRAY_SIZE(rows) <= KM_SOURCES_MAX, "more rows than there is room for");

static size_t index_of(uint16_t type)
{
	if (type < KMEND_TYPE_MAX)
		return type;
	if (type >= KM_RAW_TICK && type < KM_RAW_MAX_TYPE)
		return KMEND_TYPE_MAX + type - KM_RAW_TICK;
	return 0;
}

void km_sources_init(struct km_collect *c)
{
	for (size_t i = 0; i < KM_ARRAY_SIZE(rows); i++) {
		size_t at = index_of(rows[i].s.type);

		c->sources[i] = rows[i].s;
		if (!c->source_of[at])
			c->source_of[at] = (uint8_t)(i + 1);
	}
}

void km_sources_count(struct km_collect *c, const struct kmend_hdr *h, const void *raw)
{
	size_t row = c->source_of[index_of(h->type)];

	if (!row)
		return;
	/* The second row of a type: tasks beside memory; pressure beside levels of the host. */
	if (h->type == KM_RAW_LEVEL)
		row += ((const struct km_raw_level *)raw)->resource == KM_THREADS;
	if (h->type == KM_RAW_HOST && ((const struct km_raw_host *)raw)->psi_measured)
		c->sources[row].records++;
	c->sources[row - 1].records++;
}

static const char *prog_reason(const struct km_collect *c, int prog)
{
	const struct km_bpf *b = &c->bpf;

	if (!c->bpf_used)
		return "switched off (no BPF)";
	if (prog == KM_PROG_OOM && b->progs[prog].state == KM_PROG_UNUSED)
		prog = KM_PROG_OOM_PID;
	if (km_bpf_works(b, prog))
		return NULL;
	return b->progs[prog].reason[0] ? b->progs[prog].reason : b->reason;
}

static void update_tasks(const struct km_collect *c, struct km_source *s)
{
	const char *why = prog_reason(c, KM_PROG_TASKS);

	s->available = c->proc_fd >= 0 || !why;
	s->hook = why ? "/proc" : "iter/task";
	if (why)
		snprintf(s->reason, sizeof(s->reason), "by /proc, 70 times as costly: %.200s", why);
}

static void need(struct km_source *s, bool is, const char *reason)
{
	s->available = is;
	km_copy(s->reason, sizeof(s->reason), is ? "" : reason);
}

/* A v2 controller shows in the root's list; else it is mounted as v1. */
static bool has_controller(const struct km_collect *c, const char *v1, const char *name)
{
	char file[2 * KM_PATH_MAX], text[512];

	if (v1[0])
		return true;
	snprintf(file, sizeof(file), "%s/cgroup.controllers", c->mounts.unified);
	return c->mounts.unified[0] && km_fs_read_small(AT_FDCWD, file, text, sizeof(text)) > 0 &&
	       strstr(text, name);
}

static void update(const struct km_collect *c, const struct row *row, struct km_source *s)
{
	const char *why;

	switch (row->need) {
	case NEED_PROG:
		why = prog_reason(c, row->prog);
		need(s, !why, why);
		break;
	case NEED_TASKS:
		update_tasks(c, s);
		break;
	case NEED_CGROUP:
		need(s, c->cgroups, "cgroup v2 is not mounted: mount it (unified or hybrid)");
		break;
	case NEED_MEMORY:
		need(s, c->cgroups && has_controller(c, c->mounts.memory, "memory"),
		     "no memory controller: boot with cgroup_enable=memory or mount it");
		break;
	case NEED_PIDS:
		need(s, c->cgroups && has_controller(c, c->mounts.pids, "pids"),
		     "no pids controller in this kernel, or it is not mounted");
		break;
	case NEED_PROC:
		need(s, c->proc_fd >= 0, "/proc is not mounted");
		break;
	case NEED_PSI:
		need(s, access("/proc/pressure/memory", R_OK) == 0,
		     "PSI is off: boot with psi=1 (CONFIG_PSI)");
		break;
	}
}

void km_sources_update(struct km_collect *c)
{
	for (size_t i = 0; i < KM_ARRAY_SIZE(rows); i++)
		update(c, &rows[i], &c->sources[i]);
}

const struct km_source *km_collect_sources(const struct km_collect *c)
{
	return c->sources;
}

int km_probes_emit(struct km_collect *c)
{
	int r = 0;

	for (const struct km_source *s = c->sources; s->name && r == 0; s++) {
		struct km_raw_probe raw;

		if (s->type >= KMEND_TYPE_MAX)
			continue;
		km_raw_init(&raw, KM_RAW_PROBE, sizeof(raw), 0);
		raw.type = s->type;
		raw.available = s->available;
		km_copy(raw.reason, sizeof(raw.reason), s->reason);
		r = km_emit(c, &raw, sizeof(raw));
	}
	return r;
}
