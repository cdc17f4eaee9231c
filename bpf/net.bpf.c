// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* TCP: connects that fail, connections that are reset, and retransmits, summed per cgroup. The
 * cgroup is the socket's: these hooks run in whatever task the network happens to interrupt. */
#include "lib/emit.bpf.h"
#include "lib/follow.bpf.h"
#include "lib/peer.bpf.h"
#include "lib/sum.bpf.h"
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum {
	ENETUNREACH = 101,
	ECONNRESET = 104,
	ETIMEDOUT = 110,
	ECONNREFUSED = 111,
	EHOSTUNREACH = 113
};

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

static __always_inline void connect_begins(const struct sock *sk)
{
	__u64 cgroup_id = sock_cgroup_id(sk);
	struct kmend_peer *p;

	if (!is_watched(cgroup_id))
		return;
	p = peer_make(sk, cgroup_id);
	if (p)
		__sync_fetch_and_add(&p->attempts, 1);
	start_put((__u64)sk);
}

/* One connect more without an answer; how many there were in a row. Another CPU may have added
 * one. */
static __always_inline __u32 not_answered(struct kmend_peer *p)
{
	__sync_fetch_and_add(&p->in_a_row, 1);
	return p->in_a_row;
}

static __always_inline __u32 sent_again(const struct sock *sk)
{
	return BPF_CORE_READ((const struct tcp_sock *)sk, total_retrans);
}

static __always_inline void connect_failed(struct kmend_peer *p, const struct sock *sk)
{
	int error = BPF_CORE_READ(sk, sk_err);

	if (!sent_again(sk)) /* else it counted when its SYN was */
		not_answered(p);
	__sync_fetch_and_add(&p->failures, 1);
	if (error == ECONNREFUSED)
		__sync_fetch_and_add(&p->refused, 1);
	else if (error == EHOSTUNREACH || error == ENETUNREACH)
		__sync_fetch_and_add(&p->unreachable, 1);
	else if (error == ETIMEDOUT || !error) /* none: its caller did not wait any longer */
		__sync_fetch_and_add(&p->timeouts, 1);
}

static __always_inline void established(const struct sock *sk, __u64 cgroup_id, __u64 ns)
{
	struct kmend_peer_key key;
	struct kmend_untold *u = followed(sk, cgroup_id, &key);

	if (!u)
		return;
	__sync_fetch_and_add(&u->established, 1);
	__sync_fetch_and_add(&u->latency_ns, ns);
	tell(&key, u, false);
}

/* Whoever was not watched when it began has no start. Returns how many were not answered, in a
 * row. */
static __always_inline __u32 connect_ends(const struct sock *sk, int to)
{
	__u64 ns = start_take((__u64)sk), cgroup_id;
	struct kmend_peer *p;

	if (!ns)
		return 0;
	cgroup_id = sock_cgroup_id(sk);
	p = peer_find(sk, cgroup_id);
	if (!p)
		return 0;
	if (to == TCP_ESTABLISHED) {
		p->in_a_row = 0;
		__sync_fetch_and_add(&p->established, 1);
		__sync_fetch_and_add(&p->latency_ns, ns);
		established(sk, cgroup_id, ns);
	} else {
		connect_failed(p, sk);
		FOLLOW(sk, cgroup_id, failed, true);
	}
	return p->in_a_row;
}

/* Ended by somebody else than its owner. */
static __always_inline void was_reset(const struct sock *sk, int error)
{
	__u64 cgroup_id = sock_cgroup_id(sk);

	if ((error == ECONNRESET || error == ETIMEDOUT || error == EHOSTUNREACH) &&
	    is_watched(cgroup_id))
		FOLLOW(sk, cgroup_id, reset, true);
}

/* What share of segments had to be sent again is known of a connection as a whole. */
static __always_inline void connection_ends(const struct sock *sk)
{
	__u64 cgroup_id = sock_cgroup_id(sk);
	__u32 sent = BPF_CORE_READ((const struct tcp_sock *)sk, data_segs_out);

	if (sent && is_watched(cgroup_id))
		sum_add_many(cgroup_id, KMEND_SUM_SEGMENTS, sent, sent_again(sk));
}

/* The first connects in a row that get no answer are what a forecast is made of: from the one on
 * that settles it the reader is called. */
#define ROW_SETTLED 3
#define ROW_TOLD    8

static __always_inline void tell_state(const struct sock *sk, int from, int to, __u32 in_a_row)
{
	__u64 cgroup_id = sock_cgroup_id(sk);
	bool urgent = in_a_row && in_a_row <= ROW_TOLD;
	__u32 ring = urgent ? ring_of_end(cgroup_id) : KMEND_BULK;
	struct kmend_tcp_state *e;

	e = emit_begin(ring, KMEND_TCP_STATE, sizeof(*e), cgroup_id);
	if (!e)
		return;
	e->from = from;
	e->to = to;
	e->error = BPF_CORE_READ(sk, sk_err);
	e->in_a_row = in_a_row;
	add_addresses(e, sk);
	if (in_a_row >= ROW_SETTLED)
		emit_end(ring, e);
	else
		emit_end_quietly(ring, e);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(km_tcp_state, const struct sock *sk, int from, int to)
{
	__u32 in_a_row = 0;

	if (to != TCP_SYN_SENT && to != TCP_CLOSE && from != TCP_SYN_SENT)
		return 0;
	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP) /* SCTP and others come here too */
		return 0;
	if (to == TCP_SYN_SENT)
		connect_begins(sk);
	else if (from == TCP_SYN_SENT)
		in_a_row = connect_ends(sk, to);
	else
		connection_ends(sk);
	if (from == TCP_ESTABLISHED && to == TCP_CLOSE)
		was_reset(sk, BPF_CORE_READ(sk, sk_err));
	if (to == TCP_CLOSE && (from == TCP_ESTABLISHED || from == TCP_SYN_SENT))
		tell_state(sk, from, to, in_a_row);
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

/* Its first SYN was not answered for a second: the earliest that can be known of a peer that is
 * silent, however long who connects would wait. The kernel has counted this one already. */
static __always_inline void syn_again(const struct sock *sk, struct kmend_peer *p)
{
	if (sent_again(sk) == 1)
		tell_state(sk, TCP_SYN_SENT, TCP_SYN_SENT, not_answered(p));
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(km_retransmit, const struct sock *sk)
{
	__u64 cgroup_id = sock_cgroup_id(sk);
	struct kmend_peer *p = peer_find(sk, cgroup_id);

	if (p) {
		__sync_fetch_and_add(&p->retransmits, 1);
		if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_SYN_SENT) {
			FOLLOW(sk, cgroup_id, unanswered, true);
			syn_again(sk, p);
		} else {
			FOLLOW(sk, cgroup_id, retransmits, true);
		}
	}
	if (!count_up(cgroup_id))
		count_up(0);
	return 0;
}

/* Reasons are the kernel's numbers, which differ: the reader knows their names. Subsystems' own,
 * which carry the subsystem in their upper half, are the last. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KMEND_DROP_REASONS);
	__type(key, __u32);
	__type(value, __u64);
} kmend_drops SEC(".maps");

/* Attached for short windows. The reason is from 5.17 on (c504e5c2f964 "net: skb: introduce
 * kfree_skb_reason()"). */
SEC("tp_btf/kfree_skb")
int BPF_PROG(km_drop, struct sk_buff *skb, void *location, int reason)
{
	__u32 key = reason;
	__u64 *count;

	run_add(KMEND_RUN_DROPS, 1);
	if (key >= KMEND_DROP_REASONS)
		key = KMEND_DROP_REASONS - 1;
	count = bpf_map_lookup_elem(&kmend_drops, &key);
	if (count)
		(*count)++;
	return 0;
}
