/* SPDX-License-Identifier: Apache-2.0 */
/* New TCP and UDP connections of one cgroup, and of those below it, that ask for one address go to
 * another (bpf/reroute.bpf.c). Mechanism only: who may do that, and when, is the caller's.
 *
 * The programs live as long as the struct km_reroute, or, once pinned, until they are unpinned or
 * the cgroup is removed: what happens when this process dies is chosen by pinning or not. */
#ifndef KM_REROUTE_H
#define KM_REROUTE_H

#include "base/base.h"
#include "event.h"

struct km_reroute;

/* Attached to the cgroup (v2) behind CGROUP_FD, with no route yet. Root, or CAP_BPF and
 * CAP_NET_ADMIN. -EOPNOTSUPP: before 5.10. */
int km_reroute_new(int cgroup_fd, struct km_reroute **ret);
/* Of an earlier process, held by the pins in DIR, which stay. -ENOENT: none are there. */
int km_reroute_adopt(const char *dir, struct km_reroute **ret);
/* Detaches what is not pinned. */
struct km_reroute *km_reroute_free(struct km_reroute *r);
KM_DEFINE_FREEP(struct km_reroute, km_reroute_free)

/* Makes DIR on a bpffs and pins all in it: it lives on without us. All or nothing. */
int km_reroute_pin(struct km_reroute *r, const char *dir);
/* Takes the pins in DIR away: what nobody holds any more is detached. */
int km_reroute_unpin(const char *dir);

/* Of KMEND_SHARE_ALL connections asked for at FROM, SHARE go to TO; 0: none, the route is gone.
 * -EINVAL: share above that, or addresses of two families; -E2BIG: KMEND_ROUTES_MAX. */
int km_reroute_set(struct km_reroute *r, const struct kmend_address *from,
                   const struct kmend_address *to, uint32_t share);
/* -ENOENT: no such route. */
int km_reroute_get(const struct km_reroute *r, const struct kmend_address *from,
                   struct kmend_route *ret);
/* The cgroup that it is attached to; 0: that is gone. */
uint64_t km_reroute_cgroup(const struct km_reroute *r);
/* How many there are. */
int km_reroute_count(const struct km_reroute *r);

/* TCP connections to REMOTE of sockets whose cgroup MINE says is ours end with ECONNABORTED
 * (sock_diag, CONFIG_INET_DIAG_DESTROY), so that their owners connect again. NETNS_FD: where, -1
 * here (another one needs CAP_SYS_ADMIN). Returns how many. */
int km_reroute_close_stale(int netns_fd, const struct kmend_address *remote,
                           bool (*mine)(void *userdata, uint64_t cgroup_id), void *userdata);

#endif
