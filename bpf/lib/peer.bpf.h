/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whose a socket is and whom it talks to; counts per peer. */
#ifndef KMEND_PEER_BPF_H
#define KMEND_PEER_BPF_H

#include "lib/setup.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

enum { TCP_ESTABLISHED = 1, TCP_SYN_SENT = 2, TCP_CLOSE = 7, TCP_LISTEN = 10 };
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

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, KMEND_PEERS_MAX);
	__type(key, struct kmend_peer_key);
	__type(value, struct kmend_peer);
} kmend_peers SEC(".maps");

static __always_inline void peer_key(struct kmend_peer_key *key, const struct sock *sk,
                                     __u64 cgroup_id)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->cgroup_id = cgroup_id;
	key->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	key->port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (key->family == AF_INET)
		bpf_core_read(key->addr, 4, &sk->__sk_common.skc_daddr);
	else if (key->family == AF_INET6)
		bpf_core_read(key->addr, 16, &sk->__sk_common.skc_v6_daddr);
}

/* Only of whom it connected to: those that connect to it are no dependency. */
static __always_inline struct kmend_peer *peer_find(const struct sock *sk, __u64 cgroup_id)
{
	struct kmend_peer_key key;

	peer_key(&key, sk, cgroup_id);
	return bpf_map_lookup_elem(&kmend_peers, &key);
}

static __always_inline struct kmend_peer *peer_make(const struct sock *sk, __u64 cgroup_id)
{
	struct kmend_peer zero = {}, *p;
	struct kmend_peer_key key;

	peer_key(&key, sk, cgroup_id);
	p = bpf_map_lookup_elem(&kmend_peers, &key);
	if (p)
		return p;
	bpf_map_update_elem(&kmend_peers, &key, &zero, BPF_NOEXIST);
	return bpf_map_lookup_elem(&kmend_peers, &key);
}

#endif
