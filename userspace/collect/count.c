// SPDX-License-Identifier: Apache-2.0
/* What the kernel only counts: records lost, and retransmits per cgroup. */
#include <bpf/bpf.h>

#include "collect/internal.h"

static int emit_loss(struct km_collect *c, enum kmend_ring ring, uint32_t type, double *lost)
{
	struct kmend_count now = km_bpf_count(&c->bpf, ring, type);
	struct kmend_count *told = km_bpf_told(&c->bpf, ring, type);
	struct km_raw_loss raw;

	if (now.lost == told->lost)
		return 0;
	km_raw_init(&raw, KM_RAW_LOSS, sizeof(raw), 0);
	raw.type = type;
	raw.ring = ring;
	raw.seen = now.seen - told->seen;
	raw.lost = now.lost - told->lost;
	*lost += (double)raw.lost;
	*told = now;
	return km_emit(c, &raw, sizeof(raw));
}

int km_losses_emit(struct km_collect *c)
{
	double lost = 0;

	for (int ring = 0; ring < KMEND_RING_MAX && c->bpf.counts; ring++)
		for (uint32_t type = 1; type <= KMEND_CANARY; type++) {
			int r = emit_loss(c, ring, type, &lost);

			if (r)
				return r;
		}
	if (lost > 0)
		km_tasks_doubt(c);
	return lost > 0 ? km_honesty_say(c, KM_SIG_RECORDS_LOST, lost) : 0;
}

struct told {
	uint64_t cgroup_id;
	uint64_t count;
};

static int tell_retransmit(struct km_collect *c, uint64_t cgroup_id, uint64_t count)
{
	struct kmend_retransmit raw;
	struct told *told;

	if (km_table_put(c->retrans, &cgroup_id, &told) < 0 || told->count == count)
		return 0;
	km_raw_init(&raw, KMEND_RETRANSMIT, sizeof(raw), cgroup_id);
	raw.count = count - told->count;
	told->count = count;
	return km_emit(c, &raw, sizeof(raw));
}

static int prime_retransmit(struct km_collect *c, uint64_t cgroup_id, uint64_t count)
{
	struct told *told;

	if (km_table_put(c->retrans, &cgroup_id, &told) >= 0)
		told->count = count;
	return 0;
}

#define BATCH 64

typedef int (*retransmit_fn)(struct km_collect *c, uint64_t cgroup_id, uint64_t count);

static int each_retransmit(struct km_collect *c, retransmit_fn fn)
{
	uint64_t keys[BATCH], counts[BATCH], at = 0;
	void *from = NULL;

	if (!km_bpf_works(&c->bpf, KM_PROG_RETRANSMIT) || !c->retrans)
		return 0;
	for (int i = 0; i < KMEND_WATCH_MAX / BATCH + 1; i++) {
		uint32_t n = BATCH;
		int err = bpf_map_lookup_batch(c->bpf.maps[KM_MAP_RETRANS], from, &at, keys, counts,
		                               &n, NULL);

		if (err && err != -ENOENT) /* that is the end, with N filled in */
			return 0;
		for (uint32_t k = 0; k < n; k++) {
			int r = fn(c, keys[k], counts[k]);

			if (r)
				return r;
		}
		if (err)
			break;
		from = &at;
	}
	return 0;
}

int km_retransmits_emit(struct km_collect *c)
{
	return each_retransmit(c, tell_retransmit);
}

void km_retransmits_prime(struct km_collect *c)
{
	each_retransmit(c, prime_retransmit);
}

void km_retransmits_forget(struct km_collect *c, uint64_t cgroup_id)
{
	if (c->retrans)
		km_table_drop(c->retrans, &cgroup_id);
	if (c->bpf.maps[KM_MAP_RETRANS] >= 0)
		bpf_map_delete_elem(c->bpf.maps[KM_MAP_RETRANS], &cgroup_id);
}
