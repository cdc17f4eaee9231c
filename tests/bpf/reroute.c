/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of a cgroup of our own, in a network namespace of our own, sent elsewhere (root). */
#include "bpf/world.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/peer.h"
#include "base/reroute.h"

enum { PRIMARY = 0, STANDBY = 1, SERVERS = 2 };

struct scene {
	struct world *world;
	char home[KM_PATH_MAX]; /* where this process was */
	char group[KM_PATH_MAX + 64];
	int group_fd;
	uint64_t group_id;
	int server[2][SERVERS]; /* IPv4, IPv6: listening, never accepting */
	struct kmend_address at[2][SERVERS];
};

static const char *const texts[2][SERVERS] = { { "127.0.0.1:7001", "127.0.0.2:7002" },
	                                       { "[::1]:7003", "[::1]:7004" } };

/* The bytes that the sockets API takes. */
static socklen_t native(const struct kmend_address *p, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (void *)ret;
	struct sockaddr_in6 *v6 = (void *)ret;

	memset(ret, 0, sizeof(*ret));
	if (km_peer_is_v4(p)) {
		v4->sin_family = AF_INET;
		v4->sin_port = (in_port_t)p->port;
		memcpy(&v4->sin_addr, &p->addr[3], 4);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = (in_port_t)p->port;
	memcpy(&v6->sin6_addr, p->addr, 16);
	return sizeof(*v6);
}

static void make_loopback(void)
{
	struct ifreq f = { .ifr_name = "lo" };
	int fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &f), 0);
	f.ifr_flags |= IFF_UP;
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &f), 0);
	close(fd);
}

static void make_servers(struct scene *s)
{
	for (int v6 = 0; v6 < 2; v6++) {
		for (int i = 0; i < SERVERS; i++) {
			struct sockaddr_storage a;
			socklen_t len;

			assert_int_equal(km_peer_parse(texts[v6][i], &s->at[v6][i]), 0);
			len = native(&s->at[v6][i], &a);
			s->server[v6][i] = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
			assert_int_equal(bind(s->server[v6][i], (void *)&a, len), 0);
			assert_int_equal(listen(s->server[v6][i], 512), 0);
		}
	}
}

/* Directory of the cgroup that this process is in. */
static void own_group(const char *mount, char *ret, size_t size)
{
	char text[KM_PATH_MAX], *at;

	assert_true(km_fs_read_small(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text)) > 0);
	at = strstr(text, "0::");
	assert_non_null(at);
	at[strcspn(at, "\n")] = '\0';
	snprintf(ret, size, "%s%s", mount, at + 3);
}

static void enter(const char *group)
{
	char path[2 * KM_PATH_MAX], text[16];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	snprintf(text, sizeof(text), "%d", getpid());
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(write(fd, text, strlen(text)) > 0);
	close(fd);
}

static int start(void **state)
{
	static struct scene s;
	struct km_cgroup_mounts m = { 0 };
	struct stat st;
	void *w;

	world_enter(&w);
	s.world = w;
	make_loopback();
	make_servers(&s);
	assert_int_equal(km_cgroup_mounts_read(&m), 0);
	own_group(m.unified, s.home, sizeof(s.home));
	snprintf(s.group, sizeof(s.group), "%s/kmend-test-reroute-%d", m.unified, getpid());
	assert_int_equal(mkdir(s.group, 0755), 0);
	s.group_fd = open(s.group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(fstat(s.group_fd, &st), 0);
	s.group_id = st.st_ino;
	*state = &s;
	return 0;
}

static int leave(void **state)
{
	struct scene *s = *state;
	void *w = s->world;

	close(s->group_fd);
	rmdir(s->group);
	for (int i = 0; i < 2 * SERVERS; i++)
		close(s->server[i / SERVERS][i % SERVERS]);
	return world_leave(&w);
}

/* A connected socket of a process in the cgroup: it is made, connected and inspected there. */
static int connect_from_group(const struct scene *s, const struct kmend_address *to)
{
	struct sockaddr_storage a;
	socklen_t len = native(to, &a);
	int fd;

	enter(s->group);
	fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (void *)&a, len) < 0) {
		close(fd);
		fd = -errno;
	}
	enter(s->home);
	return fd;
}

/* Which of the servers the next connection reaches; it is closed. */
static int reached(const struct scene *s, bool v6)
{
	struct pollfd p[SERVERS];

	for (int i = 0; i < SERVERS; i++)
		p[i] = (struct pollfd){ .fd = s->server[v6][i], .events = POLLIN };
	if (poll(p, SERVERS, 5000) <= 0)
		return -1;
	for (int i = 0; i < SERVERS; i++) {
		if (!p[i].revents)
			continue;
		close(accept(p[i].fd, NULL, NULL));
		return i;
	}
	return -1;
}

static void check_peer(int fd, const struct kmend_address *expected)
{
	struct sockaddr_storage a = { 0 }, e;
	socklen_t len = sizeof(a);

	native(expected, &e);
	assert_int_equal(getpeername(fd, (void *)&a, &len), 0);
	if (e.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&a)->sin6_flowinfo = 0;
	assert_memory_equal(&a, &e, len);
}

static void the_address_asked_for_is_the_one_seen(void **state)
{
	const struct scene *s = *state;

	for (int v6 = 0; v6 < 2; v6++) {
		const struct kmend_address *at = s->at[v6];
		km_autofree(km_reroute_freep) struct km_reroute *r = NULL;
		struct kmend_route route;
		int fd;

		assert_int_equal(km_reroute_new(s->group_fd, &r), 0);
		assert_int_equal(km_reroute_set(r, &at[PRIMARY], &at[STANDBY], KMEND_SHARE_ALL), 0);
		assert_int_equal(km_reroute_count(r), 1);
		fd = connect_from_group(s, &at[PRIMARY]);
		assert_true(fd >= 0);
		assert_int_equal(reached(s, v6), STANDBY);
		check_peer(fd, &at[PRIMARY]);
		close(fd);
		assert_int_equal(km_reroute_get(r, &at[PRIMARY], &route), 0);
		assert_int_equal(route.rerouted, 1);

		assert_int_equal(km_reroute_set(r, &at[PRIMARY], &at[STANDBY], 0), 0);
		assert_int_equal(km_reroute_get(r, &at[PRIMARY], &route), -ENOENT);
		fd = connect_from_group(s, &at[PRIMARY]);
		assert_int_equal(reached(s, v6), PRIMARY);
		check_peer(fd, &at[PRIMARY]);
		close(fd);
	}
}

static void others_are_not_touched(void **state)
{
	const struct scene *s = *state;
	const struct kmend_address *at = s->at[0];
	km_autofree(km_reroute_freep) struct km_reroute *r = NULL;
	struct sockaddr_storage a;
	socklen_t len = native(&at[PRIMARY], &a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(km_reroute_new(s->group_fd, &r), 0);
	assert_int_equal(km_reroute_set(r, &at[PRIMARY], &at[STANDBY], KMEND_SHARE_ALL), 0);
	assert_int_equal(connect(fd, (void *)&a, len), 0);
	assert_int_equal(reached(s, false), PRIMARY);
	close(fd);
	/* ... and in the cgroup only what was named. */
	fd = connect_from_group(s, &at[STANDBY]);
	assert_int_equal(reached(s, false), STANDBY);
	close(fd);
}

/* With half of 400 the chance of fewer than 140 or more than 260 is one in 10^9. */
static void a_share_goes_there(void **state)
{
	const struct scene *s = *state;
	const struct kmend_address *at = s->at[0];
	km_autofree(km_reroute_freep) struct km_reroute *r = NULL;
	int there = 0;

	assert_int_equal(km_reroute_new(s->group_fd, &r), 0);
	assert_int_equal(km_reroute_set(r, &at[PRIMARY], &at[STANDBY], KMEND_SHARE_ALL / 2), 0);
	for (int i = 0; i < 400; i++) {
		int fd = connect_from_group(s, &at[PRIMARY]);

		there += reached(s, false) == STANDBY;
		close(fd);
	}
	assert_in_range(there, 140, 260);
}

static void it_ends_with_its_holder_unless_it_was_pinned(void **state)
{
	const struct scene *s = *state;
	const struct kmend_address *at = s->at[0];
	char dir[128];

	snprintf(dir, sizeof(dir), "%s/reroute", s->world->dir);
	for (int pinned = 0; pinned < 2; pinned++) {
		struct km_reroute *r = NULL;
		int fd;

		assert_int_equal(km_reroute_new(s->group_fd, &r), 0);
		assert_int_equal(km_reroute_set(r, &at[PRIMARY], &at[STANDBY], KMEND_SHARE_ALL), 0);
		if (pinned)
			assert_int_equal(km_reroute_pin(r, dir), 0);
		r = km_reroute_free(r);
		fd = connect_from_group(s, &at[PRIMARY]);
		assert_int_equal(reached(s, false), pinned ? STANDBY : PRIMARY);
		close(fd);
	}
}

static void what_was_pinned_is_adopted_and_undone(void **state)
{
	const struct scene *s = *state;
	const struct kmend_address *at = s->at[0];
	km_autofree(km_reroute_freep) struct km_reroute *r = NULL;
	struct kmend_route route;
	char dir[128];
	int fd;

	snprintf(dir, sizeof(dir), "%s/reroute", s->world->dir);
	assert_int_equal(km_reroute_adopt(dir, &r), 0);
	assert_int_equal(km_reroute_get(r, &at[PRIMARY], &route), 0);
	assert_int_equal(route.share, KMEND_SHARE_ALL);
	/* Held by us alone now. */
	assert_int_equal(km_reroute_unpin(dir), 0);
	assert_int_equal(access(dir, F_OK), -1);
	fd = connect_from_group(s, &at[PRIMARY]);
	assert_int_equal(reached(s, false), STANDBY);
	close(fd);
	r = km_reroute_free(r);
	fd = connect_from_group(s, &at[PRIMARY]);
	assert_int_equal(reached(s, false), PRIMARY);
	close(fd);
	assert_int_equal(km_reroute_adopt(dir, &r), -ENOENT);
}

static void nonsense_is_refused(void **state)
{
	const struct scene *s = *state;
	km_autofree(km_reroute_freep) struct km_reroute *r = NULL;
	struct kmend_address from = s->at[0][PRIMARY];

	assert_int_equal(km_reroute_new(s->group_fd, &r), 0);
	assert_int_equal(km_reroute_set(r, &from, &s->at[1][STANDBY], 1), -EINVAL);
	assert_int_equal(km_reroute_set(r, &from, &s->at[0][STANDBY], KMEND_SHARE_ALL + 1),
	                 -EINVAL);
	for (int i = 0; i < KMEND_ROUTES_MAX; i++) {
		from.port = htons((uint16_t)(8000 + i));
		assert_int_equal(km_reroute_set(r, &from, &s->at[0][STANDBY], 1), 0);
	}
	from.port = htons(9000);
	assert_int_equal(km_reroute_set(r, &from, &s->at[0][STANDBY], 1), -E2BIG);
	assert_int_equal(km_reroute_count(r), KMEND_ROUTES_MAX);
}

static bool is_group(void *userdata, uint64_t cgroup_id)
{
	return cgroup_id == *(const uint64_t *)userdata;
}

static void stale_connections_of_the_cgroup_alone_are_ended(void **state)
{
	struct scene *s = *state;

	for (int v6 = 0; v6 < 2; v6++) {
		struct sockaddr_storage a;
		socklen_t len = native(&s->at[v6][PRIMARY], &a);
		int mine = connect_from_group(s, &s->at[v6][PRIMARY]);
		int other = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		char c;

		assert_true(mine >= 0);
		assert_int_equal(connect(other, (void *)&a, len), 0);
		assert_int_equal(km_reroute_close_stale(-1, &s->at[v6][PRIMARY], is_group,
		                                        &s->group_id),
		                 1);
		assert_int_equal(recv(mine, &c, 1, MSG_DONTWAIT), -1);
		assert_int_equal(errno, ECONNABORTED);
		assert_int_equal(recv(other, &c, 1, MSG_DONTWAIT), -1);
		assert_int_equal(errno, EAGAIN);
		close(mine);
		close(other);
		assert_int_equal(reached(s, v6), PRIMARY);
		assert_int_equal(reached(s, v6), PRIMARY);
	}
}

static void another_namespace_is_reached_and_left(void **state)
{
	struct scene *s = *state;
	km_autoclose int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int mine = connect_from_group(s, &s->at[0][PRIMARY]);
	char c;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(km_reroute_close_stale(-1, &s->at[0][PRIMARY], is_group, &s->group_id), 0);
	assert_int_equal(km_reroute_close_stale(here, &s->at[0][PRIMARY], is_group, &s->group_id),
	                 1);
	assert_int_equal(km_reroute_close_stale(-1, &s->at[0][PRIMARY], is_group, &s->group_id), 0);
	assert_int_equal(setns(here, CLONE_NEWNET), 0);
	assert_int_equal(recv(mine, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, ECONNABORTED);
	close(mine);
	assert_int_equal(reached(s, false), PRIMARY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_address_asked_for_is_the_one_seen),
		cmocka_unit_test(others_are_not_touched),
		cmocka_unit_test(a_share_goes_there),
		cmocka_unit_test(it_ends_with_its_holder_unless_it_was_pinned),
		cmocka_unit_test(what_was_pinned_is_adopted_and_undone),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(stale_connections_of_the_cgroup_alone_are_ended),
		cmocka_unit_test(another_namespace_is_reached_and_left),
	};

	if (!world_possible())
		return 0;
	return cmocka_run_group_tests(tests, start, leave);
}
