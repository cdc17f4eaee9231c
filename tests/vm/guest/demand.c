// SPDX-License-Identifier: Apache-2.0
/* What is looked at because somebody asked: each is asked for, made to happen, and let go again. */
#include "vm/guest/guest.h"

#include <arpa/inet.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#define ASKER 1

/* As the service, in a child, until the signal is told between FROM and 100 s. */
static bool deep(struct guest *g, const char *signal, double from, void (*work)(void))
{
	const struct km_lease_ask ask = {
		.service = "case",
		.cgroup_id = g->group,
		.owner = ASKER,
		.until_ns = km_now_ns() + 600 * KM_NS_PER_S,
		.depths = km_catalogue_depth(km_catalogue_find(signal)),
	};
	const struct km_raw_value *v;
	char why[128] = "";
	uint32_t pid;

	if (km_collect_lease(g->collect, &ask, why, sizeof(why)) < 0) {
		km_copy(g->why, sizeof(g->why), why);
		return false;
	}
	pid = GUEST_CHILD(guest_enter_group(); work());
	v = guest_count(g, signal, NULL, from);
	guest_end(pid);
	km_collect_unlease(g->collect, ASKER);
	WANT_RECORD(g, v);
	WANT(g, v->value < 100e6 && v->window_ns == v->period_ns);
	return true;
}

static void wait_ms(long ms)
{
	const struct timespec t = { 0, ms * 1000000 };

	nanosleep(&t, NULL);
}

/* The end of a pipe into which a byte comes each 5 ms. */
static int slow_writer(void)
{
	int ends[2];

	if (pipe(ends) < 0)
		_exit(1);
	if (guest_fork())
		return ends[0];
	for (ssize_t n = 1; n > 0; wait_ms(5))
		n = write(ends[1], "x", 1);
	_exit(0);
}

static void read_slowly(void)
{
	int fd = slow_writer();
	char c;

	while (read(fd, &c, 1) == 1)
		;
}

static void write_often(void)
{
	static char piece[4096];
	int fd = open("/run/written", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	while (pwrite(fd, piece, sizeof(piece), 0) > 0)
		;
}

static void sync_often(void)
{
	int fd = open("/disk/sync", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	unlink("/disk/sync");
	while (pwrite(fd, "x", 1, 0) == 1 && fsync(fd) == 0)
		;
}

static void wait_for_locks(void)
{
	const struct timespec five_ms = { 0, 5000000 };
	int word = 0;

	for (;;)
		syscall(SYS_futex, &word, FUTEX_WAIT, 0, &five_ms, NULL, 0);
}

/* One connects each 5 ms, the other accepts. */
static void meet(bool accepts)
{
	struct sockaddr_in a;
	int listener = guest_bound(&a), fd;
	bool other;

	if (listen(listener, 8) < 0)
		_exit(1);
	other = guest_fork() == 0;
	for (;;) {
		if (accepts != other) {
			fd = accept(listener, NULL, NULL);
		} else {
			wait_ms(5);
			fd = socket(AF_INET, SOCK_STREAM, 0);
			if (connect(fd, (void *)&a, sizeof(a)) < 0)
				_exit(1);
		}
		close(fd);
	}
}

static void connect_often(void)
{
	meet(false);
}

static void accept_often(void)
{
	meet(true);
}

static void compete(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	guest_fork();
	for (;;)
		;
}

/* Answers after 2 ms, each second time with a failure. */
static void serve_names(int fd)
{
	unsigned char q[512];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(fd, q, sizeof(q), 0, (void *)&from, &len)) >= 12) {
		wait_ms(2);
		q[2] |= 0x80;
		q[3] = q[1] & 1 ? 2 : 0;
		sendto(fd, q, (size_t)n, 0, (void *)&from, len);
	}
	_exit(0);
}

static void resolve(void)
{
	struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons(53) };
	unsigned char q[40] = { 0 }, answer[512];
	int s = socket(AF_INET, SOCK_DGRAM, 0), fd = socket(AF_INET, SOCK_DGRAM, 0);

	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(s, (void *)&server, sizeof(server)) < 0 ||
	    connect(fd, (void *)&server, sizeof(server)) < 0)
		_exit(1);
	if (guest_fork() == 0)
		serve_names(s);
	for (;; q[1]++)
		if (send(fd, q, sizeof(q), 0) < 0 || recv(fd, answer, sizeof(answer), 0) < 0)
			_exit(1);
}

#define CASE(name, signal, from, work)              \
	static bool name(struct guest *g)           \
	{                                           \
		return deep(g, signal, from, work); \
	}

CASE(reads, "syscall.latency.read", 3000, read_slowly)
CASE(writes, "syscall.latency.write", 1, write_often)
CASE(syncs, "syscall.latency.fsync", 10, sync_often)
CASE(locks, "syscall.latency.futex", 5000, wait_for_locks)
CASE(connects, "syscall.latency.connect", 1, connect_often)
CASE(accepts, "syscall.latency.accept", 3000, accept_often)
CASE(run_queue, "sched.run_queue", 500, compete)
CASE(queries, "dns.queries", 1, resolve)
CASE(failures, "dns.failures", 1, resolve)
CASE(answers, "dns.latency", 2000, resolve)

static bool cost(struct guest *g)
{
	const struct km_lease_ask ask = { "case", g->group, ASKER, km_now_ns() + 600 * KM_NS_PER_S,
		                          KM_DEPTH_RUN_QUEUE };
	const struct km_raw_value *v;
	char why[128];

	WANT_IS(g, km_collect_lease(g->collect, &ask, why, sizeof(why)), 0);
	v = guest_count(g, "kmend.demand_cost", "", 0.001);
	km_collect_unlease(g->collect, ASKER);
	return v;
}

const struct guest_case guest_demand[] = {
	{ "syscall.latency.read", reads },
	{ "syscall.latency.write", writes },
	{ "syscall.latency.fsync", syncs },
	{ "syscall.latency.futex", locks },
	{ "syscall.latency.connect", connects },
	{ "syscall.latency.accept", accepts },
	{ "sched.run_queue", run_queue },
	{ "dns.queries", queries },
	{ "dns.failures", failures },
	{ "dns.latency", answers },
	{ "kmend.demand_cost", cost },
	{ NULL, NULL },
};
