// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Run-queue delay and name resolution of services that somebody looks at closely. Attached only
 * meanwhile. */
#include "lib/lease.bpf.h"
#include "lib/peer.bpf.h"
#include "lib/task.bpf.h"
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* What the scheduler had counted of a thread when it last left a CPU. */
struct stint {
	__u64 run_delay;
	__u64 pcount;
};

/* A hash, whose rows are there already: whoever allocates while the scheduler holds its locks may
 * wait for himself. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, KMEND_CLOSE_MAX);
	__type(key, __u32);
	__type(value, struct stint);
} kmend_stints SEC(".maps");

/* When PREV came to its CPU, the scheduler added to run_delay how long it had waited; at the switch
 * itself nothing has been added for NEXT yet. */
SEC("tp_btf/sched_switch")
int BPF_PROG(km_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct stint now = {}, *before;
	__u32 lease, pid = prev->pid;

	run_add(KMEND_RUN_DEMAND, 1);
	lease = lease_of(task_cgroup_id(prev));
	if (!lease)
		return 0;
	now.run_delay = prev->sched_info.run_delay;
	now.pcount = prev->sched_info.pcount;
	before = bpf_map_lookup_elem(&kmend_stints, &pid);
	if (before && now.pcount == before->pcount + 1 && now.run_delay >= before->run_delay)
		hist_add(lease, KMEND_HIST_RUN_QUEUE, now.run_delay - before->run_delay);
	bpf_map_update_elem(&kmend_stints, &pid, &now, BPF_ANY);
	return 0;
}

enum { ETH_P_IP = 0x0800, ETH_P_IPV6 = 0x86dd, IPPROTO_UDP = 17, DNS_PORT = 53 };
enum { DNS_ANSWER = 0x80, DNS_CODE = 0x0f, DNS_NO_SUCH_NAME = 3 };

/* The same packet goes through one device after the other (a VLAN, then its card); resolvers ask
 * again after a second or more. */
#define SAME_PACKET_NS 10000000

/* UDP header and the first words of the question. */
struct dns {
	__be16 from, to;
	__u32 length_and_sum;
	__u16 id;
	__u8 flags, code;
};

/* Headers are read where they lie in one piece, which drivers see to for short packets. */
static __always_inline bool read_dns(unsigned char *ip, __u16 protocol, struct dns *d)
{
	__u8 first = 0, next = 0;
	__u32 len = 40;

	bpf_probe_read_kernel(&first, 1, ip);
	if (protocol == bpf_htons(ETH_P_IP)) {
		bpf_probe_read_kernel(&next, 1, ip + 9);
		len = (first & 15) * 4;
	} else if (protocol == bpf_htons(ETH_P_IPV6)) {
		bpf_probe_read_kernel(&next, 1, ip + 6);
	}
	return next == IPPROTO_UDP && bpf_probe_read_kernel(d, sizeof(*d), ip + len) == 0;
}

struct question {
	__u64 cgroup_id;
	__u64 since_ns;
};

/* By port and number; an answer tells nothing else of whose it is. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, KMEND_CLOSE_MAX);
	__type(key, __u32);
	__type(value, struct question);
} kmend_asked SEC(".maps");

/* A name server is asked again with the same number, maybe from another port. Other rows of
 * kmend_starts are addresses and threads. */
static __always_inline __u64 again_key(__u64 cgroup_id, __u16 id)
{
	return ~(cgroup_id << 16 | id);
}

static __always_inline void ask(__u64 cgroup_id, const struct dns *d)
{
	__u32 key = (__u32)d->from << 16 | d->id;
	struct question q = { .cgroup_id = cgroup_id, .since_ns = bpf_ktime_get_ns() };
	__u64 again = again_key(cgroup_id, d->id), *first;

	first = bpf_map_lookup_elem(&kmend_starts, &again);
	if (first && q.since_ns - *first < SAME_PACKET_NS)
		return;
	sum_add(cgroup_id, KMEND_SUM_DNS_QUERIES, 0);
	if (first) {
		sum_add(cgroup_id, KMEND_SUM_DNS_FAILURES, 0);
		q.since_ns = *first;
	} else {
		bpf_map_update_elem(&kmend_starts, &again, &q.since_ns, BPF_ANY);
	}
	bpf_map_update_elem(&kmend_asked, &key, &q, BPF_ANY);
}

SEC("tp_btf/net_dev_queue")
int BPF_PROG(km_dns_ask, struct sk_buff *skb)
{
	struct sock *sk = BPF_CORE_READ(skb, sk);
	struct dns d = {};
	__u64 cgroup_id;

	run_add(KMEND_RUN_DEMAND, 1);
	if (!sk || !read_dns(skb->head + skb->network_header, skb->protocol, &d) ||
	    d.to != bpf_htons(DNS_PORT) || d.flags & DNS_ANSWER)
		return 0;
	cgroup_id = sock_cgroup_id(sk);
	if (lease_of(cgroup_id))
		ask(cgroup_id, &d);
	return 0;
}

/* At this hook the data begin with the network header. */
SEC("tp_btf/netif_receive_skb")
int BPF_PROG(km_dns_hear, struct sk_buff *skb)
{
	struct question *q;
	struct dns d = {};
	__u64 cgroup_id;
	__u32 key;

	run_add(KMEND_RUN_DEMAND, 1);
	if (!read_dns(skb->data, skb->protocol, &d) || d.from != bpf_htons(DNS_PORT) ||
	    !(d.flags & DNS_ANSWER))
		return 0;
	key = (__u32)d.to << 16 | d.id;
	q = bpf_map_lookup_elem(&kmend_asked, &key);
	if (!q)
		return 0;
	cgroup_id = q->cgroup_id;
	hist_add(lease_of(cgroup_id), KMEND_HIST_DNS, bpf_ktime_get_ns() - q->since_ns);
	bpf_map_delete_elem(&kmend_asked, &key);
	start_take(again_key(cgroup_id, d.id));
	d.code &= DNS_CODE;
	if (d.code && d.code != DNS_NO_SUCH_NAME)
		sum_add(cgroup_id, KMEND_SUM_DNS_FAILURES, 0);
	return 0;
}
