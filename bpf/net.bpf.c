// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* TCP: connects that fail, connections that are reset, and retransmits, summed per cgroup. The
 * cgroup is the socket's: these hooks run in whatever task the network happens to interrupt. */
#include "lib/emit.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { TCP_ESTABLISHED = 1, TCP_SYN_SENT = 2, TCP_CLOSE = 7 };
enum { AF_INET = 2, AF_INET6 = 10, IPPROTO_TCP = 6 };

/* 5.15 gave the socket its cgroup for good (8520e224f547 "bpf, cgroups: Fix cgroup v2 fallback on
 * v1/v2 mixed mode"); before, one word was either that pointer or, with its lowest bit set, data of
 * the net_cls and net_prio controllers. */
struct sock_cgroup_data___pre_5_15 {
	__u64 val;
} __attribute__((preserve_access_index));

struct sock___pre_5_15 {
	struct sock_cgroup_data___pre_5_15 sk_cgrp_data;
} __attribute__((preserve_access_index));

static __always_inline __u64 sock_cgroup_id(const struct sock *sk)
{
	const struct sock___pre_5_15 *old = (const void *)sk;
	struct cgroup *cgroup;
	__u64 val;

	if (!bpf_core_field_exists(sk->sk_cgrp_data))
		return 0; /* built without cgroup sockets */
	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup)) {
		cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	} else {
		val = BPF_CORE_READ(old, sk_cgrp_data.val);
		if (val & 1)
			return 0;
		cgroup = (void *)(val & ~3ULL); /* bit 1: no reference counted */
	}
	return cgroup ? BPF_CORE_READ(cgroup, kn, id) : 0;
}

static __always_inline void add_addresses(struct kmend_tcp_state *e, const struct sock *sk)
{
	const struct sock_common *c = &sk->__sk_common;

	e->family = BPF_CORE_READ(c, skc_family);
	e->lport = BPF_CORE_READ(c, skc_num);
	e->rport = bpf_ntohs(BPF_CORE_READ(c, skc_dport));
	if (e->family == AF_INET) {
		bpf_core_read(e->laddr, 4, &c->skc_rcv_saddr);
		bpf_core_read(e->raddr, 4, &c->skc_daddr);
	} else if (e->family == AF_INET6) {
		bpf_core_read(e->laddr, 16, &c->skc_v6_rcv_saddr);
		bpf_core_read(e->raddr, 16, &c->skc_v6_daddr);
	}
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(km_tcp_state, const struct sock *sk, int from, int to)
{
	__u64 cgroup_id;
	struct kmend_tcp_state *e;

	if (to != TCP_CLOSE || (from != TCP_SYN_SENT && from != TCP_ESTABLISHED))
		return 0;
	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP) /* SCTP and others come here too */
		return 0;
	cgroup_id = sock_cgroup_id(sk);
	e = emit_begin(KMEND_BULK, KMEND_TCP_STATE, sizeof(*e), cgroup_id);
	if (!e)
		return 0;
	e->from = from;
	e->to = to;
	e->error = BPF_CORE_READ(sk, sk_err);
	add_addresses(e, sk);
	emit_end(KMEND_BULK, e, sizeof(*e));
	return 0;
}

/* Retransmits since the start, per cgroup; key 0 takes those of unknown cgroups and of all that
 * find the table full. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KMEND_WATCH_MAX);
	__type(key, __u64);
	__type(value, __u64);
} kmend_retrans SEC(".maps");

static __always_inline bool count_up(__u64 key)
{
	__u64 zero = 0, *count;

	count = bpf_map_lookup_elem(&kmend_retrans, &key);
	if (!count) {
		bpf_map_update_elem(&kmend_retrans, &key, &zero, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&kmend_retrans, &key);
	}
	if (!count)
		return false;
	__sync_fetch_and_add(count, 1);
	return true;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(km_retransmit, const struct sock *sk)
{
	if (!count_up(sock_cgroup_id(sk)))
		count_up(0);
	return 0;
}
