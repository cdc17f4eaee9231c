// SPDX-License-Identifier: Apache-2.0
#include "repair/failover.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/peer.h"
#include "base/reroute.h"
#include "base/text.h"
#include "loop/loop.h"

/* Cgroups of one service whose connections are ended; those of more end by their own time-outs. */
#define GROUPS_MAX 256
#define DEPTH_MAX  8
#define PIN_MAX    (KM_PATH_MAX + 64)
#define PREFIX     "failover-"

/* One endpoint of the configuration. */
struct entry {
	const struct km_service_def *def;
	const struct km_endpoint *endpoint;
	struct km_reroute *reroute; /* NULL: all goes to the primary */
	bool pinned;
};

struct km_failovers {
	const char *pin_dir; /* NULL: none */
	km_failover_say say;
	void *userdata;
	struct entry *entry;
	size_t count;
};

struct groups {
	uint64_t id[GROUPS_MAX];
	size_t count;
};

static struct entry *find(const struct km_failovers *f, const struct km_service_def *def,
                          const char *endpoint)
{
	for (struct entry *e = f->entry; e < f->entry + f->count; e++)
		if (e->def == def && strcmp(e->endpoint->name, endpoint) == 0)
			return e;
	return NULL;
}

/* Names of services may hold what a bpffs does not take: their hash. */
static void pin_name(const struct entry *e, char *ret, size_t size)
{
	uint64_t hash = km_hash(e->def->name, strlen(e->def->name)) * 31 +
	                km_hash(e->endpoint->name, strlen(e->endpoint->name));

	snprintf(ret, size, PREFIX "%016llx", (unsigned long long)hash);
}

static const char *pins(const struct km_failovers *f, const struct entry *e, char path[PIN_MAX])
{
	char name[40];

	pin_name(e, name, sizeof(name));
	snprintf(path, PIN_MAX, "%s/%s", f->pin_dir, name);
	return path;
}

/* What goes where at present; the share that goes to the standby, 0: none. Or why that cannot be
 * told. */
static int look(const struct entry *e, uint32_t *standby, uint32_t *share)
{
	const struct km_endpoint_place *place = e->endpoint->place;
	struct kmend_route route = { 0 };
	int r = e->reroute ? km_reroute_get(e->reroute, &place[0].address, &route) : -ENOENT;

	*standby = 0;
	for (uint32_t i = 1; r == 0 && i < e->endpoint->places; i++)
		if (memcmp(&place[i].address, &route.to, sizeof(route.to)) == 0)
			*standby = i;
	*share = *standby ? route.share : 0;
	return r == -ENOENT ? 0 : r;
}

static uint32_t route_of(const struct entry *e, uint32_t *standby)
{
	uint32_t share;

	look(e, standby, &share);
	return share;
}

static void say(const struct km_failovers *f, const struct entry *e)
{
	struct km_raw_endpoint r = {
		.hdr = { .type = KM_RAW_ENDPOINT, .size = sizeof(r), .ktime_ns = km_now_ns() },
		.outlives = e->pinned
	};

	r.share = route_of(e, &r.standby);
	km_copy(r.service, sizeof(r.service), e->def->name);
	km_copy(r.endpoint, sizeof(r.endpoint), e->endpoint->name);
	f->say(f->userdata, &r);
}

static void end(struct km_failovers *f, struct entry *e)
{
	char path[PIN_MAX];

	if (e->pinned)
		km_reroute_unpin(pins(f, e, path));
	e->pinned = false;
	e->reroute = km_reroute_free(e->reroute);
}

/* Pinned or not, as asked for. */
static int settle(struct km_failovers *f, struct entry *e, bool outlive)
{
	char path[PIN_MAX];
	int r = 0;

	if (outlive && !e->pinned)
		r = km_reroute_pin(e->reroute, pins(f, e, path));
	if (!outlive && e->pinned)
		r = km_reroute_unpin(pins(f, e, path));
	if (r == 0)
		e->pinned = outlive;
	return r;
}

static bool is_one(void *userdata, uint64_t cgroup_id)
{
	const struct groups *g = userdata;

	for (size_t i = 0; i < g->count; i++)
		if (g->id[i] == cgroup_id)
			return true;
	return false;
}

/* FD's cgroup and those below it; FD is closed. */
static void list_groups(struct groups *g, int fd, int depth)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;

	if (!d) {
		close(fd);
		return;
	}
	if (g->count < GROUPS_MAX)
		g->id[g->count++] = km_place_id(fd);
	while (depth < DEPTH_MAX && (e = readdir(d))) {
		int below = -1;

		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			below = openat(fd, e->d_name,
			               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below >= 0)
			list_groups(g, below, depth + 1);
	}
	closedir(d);
}

/* Connections that stand to where new ones do not go any more: how many, or a negative errno. */
static int close_stale(int cgroup_dir, uint32_t tgid, const struct kmend_address *remote)
{
	struct groups g = { 0 };
	km_autoclose int netns = -1;
	char path[48];
	int fd = openat(cgroup_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	list_groups(&g, fd, 0);
	snprintf(path, sizeof(path), "/proc/%u/ns/net", tgid);
	netns = open(path, O_RDONLY | O_CLOEXEC);
	return netns < 0 ? -errno : km_reroute_close_stale(netns, remote, is_one, &g);
}

/* A km_reroute at the service's cgroup, that of before if it is the same one. */
static int attach(struct km_failovers *f, struct entry *e, int dir)
{
	struct km_reroute *fresh;
	int r;

	if (e->reroute && km_reroute_cgroup(e->reroute) == km_place_id(dir))
		return 0;
	r = km_reroute_new(dir, &fresh);
	if (r < 0)
		return r;
	end(f, e);
	e->reroute = fresh;
	return 0;
}

static int set_route(struct km_failovers *f, struct entry *e, uint32_t standby, uint32_t share,
                     bool outlive)
{
	const struct km_endpoint_place *place = e->endpoint->place;
	int r = km_reroute_set(e->reroute, &place[0].address, &place[standby].address, share);

	if (r == 0)
		r = settle(f, e, outlive);
	if (r < 0)
		end(f, e); /* rather none than one that ends otherwise than was asked for */
	say(f, e);
	return r;
}

static void tell(const struct entry *e, uint32_t standby, int closed, char *detail, size_t size)
{
	char from[KM_PEER_TEXT], to[KM_PEER_TEXT];

	km_peer_text(&e->endpoint->place[0].address, from);
	km_peer_text(&e->endpoint->place[standby].address, to);
	if (closed < 0)
		snprintf(detail, size, "%s is %s now; old connections stay: %s", from, to,
		         strerror(-closed));
	else
		snprintf(detail, size, "%s is %s now; %d connections ended", from, to, closed);
}

static int fail_over(struct km_failovers *f, struct entry *e, const struct km_failover_request *q,
                     char *detail, size_t size)
{
	uint64_t standby = KM_FAILOVER_STANDBY(q->amount);
	bool outlive = KM_FAILOVER_END(q->amount) == KM_FAILOVER_KEEP, v2;
	uint32_t before, share = route_of(e, &before);
	km_autoclose int dir = -1;
	int r, closed;

	if (standby == 0 || standby >= e->endpoint->places)
		return -EHOSTDOWN;
	if (outlive && !f->pin_dir)
		return -EOPNOTSUPP;
	r = km_place_open(&q->place, "", q->tgid, &dir, &v2);
	if (r == 0)
		r = attach(f, e, dir);
	if (r == 0)
		r = set_route(f, e, (uint32_t)standby, KMEND_SHARE_ALL, outlive);
	if (r < 0)
		return r;
	closed = close_stale(dir, q->tgid, &e->endpoint->place[0].address);
	if (share && before != standby && closed >= 0)
		closed += close_stale(dir, q->tgid, &e->endpoint->place[before].address);
	tell(e, (uint32_t)standby, closed, detail, size);
	return 0;
}

static int fail_back(struct km_failovers *f, struct entry *e, const struct km_failover_request *q,
                     char *detail, size_t size)
{
	uint32_t standby, share = km_failover_share(q->amount);
	char primary[KM_PEER_TEXT];

	if (!route_of(e, &standby))
		return -EALREADY;
	km_peer_text(&e->endpoint->place[0].address, primary);
	snprintf(detail, size, "%u of %u new connections to %s go there again",
	         (uint32_t)KMEND_SHARE_ALL - share, (uint32_t)KMEND_SHARE_ALL, primary);
	if (share)
		return set_route(f, e, standby, share, e->pinned);
	end(f, e);
	say(f, e);
	return 0;
}

static const char *fault(int error)
{
	switch (error) {
	case -ENOENT:
		return "no such endpoint";
	case -EHOSTDOWN:
		return "no standby is known to answer";
	case -EALREADY:
		return "its connections go to the primary already";
	default:
		return km_place_fault(error);
	}
}

int km_failover_do(struct km_failovers *f, struct km_failover_request q, char *detail, size_t size)
{
	struct entry *e = find(f, q.place.def, q.endpoint);
	int r = !e                       ? -ENOENT
	        : q.verb == KM_FAIL_OVER ? fail_over(f, e, &q, detail, size)
	                                 : fail_back(f, e, &q, detail, size);

	if (r < 0)
		snprintf(detail, size, "%s", fault(r));
	return r;
}

void km_failover_follow(struct km_failovers *f, struct km_failover_request q)
{
	if (!km_place_has(&q.place, q.tgid))
		return;
	for (struct entry *e = f->entry; e < f->entry + f->count; e++) {
		km_autoclose int dir = -1;
		bool v2, outlive = e->pinned;
		uint32_t standby, share = route_of(e, &standby);

		if (e->def != q.place.def || !share ||
		    km_place_open(&q.place, "", q.tgid, &dir, &v2) < 0 ||
		    km_reroute_cgroup(e->reroute) == km_place_id(dir))
			continue;
		if (attach(f, e, dir) == 0) {
			set_route(f, e, standby, share, outlive);
		} else {
			end(f, e); /* the cgroup that it was for is gone */
			say(f, e);
		}
	}
}

enum km_outcome_state km_failover_look(const struct km_failovers *f, struct km_failover_request q)
{
	const struct entry *e = find(f, q.place.def, q.endpoint);
	uint32_t standby, share;
	bool done;

	if (!e)
		return KM_OUT_NOT_DONE;
	if (look(e, &standby, &share) < 0)
		return KM_OUT_UNKNOWN;
	if (q.verb == KM_FAIL_BACK)
		done = share == km_failover_share(q.amount);
	else
		done = share == KMEND_SHARE_ALL && standby == KM_FAILOVER_STANDBY(q.amount) &&
		       e->pinned == (KM_FAILOVER_END(q.amount) == KM_FAILOVER_KEEP);
	return done ? KM_OUT_DONE : KM_OUT_NOT_DONE;
}

/* Its pins are no endpoint's. */
static bool is_stray(const struct km_failovers *f, const char *name)
{
	char own[40];

	for (size_t i = 0; i < f->count; i++) {
		pin_name(&f->entry[i], own, sizeof(own));
		if (strcmp(name, own) == 0)
			return false;
	}
	return strncmp(name, PREFIX, strlen(PREFIX)) == 0;
}

static void end_strays(const struct km_failovers *f)
{
	DIR *d = opendir(f->pin_dir);
	struct dirent *e;
	char path[PIN_MAX + NAME_MAX];

	while (d && (e = readdir(d))) {
		if (!is_stray(f, e->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", f->pin_dir, e->d_name);
		km_reroute_unpin(path);
	}
	if (d)
		closedir(d);
}

/* Of an earlier process. A route to what is no standby any more, or half of one, ends; one that is
 * there and cannot be looked at is neither. */
static int take_over(struct km_failovers *f, struct entry *e)
{
	char path[PIN_MAX];
	uint32_t standby, share;
	int r = km_reroute_adopt(pins(f, e, path), &e->reroute);

	if (r < 0 && r != -ENOENT && !km_fs_absent(path))
		return r;
	e->pinned = r == 0;
	r = look(e, &standby, &share);
	if (!e->pinned)
		km_reroute_unpin(path);
	else if (r == 0 && !share)
		end(f, e);
	return r;
}

static int list(struct km_failovers *f, const struct km_config *c)
{
	size_t count = 0;

	for (size_t i = 0; i < c->service_count; i++)
		count += c->services[i].endpoint_count;
	f->entry = calloc(count + 1, sizeof(*f->entry));
	if (!f->entry)
		return -ENOMEM;
	for (size_t i = 0; i < c->service_count; i++)
		for (size_t k = 0; k < c->services[i].endpoint_count; k++)
			f->entry[f->count++] =
				(struct entry){ .def = &c->services[i],
				                .endpoint = &c->services[i].endpoints[k] };
	return 0;
}

int km_failovers_new(const struct km_config *config, const char *pin_dir, km_failover_say say_one,
                     void *userdata, struct km_failovers **ret)
{
	km_autofree(km_failovers_freep) struct km_failovers *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->pin_dir = pin_dir;
	f->say = say_one;
	f->userdata = userdata;
	r = list(f, config);
	if (r < 0)
		return r;
	if (pin_dir)
		end_strays(f);
	for (struct entry *e = f->entry; e < f->entry + f->count; e++) {
		r = pin_dir ? take_over(f, e) : 0;
		if (r < 0)
			return r;
		say(f, e);
	}
	*ret = km_take(f);
	return 0;
}

struct km_failovers *km_failovers_free(struct km_failovers *f)
{
	if (!f)
		return NULL;
	for (size_t i = 0; i < f->count; i++)
		km_reroute_free(f->entry[i].reroute);
	free(f->entry);
	free(f);
	return NULL;
}
