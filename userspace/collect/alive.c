// SPDX-License-Identifier: Apache-2.0
/* Births and deaths by comparing passes: used only where fork and exit programs are missing. A
 * process that lives between two passes is not seen, and how one ended is not known. */
#include "collect/internal.h"

struct alive {
	uint64_t tgid;
	uint64_t start_ns;
	uint64_t cgroup_id;
	uint64_t pass;
};

int km_alive_open(struct km_collect *c)
{
	static const struct km_table_opts opts = { .name = "alive",
		                                   .rows_max = KM_PROCESSES_MAX,
		                                   .row_size = sizeof(struct alive),
		                                   .key_size = sizeof(uint64_t) };

	return km_table_new(&opts, &c->alive);
}

static int tell_gone(struct km_collect *c, const struct alive *a)
{
	struct km_raw_process raw;

	km_raw_init(&raw, KM_RAW_PROCESS, sizeof(raw), a->cgroup_id);
	raw.tgid = (uint32_t)a->tgid;
	raw.start_ns = a->start_ns;
	raw.source = KM_FROM_EXIT_WATCH;
	raw.wait_status = -1;
	return km_emit(c, &raw, sizeof(raw));
}

static int tell_new(struct km_collect *c, const struct kmend_task *t)
{
	struct km_raw_process raw;

	km_raw_init(&raw, KM_RAW_PROCESS, sizeof(raw), t->hdr.cgroup_id);
	raw.tgid = t->tgid;
	raw.ppid = t->ppid;
	raw.start_ns = t->start_ns;
	raw.uid = t->uid;
	raw.source = KM_FROM_SCAN;
	raw.wait_status = -1;
	memcpy(raw.comm, t->comm, sizeof(raw.comm));
	km_procfs_exe(c->proc_fd, t->tgid, raw.path);
	raw.image = km_procfs_image(c->proc_fd, t->tgid);
	return km_emit(c, &raw, sizeof(raw));
}

void km_alive_know(struct km_collect *c, const struct km_found *f)
{
	uint64_t key = f->tgid;
	struct alive *a;

	if (km_table_put(c->alive, &key, &a) < 0)
		return;
	a->start_ns = f->start_ns;
	a->cgroup_id = f->cgroup_id;
}

int km_alive_see(struct km_collect *c, const struct kmend_task *t)
{
	uint64_t key = t->tgid;
	struct alive *a;
	int r;

	r = km_table_put(c->alive, &key, &a);
	if (r < 0)
		return 0; /* full: its levels are told, its birth is not */
	a->pass = c->pass;
	if (r == 0 && a->start_ns == t->start_ns)
		return 0;
	if (r == 0) { /* the number was used again */
		r = tell_gone(c, a);
		if (r)
			return r;
	}
	a->start_ns = t->start_ns;
	a->cgroup_id = t->hdr.cgroup_id;
	return tell_new(c, t);
}

int km_alive_sweep(struct km_collect *c)
{
	struct alive *a, gone;
	uint32_t slot = 0;
	int r = 0;

	while (r == 0 && (a = km_table_next(c->alive, &slot))) {
		if (a->pass == c->pass)
			continue;
		gone = *a;
		km_table_drop(c->alive, &gone.tgid);
		r = tell_gone(c, &gone);
	}
	return r;
}
