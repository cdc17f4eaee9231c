// SPDX-License-Identifier: Apache-2.0
#include "base/reroute.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/peer.h"
#include "bpf/reroute.skel.h"

#define PROGRAMS 4
/* Program names double as names of pins. */
static const char *const program_names[PROGRAMS] = { "km_connect4", "km_connect6",
	                                             "km_getpeername4", "km_getpeername6" };
static const char routes_name[] = "routes";

struct km_reroute {
	struct reroute_bpf *skel; /* NULL: adopted */
	struct bpf_link *link[PROGRAMS];
	int routes_fd;
};

static int attach(struct km_reroute *r, int cgroup_fd)
{
	for (int i = 0; i < PROGRAMS; i++) {
		struct bpf_program *p =
			bpf_object__find_program_by_name(r->skel->obj, program_names[i]);

		r->link[i] = bpf_program__attach_cgroup(p, cgroup_fd);
		if (!r->link[i])
			return -errno;
	}
	return 0;
}

int km_reroute_new(int cgroup_fd, struct km_reroute **ret)
{
	km_autofree(km_reroute_freep) struct km_reroute *r = calloc(1, sizeof(*r));
	int k;

	if (!r)
		return -ENOMEM;
	r->routes_fd = -1;
	r->skel = reroute_bpf__open_and_load();
	if (!r->skel)
		return errno == EINVAL ? -EOPNOTSUPP : -errno;
	r->routes_fd = fcntl(bpf_map__fd(r->skel->maps.kmend_routes), F_DUPFD_CLOEXEC, 3);
	if (r->routes_fd < 0)
		return -errno;
	k = attach(r, cgroup_fd);
	if (k < 0)
		return k;
	*ret = km_take(r);
	return 0;
}

int km_reroute_adopt(const char *dir, struct km_reroute **ret)
{
	km_autofree(km_reroute_freep) struct km_reroute *r = calloc(1, sizeof(*r));
	char path[KM_PATH_MAX];

	if (!r)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%s/%s", dir, routes_name);
	r->routes_fd = bpf_obj_get(path);
	if (r->routes_fd < 0)
		return -errno;
	for (int i = 0; i < PROGRAMS; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, program_names[i]);
		r->link[i] = bpf_link__open(path);
		if (!r->link[i])
			return -errno;
	}
	*ret = km_take(r);
	return 0;
}

struct km_reroute *km_reroute_free(struct km_reroute *r)
{
	if (!r)
		return NULL;
	for (int i = 0; i < PROGRAMS; i++)
		bpf_link__destroy(r->link[i]);
	km_close(&r->routes_fd);
	reroute_bpf__destroy(r->skel);
	free(r);
	return NULL;
}

static int pin_all(struct km_reroute *r, const char *dir)
{
	char path[KM_PATH_MAX];

	for (int i = 0; i < PROGRAMS; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, program_names[i]);
		if (bpf_obj_pin(bpf_link__fd(r->link[i]), path) < 0)
			return -errno;
	}
	snprintf(path, sizeof(path), "%s/%s", dir, routes_name);
	return bpf_obj_pin(r->routes_fd, path) < 0 ? -errno : 0;
}

int km_reroute_pin(struct km_reroute *r, const char *dir)
{
	int k;

	if (mkdir(dir, 0700) < 0)
		return -errno;
	k = pin_all(r, dir);
	if (k < 0)
		km_reroute_unpin(dir);
	return k;
}

int km_reroute_unpin(const char *dir)
{
	char path[KM_PATH_MAX];

	for (int i = 0; i <= PROGRAMS; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir,
		         i < PROGRAMS ? program_names[i] : routes_name);
		if (unlink(path) < 0 && errno != ENOENT)
			return -errno;
	}
	return rmdir(dir) < 0 && errno != ENOENT ? -errno : 0;
}

int km_reroute_set(struct km_reroute *r, const struct kmend_address *from,
                   const struct kmend_address *to, uint32_t share)
{
	struct kmend_route route = { .to = *to, .share = share }, old;

	if (share > KMEND_SHARE_ALL || km_peer_is_v4(from) != km_peer_is_v4(to))
		return -EINVAL;
	if (share == 0)
		return bpf_map_delete_elem(r->routes_fd, from) < 0 && errno != ENOENT ? -errno : 0;
	if (bpf_map_lookup_elem(r->routes_fd, from, &old) == 0)
		route.rerouted = old.rerouted;
	return bpf_map_update_elem(r->routes_fd, from, &route, BPF_ANY) < 0 ? -errno : 0;
}

int km_reroute_get(const struct km_reroute *r, const struct kmend_address *from,
                   struct kmend_route *ret)
{
	struct kmend_route route;

	if (bpf_map_lookup_elem(r->routes_fd, from, &route) < 0)
		return -errno;
	*ret = route;
	return 0;
}

uint64_t km_reroute_cgroup(const struct km_reroute *r)
{
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_link__fd(r->link[0]), &info, &len) < 0
	               ? 0
	               : info.cgroup.cgroup_id;
}

int km_reroute_count(const struct km_reroute *r)
{
	struct kmend_address at, *from = NULL;
	int n = 0;

	while (bpf_map_get_next_key(r->routes_fd, from, &at) == 0 && n < KMEND_ROUTES_MAX) {
		from = &at;
		n++;
	}
	return n;
}
