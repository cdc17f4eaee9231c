/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Connections to addresses that something hangs on (endpoints with standbys) are told of at once,
 * not with the next pass: who connects there is sent elsewhere within a blink, or not at all. */
#ifndef KMEND_FOLLOW_BPF_H
#define KMEND_FOLLOW_BPF_H

#include "lib/emit.bpf.h"
#include "lib/peer.bpf.h"

/* So many records of one address may follow each other closely, then one each period: what 200
 * clients lose at one moment is one story. */
#define FOLLOW_BURST     16
#define FOLLOW_TURNS     1024 /* from bad to good, or back */
#define FOLLOW_PERIOD_NS 10000000ULL
/* A quiet time ends a burst; and that all goes well is told so often. */
#define FOLLOW_QUIET_NS 1000000000ULL

/* cgroup_id is 0 here. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KMEND_FOLLOWED_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* mostly empty */
	__type(key, struct kmend_peer_key);
	__type(value, __u32);
} kmend_followed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, KMEND_UNTOLD_MAX);
	__type(key, struct kmend_peer_key);
	__type(value, struct kmend_untold);
} kmend_untold SEC(".maps");

/* The row of SK's address, with *KEY filled in; NULL: nobody follows it. */
static __always_inline struct kmend_untold *followed(const struct sock *sk, __u64 cgroup_id,
                                                     struct kmend_peer_key *key)
{
	struct kmend_untold zero = {}, *u;

	peer_key(key, sk, 0);
	if (!bpf_map_lookup_elem(&kmend_followed, key))
		return 0;
	key->cgroup_id = cgroup_id;
	u = bpf_map_lookup_elem(&kmend_untold, key);
	if (u)
		return u;
	bpf_map_update_elem(&kmend_untold, key, &zero, BPF_NOEXIST);
	return bpf_map_lookup_elem(&kmend_untold, key);
}

static __always_inline bool is_due(struct kmend_untold *u, bool trouble, __u64 now)
{
	__u32 most = trouble == u->trouble ? FOLLOW_BURST : FOLLOW_TURNS;
	__u64 since = now - u->told_ns;

	if (since >= FOLLOW_QUIET_NS)
		u->burst = 0;
	else if (!trouble && !u->trouble)
		return false;
	else if (u->burst >= most && since < FOLLOW_PERIOD_NS)
		return false;
	u->burst++;
	u->trouble = trouble;
	u->told_ns = now;
	return true;
}

/* What another CPU adds meanwhile stays for the next record. */
static __always_inline __u32 take_count(__u32 *count)
{
	__u32 n = *count;

	__sync_fetch_and_add(count, -n);
	return n;
}

static __always_inline void tell(const struct kmend_peer_key *key, struct kmend_untold *u,
                                 bool trouble)
{
	struct kmend_connects *e;

	if (!is_due(u, trouble, bpf_ktime_get_boot_ns()))
		return;
	e = emit_begin(KMEND_MUST, KMEND_CONNECTS, sizeof(*e), key->cgroup_id);
	if (!e)
		return;
	__builtin_memcpy(e->addr, key->addr, sizeof(e->addr));
	e->port = key->port;
	e->family = key->family;
	e->established = take_count(&u->established);
	e->failed = take_count(&u->failed);
	e->unanswered = take_count(&u->unanswered);
	e->reset = take_count(&u->reset);
	e->retransmits = take_count(&u->retransmits);
	e->latency_ns = u->latency_ns;
	u->latency_ns = 0;
	emit_end(KMEND_MUST, e);
}

/* MEMBER of the row is counted up, and told. */
#define FOLLOW(sk, cgroup_id, member, is_trouble)                             \
	do {                                                                  \
		struct kmend_peer_key key_;                                   \
		struct kmend_untold *u_ = followed((sk), (cgroup_id), &key_); \
                                                                              \
		if (u_) {                                                     \
			__sync_fetch_and_add(&u_->member, 1);                 \
			tell(&key_, u_, (is_trouble));                        \
		}                                                             \
	} while (0)

#endif
