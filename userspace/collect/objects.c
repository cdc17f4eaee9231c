// SPDX-License-Identifier: Apache-2.0
/* What is loaded, for `kmend bpf list`. Run times cost 49 ns a run while they are on, so they are
 * switched on by the first question and off again when nobody asks any more. */
#include <bpf/bpf.h>
#include <stdio.h>

#include "collect/internal.h"

static void fill_prog(const struct km_bpf *b, int id, struct km_bpf_object *o)
{
	static const char *const kinds[] = { "tp_btf", "iter", "raw_tp", "tp_btf" };
	const struct km_prog_def *d = &km_prog_defs[id];
	const struct km_prog *p = &b->progs[id];
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	km_copy(o->name, sizeof(o->name), d->name);
	km_copy(o->kind, sizeof(o->kind), kinds[d->attach]);
	km_copy(o->hook, sizeof(o->hook), d->hook);
	km_copy(o->state, sizeof(o->state), km_prog_state_names[p->state]);
	km_copy(o->reason, sizeof(o->reason), p->reason);
	o->run_count = o->run_time_ns = KM_UNKNOWN;
	/* A kernel that never counted says 0: that is "not measured", not "never ran". */
	if (p->prog_fd < 0 || bpf_obj_get_info_by_fd(p->prog_fd, &info, &len) < 0 || !info.run_cnt)
		return;
	o->run_count = info.run_cnt;
	o->run_time_ns = info.run_time_ns;
}

static void fill_ring(const struct km_bpf *b, enum kmend_ring ring, struct km_bpf_object *o)
{
	for (uint32_t type = 0; type < KMEND_TYPE_MAX; type++) {
		struct kmend_count n = km_bpf_count(b, ring, type);

		o->seen += n.seen;
		o->lost += n.lost;
	}
}

static void fill_map(const struct km_bpf *b, int id, struct km_bpf_object *o)
{
	const struct km_map_def *d = &km_map_defs[id];

	km_copy(o->name, sizeof(o->name), d->name);
	km_copy(o->kind, sizeof(o->kind), d->kind);
	km_copy(o->state, sizeof(o->state), b->maps[id] >= 0 ? "in use" : "absent");
	if (b->maps[id] < 0)
		km_copy(o->reason, sizeof(o->reason), b->reason);
	o->run_count = o->run_time_ns = KM_UNKNOWN;
	if (id == KM_MAP_MUST)
		fill_ring(b, KMEND_MUST, o);
	if (id != KM_MAP_BULK)
		return;
	fill_ring(b, KMEND_BULK, o);
	snprintf(o->hook, sizeof(o->hook), "%u rings of %u KiB", b->setup.bulk_rings,
	         b->setup.bulk_bytes / 1024);
}

/* Held from one question to the next, so that two questions enclose a measurement. */
static void hold_statistics(struct km_collect *c)
{
	c->stats_pass = c->pass;
	if (c->stats_fd < 0)
		c->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME); /* needs CAP_SYS_ADMIN */
}

bool km_collect_wants_stats(const struct km_collect *c)
{
	return c->stats_fd < 0 && c->stats_pass && c->pass - c->stats_pass <= KM_STATS_PASSES;
}

void km_stats_expire(struct km_collect *c)
{
	if (c->stats_fd >= 0 && c->pass - c->stats_pass > KM_STATS_PASSES)
		km_close(&c->stats_fd);
}

size_t km_collect_bpf_objects(struct km_collect *c, struct km_bpf_object *ret, size_t max)
{
	size_t n = 0;

	hold_statistics(c);
	for (int i = 0; i < KM_PROG_MAX && n < max; i++) {
		memset(&ret[n], 0, sizeof(ret[n]));
		fill_prog(&c->bpf, i, &ret[n++]);
	}
	for (int i = 0; i < KM_MAP_MAX && n < max; i++) {
		memset(&ret[n], 0, sizeof(ret[n]));
		fill_map(&c->bpf, i, &ret[n++]);
	}
	return n;
}
