// SPDX-License-Identifier: Apache-2.0
/* Real connects to a followed address are told of at once, not with the next pass. */
#include "bpf/values.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* Two passes apart by more than any test waits: what is seen came by itself. */
#define PERIOD_NS (60 * KM_NS_PER_S)

struct net {
	struct world *world;
	struct group group;
	struct km_config config;
	struct km_service_def def;
	struct km_endpoint endpoint;
	uint16_t port; /* followed; bound, nobody listens at first */
	int fd;
};

static struct sockaddr_in local(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		                     .sin_port = htons(port),
		                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void take_port(struct net *n)
{
	struct sockaddr_in a = local(0);
	socklen_t len = sizeof(a);

	n->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(n->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(n->fd, (struct sockaddr *)&a, &len), 0);
	n->port = ntohs(a.sin_port);
}

static int start(void **state)
{
	static struct net n;
	struct km_collect_opts opts = { .config = &n.config };
	void *w;

	take_port(&n);
	n.endpoint.places = 1;
	n.endpoint.place[0].address =
		(struct kmend_address){ .addr = { 0, 0, KMEND_MAPPED, htonl(INADDR_LOOPBACK) },
		                        .port = htons(n.port) };
	n.def.endpoints = &n.endpoint;
	n.def.endpoint_count = 1;
	n.config.services = &n.def;
	n.config.service_count = 1;
	n.config.settings.sample_period_ns = PERIOD_NS;
	world_enter(&w);
	n.world = w;
	world_start(n.world, &opts);
	group_make(&n.group, "follow");
	for (int i = 0; i < 100 && km_collect_watch(n.world->collect, n.group.id, true) < 0; i++)
		km_loop_once(n.world->loop, 100);
	*state = &n;
	return 0;
}

static int leave(void **state)
{
	struct net *n = *state;
	void *w = n->world;

	close(n->fd);
	group_remove(&n->group);
	return world_leave(&w);
}

static void connects(struct net *n, int count)
{
	uint32_t pid = CHILD({
		struct sockaddr_in a = local(n->port);

		group_enter(&n->group);
		for (int i = 0; i < count; i++) {
			int fd = socket(AF_INET, SOCK_STREAM, 0);

			(void)connect(fd, (struct sockaddr *)&a, sizeof(a)); /* nobody listens */
			close(fd);
		}
	});

	reap(pid);
}

static bool is_failure(const void *raw, const void *arg)
{
	const struct kmend_connects *c = raw;
	const struct net *n = arg;

	return c->failed && c->port == n->port && c->hdr.cgroup_id == n->group.id;
}

static bool is_success(const void *raw, const void *arg)
{
	const struct kmend_connects *c = raw;
	const struct net *n = arg;

	return c->established && c->latency_ns && c->port == n->port;
}

static void a_refused_connect_is_told_at_once(void **state)
{
	struct net *n = *state;
	const struct kmend_connects *c;

	connects(n, 1);
	c = world_wait(n->world, KMEND_CONNECTS, is_failure, n);
	assert_non_null(c);
	assert_int_equal(c->failed, 1);
	assert_int_equal(c->established, 0);
	assert_int_equal(c->family, AF_INET);
}

/* Thousands of clients that try again and again are some records, and nothing is left out. */
static void a_storm_of_them_is_told_in_sums(void **state)
{
	struct net *n = *state;
	uint64_t end = km_now_ns() + WORLD_PATIENCE_NS, records = 0, failed = 0;
	size_t seen = n->world->count;

	connects(n, 5000);
	while (failed < 5000 && km_now_ns() < end) {
		connects(n, 1); /* brings what the ones before left untold */
		assert_true(km_loop_once(n->world->loop, 100) >= 0);
		for (; seen < n->world->count; seen++) {
			const struct kmend_connects *c = (const void *)world_record(n->world, seen);

			if (c->hdr.type != KMEND_CONNECTS || !is_failure(c, n))
				continue;
			records++;
			failed += c->failed;
		}
	}
	assert_true(failed >= 5000);
	assert_true(records < 1000);
}

static void an_accepted_connect_behind_failures_is_told_at_once(void **state)
{
	struct net *n = *state;

	assert_int_equal(listen(n->fd, 8), 0);
	connects(n, 1);
	assert_non_null(world_wait(n->world, KMEND_CONNECTS, is_success, n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_connect_is_told_at_once),
		cmocka_unit_test(a_storm_of_them_is_told_in_sums),
		cmocka_unit_test(an_accepted_connect_behind_failures_is_told_at_once),
	};

	if (!world_possible())
		return 0;
	return cmocka_run_group_tests(tests, start, leave);
}
