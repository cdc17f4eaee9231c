// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* New connections of one service's cgroup go to another address than the one asked for, while the
 * first is out of order. The application sees the address that it asked for (getpeername).
 * One object a service: what it may reroute is what its own table holds. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "event.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Refusing a connection is not ours to do. */
#define GO_ON 1

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KMEND_ROUTES_MAX);
	__type(key, struct kmend_address);
	__type(value, struct kmend_route);
} kmend_routes SEC(".maps");

/* Where each rerouted socket believes to be connected to. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct kmend_address);
} kmend_asked SEC(".maps");

static __always_inline struct kmend_route *route_of(const struct kmend_address *asked)
{
	struct kmend_route *r = bpf_map_lookup_elem(&kmend_routes, asked);

	if (!r || (bpf_get_prandom_u32() & (KMEND_SHARE_ALL - 1)) >= r->share)
		return 0;
	return r;
}

static __always_inline void remember(struct bpf_sock_addr *ctx, const struct kmend_address *asked,
                                     struct kmend_route *r)
{
	struct kmend_address *p = 0;

	__sync_fetch_and_add(&r->rerouted, 1);
	if (ctx->sk)
		p = bpf_sk_storage_get(&kmend_asked, ctx->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (p)
		*p = *asked;
}

SEC("cgroup/connect4")
int km_connect4(struct bpf_sock_addr *ctx)
{
	struct kmend_address asked = { .addr = { 0, 0, KMEND_MAPPED, ctx->user_ip4 },
		                       .port = ctx->user_port };
	struct kmend_route *r = route_of(&asked);

	if (!r)
		return GO_ON;
	remember(ctx, &asked, r);
	ctx->user_ip4 = r->to.addr[3];
	ctx->user_port = r->to.port;
	return GO_ON;
}

SEC("cgroup/connect6")
int km_connect6(struct bpf_sock_addr *ctx)
{
	struct kmend_address asked = { .addr = { ctx->user_ip6[0], ctx->user_ip6[1],
		                                 ctx->user_ip6[2], ctx->user_ip6[3] },
		                       .port = ctx->user_port };
	struct kmend_route *r = route_of(&asked);

	if (!r)
		return GO_ON;
	remember(ctx, &asked, r);
	ctx->user_ip6[0] = r->to.addr[0];
	ctx->user_ip6[1] = r->to.addr[1];
	ctx->user_ip6[2] = r->to.addr[2];
	ctx->user_ip6[3] = r->to.addr[3];
	ctx->user_port = r->to.port;
	return GO_ON;
}

static __always_inline struct kmend_address *asked_of(struct bpf_sock_addr *ctx)
{
	return ctx->sk ? bpf_sk_storage_get(&kmend_asked, ctx->sk, 0, 0) : 0;
}

SEC("cgroup/getpeername4")
int km_getpeername4(struct bpf_sock_addr *ctx)
{
	struct kmend_address *p = asked_of(ctx);

	if (p) {
		ctx->user_ip4 = p->addr[3];
		ctx->user_port = p->port;
	}
	return GO_ON;
}

SEC("cgroup/getpeername6")
int km_getpeername6(struct bpf_sock_addr *ctx)
{
	struct kmend_address *p = asked_of(ctx);

	if (p) {
		ctx->user_ip6[0] = p->addr[0];
		ctx->user_ip6[1] = p->addr[1];
		ctx->user_ip6[2] = p->addr[2];
		ctx->user_ip6[3] = p->addr[3];
		ctx->user_port = p->port;
	}
	return GO_ON;
}
