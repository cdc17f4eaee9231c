// SPDX-License-Identifier: Apache-2.0
/* Real connects, refused and accepted, and a real full queue. */
#include "bpf/values.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static struct km_config config;

struct net {
	struct world *world;
	struct group group;
};

static int start(void **state)
{
	struct km_collect_opts opts = { .config = &config };
	static struct net n;
	void *w;

	config.settings.sample_period_ns = 100 * KM_NS_PER_MS;
	world_enter(&w);
	n.world = w;
	world_start(n.world, &opts);
	group_make(&n.group, "net");
	world_pass(n.world);
	world_pass(n.world);
	assert_int_equal(km_collect_watch(n.world->collect, n.group.id, true), 0);
	*state = &n;
	return 0;
}

static int leave(void **state)
{
	struct net *n = *state;
	void *w = n->world;

	group_remove(&n->group);
	return world_leave(&w);
}

static struct sockaddr_in local(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		                     .sin_port = htons(port),
		                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* A listener on a port that the kernel chooses; -1 backlog: only bound. */
static int listener(int backlog, uint16_t *port)
{
	struct sockaddr_in a = local(0);
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static void connect_to(uint16_t port, int flags)
{
	struct sockaddr_in a = local(port);
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 && !flags)
		close(fd);
}

static const struct km_raw_value *peer(struct net *n, enum km_sig sig, uint16_t port, double least)
{
	char name[32];

	snprintf(name, sizeof(name), "127.0.0.1:%u", port);
	return values_wait(n->world, &(struct wanted){ sig, name, n->group.id, least, 1e9 });
}

static void refused_connects_are_told_by_peer(void **state)
{
	struct net *n = *state;
	uint16_t port;
	int fd = listener(-1, &port);
	uint32_t pid = CHILD({
		group_enter(&n->group);
		for (int i = 0; i < 3; i++)
			connect_to(port, 0);
	});

	reap(pid);
	assert_non_null(peer(n, KM_SIG_PEER_ATTEMPTS, port, 3));
	assert_non_null(peer(n, KM_SIG_PEER_FAILURES, port, 3));
	assert_non_null(peer(n, KM_SIG_PEER_REFUSED, port, 3));
	close(fd);
}

static void the_time_that_a_connect_takes_is_told_by_peer(void **state)
{
	struct net *n = *state;
	const struct km_raw_value *v;
	uint16_t port;
	int fd = listener(8, &port);
	uint32_t pid = CHILD({
		group_enter(&n->group);
		connect_to(port, 0);
		pause();
	});

	v = peer(n, KM_SIG_PEER_LATENCY, port, 1);
	assert_non_null(v);
	assert_true(v->value < 1e6);
	assert_non_null(peer(n, KM_SIG_PEER_RTT, port, 1));
	kill((pid_t)pid, SIGKILL);
	reap(pid);
	close(fd);
}

static void connects_of_others_are_not_told(void **state)
{
	struct net *n = *state;
	uint16_t port;
	int fd = listener(-1, &port);

	connect_to(port, 0);
	for (int i = 0; i < 6; i++)
		world_pass(n->world);
	for (size_t i = 0; i < n->world->count; i++) {
		const struct km_raw_value *v = (const void *)world_record(n->world, i);

		if (v->hdr.type == KM_RAW_VALUE)
			assert_int_not_equal(v->entity, KM_ENTITY_ENDPOINT);
	}
	close(fd);
}

/* A backlog of 1 holds two; whoever comes later is dropped, and asks again. */
static void a_full_accept_queue_and_what_it_drops_are_told(void **state)
{
	struct net *n = *state;
	const struct km_raw_value *v;
	uint32_t pid = CHILD({
		uint16_t port;

		group_enter(&n->group);
		listener(1, &port);
		for (int i = 0; i < 8; i++)
			connect_to(port, SOCK_NONBLOCK);
		pause();
	});

	v = values_wait(n->world, &(struct wanted){ KM_SIG_ACCEPT_QUEUE, NULL, n->group.id, 2, 2 });
	assert_non_null(v);
	assert_true(v->limit > 1.5 && v->limit < 2.5);
	assert_non_null(values_wait(n->world, &(struct wanted){ KM_SIG_ACCEPT_OVERFLOWS, NULL,
	                                                        n->group.id, 1, 1e9 }));
	kill((pid_t)pid, SIGKILL);
	reap(pid);
}

static bool third_unanswered(const void *raw, const void *arg)
{
	const struct kmend_tcp_state *t = raw;

	return t->hdr.cgroup_id == *(const uint64_t *)arg && t->from == 2 && t->to == 2 &&
	       t->in_a_row == 3;
}

/* Nobody gave up: who connects waits on, and it is known after a second. */
static void three_connects_without_an_answer_are_told(void **state)
{
	struct net *n = *state;
	uint32_t pid = CHILD({
		uint16_t port;

		group_enter(&n->group);
		listener(1, &port);
		for (int i = 0; i < 8; i++)
			connect_to(port, SOCK_NONBLOCK);
		pause();
	});

	assert_non_null(world_wait(n->world, KMEND_TCP_STATE, third_unanswered, &n->group.id));
	kill((pid_t)pid, SIGKILL);
	reap(pid);
}

/* A connection to oneself, with a segment for each of its bytes. */
static void send_bytes(int count)
{
	int one = 1, from = socket(AF_INET, SOCK_STREAM, 0), to;
	uint16_t port;
	int fd = listener(8, &port);
	struct sockaddr_in a = local(port);
	char byte = 0;

	if (connect(from, (struct sockaddr *)&a, sizeof(a)) < 0)
		_exit(1);
	to = accept(fd, NULL, NULL);
	setsockopt(from, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (int i = 0; i < count; i++)
		if (write(from, &byte, 1) != 1 || read(to, &byte, 1) != 1)
			_exit(1);
	close(from);
	close(to);
	close(fd);
}

/* Nothing is lost on the way to oneself. */
static void the_share_that_was_sent_again_is_told(void **state)
{
	struct net *n = *state;
	uint32_t pid = CHILD({
		group_enter(&n->group);
		for (int i = 0; i < 10; i++) {
			send_bytes(100);
			usleep(100000);
		}
		pause();
	});

	assert_non_null(values_wait(n->world, &(struct wanted){ KM_SIG_RETRANSMIT_SHARE, NULL,
	                                                        n->group.id, 0, 10000 }));
	kill((pid_t)pid, SIGKILL);
	reap(pid);
}

static void local_ports_in_use_are_counted(void **state)
{
	struct net *n = *state;
	const struct km_raw_value *v;
	uint16_t port;
	int fd = listener(64, &port), before;

	v = values_wait(n->world, &(struct wanted){ KM_SIG_PORTS, NULL, 0, 0, 1e6 });
	assert_non_null(v);
	assert_true(v->limit > v->value);
	before = (int)v->value;
	for (int i = 0; i < 20; i++)
		connect_to(port, 0);
	assert_non_null(
		values_wait(n->world, &(struct wanted){ KM_SIG_PORTS, NULL, 0, before + 10, 1e6 }));
	close(fd);
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, start, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(refused_connects_are_told_by_peer),
		ROW(the_time_that_a_connect_takes_is_told_by_peer),
		ROW(connects_of_others_are_not_told),
		ROW(a_full_accept_queue_and_what_it_drops_are_told),
		ROW(three_connects_without_an_answer_are_told),
		ROW(the_share_that_was_sent_again_is_told),
		ROW(local_ports_in_use_are_counted),
	};

	if (!world_possible())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
