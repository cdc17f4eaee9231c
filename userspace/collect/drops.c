// SPDX-License-Identifier: Apache-2.0
/* Packets that were not delivered, by why. The kernel numbers its reasons anew in each version:
 * what a number means is read from its type information. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <math.h>

#include "collect/internal.h"

#define PREFIX "SKB_DROP_REASON_"

static const struct {
	const char *name;
	enum km_drop drop;
} reasons[] = {
	{ "NOT_SPECIFIED", KM_DROP_NONE },
	{ "NO_SOCKET", KM_DROP_NO_SOCKET },
	{ "SOCKET_RCVBUFF", KM_DROP_FULL },
	{ "SOCKET_BACKLOG", KM_DROP_FULL },
	{ "PROTO_MEM", KM_DROP_FULL },
	{ "QDISC_DROP", KM_DROP_FULL },
	{ "QDISC_OVERLIMIT", KM_DROP_FULL },
	{ "QDISC_CONGESTED", KM_DROP_FULL },
	{ "CPU_BACKLOG", KM_DROP_FULL },
	{ "FULL_RING", KM_DROP_FULL },
	{ "NOMEM", KM_DROP_FULL },
	{ "TCP_LISTEN_OVERFLOW", KM_DROP_FULL },
	{ "NETFILTER_DROP", KM_DROP_FILTERED },
	{ "SOCKET_FILTER", KM_DROP_FILTERED },
	{ "BPF_CGROUP_EGRESS", KM_DROP_FILTERED },
	{ "XFRM_POLICY", KM_DROP_FILTERED },
	{ "XDP", KM_DROP_FILTERED },
	{ "TC_INGRESS", KM_DROP_FILTERED },
	{ "TC_EGRESS", KM_DROP_FILTERED },
	{ "TCP_CSUM", KM_DROP_DAMAGED },
	{ "UDP_CSUM", KM_DROP_DAMAGED },
	{ "ICMP_CSUM", KM_DROP_DAMAGED },
	{ "SKB_CSUM", KM_DROP_DAMAGED },
	{ "IP_CSUM", KM_DROP_DAMAGED },
	{ "PKT_TOO_SMALL", KM_DROP_DAMAGED },
	{ "IP_INHDR", KM_DROP_DAMAGED },
	{ "HDR_TRUNC", KM_DROP_DAMAGED },
};

enum km_drop km_drop_of(const char *name)
{
	for (size_t i = 0; i < KM_ARRAY_SIZE(reasons); i++)
		if (strcmp(name, reasons[i].name) == 0)
			return reasons[i].drop;
	return KM_DROP_OTHER;
}

void km_drops_learn(const struct btf *btf, uint8_t ret[KMEND_DROP_REASONS])
{
	int id = btf__find_by_name_kind(btf, "skb_drop_reason", BTF_KIND_ENUM);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, (uint32_t)id);

	memset(ret, KM_DROP_NONE, KMEND_DROP_REASONS);
	ret[KMEND_DROP_REASONS - 1] = KM_DROP_OTHER;
	for (uint16_t i = 0; t && i < btf_vlen(t); i++) {
		const struct btf_enum *e = btf_enum(t) + i;
		const char *name = btf__name_by_offset(btf, e->name_off);

		/* Others say that it was delivered. */
		if (name && strncmp(name, PREFIX, strlen(PREFIX)) == 0 && e->val > 0 &&
		    e->val < KMEND_DROP_REASONS - 1)
			ret[e->val] = (uint8_t)km_drop_of(name + strlen(PREFIX));
	}
}

static void free_counts(uint64_t **on)
{
	free(*on);
}

static void count(const struct km_collect *c, uint64_t ret[KM_DROP_MAX])
{
	uint32_t cpus = c->bpf.setup.cpus;
	km_autofree(free_counts) uint64_t *on = calloc(cpus, sizeof(*on));

	memset(ret, 0, KM_DROP_MAX * sizeof(*ret));
	for (uint32_t reason = 0; on && reason < KMEND_DROP_REASONS; reason++) {
		uint8_t class = c->bpf.drop_class[reason];

		if (!class || bpf_map_lookup_elem(c->bpf.maps[KM_MAP_DROPS], &reason, on) < 0)
			continue;
		for (uint32_t cpu = 0; cpu < cpus; cpu++)
			ret[class] += on[cpu];
	}
}

void km_drops_prime(struct km_collect *c)
{
	count(c, c->drops);
}

int km_drops_emit(struct km_collect *c)
{
	const struct km_sums_window *w = &c->window;
	double scale = (double)w->period_ns / (double)w->window_ns;
	uint64_t now[KM_DROP_MAX];
	int r = 0;

	if (!km_bpf_works(&c->bpf, KM_PROG_DROP))
		return 0;
	count(c, now);
	for (int i = KM_DROP_NONE + 1; i < KM_DROP_MAX && r == 0; i++) {
		double n = (double)(now[i] - c->drops[i]);

		r = km_value_emit(c, &(struct km_said){ .signal = KM_SIG_DROPS_NO_SOCKET + i - 1,
		                                        .entity = KM_ENTITY_HOST,
		                                        .value = n * scale,
		                                        .error = sqrt(n + 1) * scale,
		                                        .period_ns = w->period_ns,
		                                        .window_ns = w->window_ns });
		c->drops[i] = now[i];
	}
	return r;
}
