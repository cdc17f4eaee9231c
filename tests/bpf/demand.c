// SPDX-License-Identifier: Apache-2.0
/* Depth: what is looked at closely because somebody asked, and off again at once. */
#include "bpf/values.h"

#include <arpa/inet.h>
#include <linux/futex.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#define OWNER  7
#define MINUTE (60 * KM_NS_PER_S)

static struct km_config config;

struct deep {
	struct world *world;
	struct group group;
};

static int start_with(void **state, uint64_t budget_ppm)
{
	struct km_collect_opts opts = { .config = &config };
	static struct deep d;
	void *w;

	config.settings.sample_period_ns = 100 * KM_NS_PER_MS;
	config.settings.signal_budget_ppm = budget_ppm;
	world_enter(&w);
	d.world = w;
	world_start(d.world, &opts);
	group_make(&d.group, "deep");
	world_pass(d.world);
	world_pass(d.world);
	assert_int_equal(km_collect_watch(d.world->collect, d.group.id, true), 0);
	*state = &d;
	return 0;
}

static int start(void **state)
{
	return start_with(state, 100000);
}

static int start_poor(void **state)
{
	return start_with(state, 1);
}

static int start_without(void **state)
{
	return start_with(state, 0);
}

static int leave(void **state)
{
	struct deep *d = *state;
	void *w = d->world;

	/* Children of children end a moment later. */
	for (int i = 0; i < 100 && rmdir(d->group.unified) < 0; i++)
		world_pass(d->world);
	group_remove(&d->group);
	return world_leave(&w);
}

static int ask_for(struct deep *d, uint64_t cgroup_id, uint32_t depths, uint64_t for_ns)
{
	struct km_lease_ask ask = { "deep", cgroup_id, OWNER, km_now_ns() + for_ns, depths };
	char why[128] = "";
	int r = km_collect_lease(d->world->collect, &ask, why, sizeof(why));

	assert_true(r == 0 || why[0]);
	return r;
}

static const struct km_raw_value *told(struct deep *d, enum km_sig sig, double least, double most)
{
	return values_wait(d->world, &(struct wanted){ sig, NULL, d->group.id, least, most });
}

struct lease_is {
	enum km_lease_state state;
};

static bool lease_match(const void *raw, const void *arg)
{
	return ((const struct km_raw_lease *)raw)->state ==
	       (uint32_t)((const struct lease_is *)arg)->state;
}

static const struct km_raw_lease *lease(struct deep *d, enum km_lease_state state)
{
	return world_wait(d->world, KM_RAW_LEASE, lease_match, &(struct lease_is){ state });
}

static bool attached(const struct deep *d, enum km_prog_id id)
{
	return d->world->collect->bpf.progs[id].link_fd >= 0;
}

/* 4 ms each, one after the other. */
static void wait_in_calls(const struct group *g)
{
	const struct timespec four_ms = { 0, 4000000 };
	int ends[2], word = 0;

	group_enter(g);
	if (pipe(ends) < 0)
		_exit(1);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			nanosleep(&four_ms, NULL);
			if (write(ends[1], "x", 1) != 1)
				_exit(1);
		}
	}
	for (char c;;) {
		if (read(ends[0], &c, 1) != 1)
			_exit(1);
		syscall(SYS_futex, &word, FUTEX_WAIT, 0, &four_ms, NULL, 0);
	}
}

static void end(uint32_t pid)
{
	kill((pid_t)pid, SIGKILL);
	reap(pid);
}

static void durations_of_blocking_calls_are_told_while_asked_for(void **state)
{
	struct deep *d = *state;
	const struct km_raw_value *v;
	uint32_t pid = CHILD(wait_in_calls(&d->group));

	assert_int_equal(ask_for(d, d->group.id, KM_DEPTH_LATENCY, MINUTE), 0);
	assert_non_null(lease(d, KM_LEASE_GRANTED));
	v = told(d, KM_SIG_LATENCY_FUTEX, 4000, 60000);
	assert_non_null(v);
	assert_true(v->error > 0 && v->period_ns > 0 && v->window_ns == v->period_ns);
	assert_non_null(told(d, KM_SIG_LATENCY_WRITE, 0.1, 4000));
	assert_non_null(told(d, KM_SIG_LATENCY_READ, 0.1, 60000));
	assert_non_null(
		values_wait(d->world, &(struct wanted){ KM_SIG_DEMAND_COST, NULL, 0, 0.1, 1e6 }));
	assert_string_equal(km_collect_sources(d->world->collect)[KM_SIG_LATENCY_READ].held,
	                    "deep");
	assert_string_equal(km_collect_sources(d->world->collect)[KM_SIG_RUN_QUEUE].held, "");
	assert_true(attached(d, KM_PROG_ENTER) && attached(d, KM_PROG_LEAVE));
	assert_false(attached(d, KM_PROG_SWITCH));
	km_collect_unlease(d->world->collect, OWNER);
	assert_false(attached(d, KM_PROG_ENTER) || attached(d, KM_PROG_LEAVE));
	assert_non_null(lease(d, KM_LEASE_ENDED));
	end(pid);
}

/* More than one CPU can run them: some wait. */
static void compete(const struct group *g)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	group_enter(g);
	sched_setaffinity(0, sizeof(one), &one);
	for (int i = 0; i < 2; i++)
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			break;
		}
	for (;;)
		;
}

static void waits_for_a_cpu_are_told_each(void **state)
{
	struct deep *d = *state;
	uint32_t pid = CHILD(compete(&d->group));

	assert_int_equal(ask_for(d, d->group.id, KM_DEPTH_RUN_QUEUE, MINUTE), 0);
	assert_non_null(told(d, KM_SIG_RUN_QUEUE, 500, 1e6));
	end(pid);
}

#define CALLS 50000

/* Waits to be told, then makes its calls. */
static void call_often(const struct group *g, int go)
{
	char c;

	group_enter(g);
	if (read(go, &c, 1) != 1)
		_exit(1);
	for (int i = 0; i < CALLS; i++)
		syscall(SYS_getppid);
	pause();
}

static double sum_of(const struct world *w, enum km_sig sig, uint64_t cgroup_id)
{
	double sum = 0;

	for (size_t i = 0; i < w->count; i++) {
		const struct km_raw_value *v = (const void *)world_record(w, i);

		if (v->hdr.type == KM_RAW_VALUE && v->signal == (uint32_t)sig &&
		    v->hdr.cgroup_id == cgroup_id) {
			assert_true(v->error == 0 && v->window_ns == v->period_ns);
			sum += v->value;
		}
	}
	return sum;
}

static void each_call_is_counted_while_asked_for(void **state)
{
	struct deep *d = *state;
	struct world *w = d->world;
	double least = CALLS - KMEND_TURN_CALLS, n;
	uint32_t pid;
	int go[2];

	assert_int_equal(pipe(go), 0);
	pid = CHILD(call_often(&d->group, go[0]));
	assert_int_equal(ask_for(d, d->group.id, KM_DEPTH_CALLS, MINUTE), 0);
	world_pass(w);
	world_forget(w);
	assert_int_equal(write(go[1], "x", 1), 1);
	for (int i = 0; i < 20 && sum_of(w, KM_SIG_SYSCALL_CALLS, d->group.id) < least; i++)
		world_pass(w);
	n = sum_of(w, KM_SIG_SYSCALL_CALLS, d->group.id);
	assert_true(n >= least && n <= CALLS + KMEND_TURN_CALLS);
	end(pid);
	close(go[0]);
	close(go[1]);
}

static void bring_lo_up(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (unshare(CLONE_NEWNET) < 0)
		_exit(1);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ioctl(fd, SIOCSIFFLAGS, &r) < 0)
		_exit(1);
	close(fd);
}

/* Answers each question after 2 ms; odd numbers with a failure, each fourth not at all. */
static void serve_names(int fd)
{
	const struct timespec two_ms = { 0, 2000000 };
	unsigned char q[512];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(fd, q, sizeof(q), 0, (void *)&from, &len)) >= 12) {
		nanosleep(&two_ms, NULL);
		q[2] |= 0x80;
		q[3] = q[1] & 1 ? 2 : 0;
		if (q[1] % 4 != 2)
			sendto(fd, q, (size_t)n, 0, (void *)&from, len);
	}
}

/* As a resolver does: asks once more when nothing came for 20 ms. */
static void resolve(const struct group *g)
{
	struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons(53) };
	struct timeval patience = { 0, 20000 };
	unsigned char q[40] = { 0 };
	int s, fd;

	bring_lo_up();
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(s, (void *)&server, sizeof(server)) < 0)
		_exit(1);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve_names(s);
		_exit(0);
	}
	close(s);
	group_enter(g);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (void *)&server, sizeof(server)) < 0)
		_exit(1);
	for (;; q[1]++)
		for (int again = 0; again < 2; again++) {
			if (send(fd, q, sizeof(q), 0) < 0)
				_exit(1);
			if (recv(fd, q + 20, 20, 0) > 0)
				break;
		}
}

static void name_resolution_is_told_with_its_failures(void **state)
{
	struct deep *d = *state;
	const struct km_raw_value *queries, *failures;
	uint32_t pid = CHILD(resolve(&d->group));

	assert_int_equal(ask_for(d, d->group.id, KM_DEPTH_DNS, MINUTE), 0);
	assert_non_null(told(d, KM_SIG_DNS_LATENCY, 2000, 200000));
	queries = told(d, KM_SIG_DNS_QUERIES, 5, 1e6);
	assert_non_null(queries);
	failures = told(d, KM_SIG_DNS_FAILURES, 1, 1e6);
	assert_non_null(failures);
	end(pid);
}

static void what_costs_more_than_the_budget_is_refused_and_taken_off(void **state)
{
	struct deep *d = *state;
	const struct km_raw_lease *l;
	uint32_t pid = CHILD(for (;;) syscall(SYS_getppid));

	assert_int_equal(ask_for(d, d->group.id, KM_DEPTH_LATENCY, MINUTE), 0);
	l = lease(d, KM_LEASE_REFUSED);
	assert_non_null(l);
	assert_non_null(strstr(l->reason, "signal_budget_ppm is 1"));
	assert_false(attached(d, KM_PROG_ENTER) || attached(d, KM_PROG_LEAVE));
	assert_non_null(strstr(km_collect_sources(d->world->collect)[KM_SIG_LATENCY_READ].refused,
	                       "signal_budget_ppm is 1"));
	end(pid);
}

static void without_a_budget_nothing_is_asked_for(void **state)
{
	struct deep *d = *state;

	assert_int_equal(ask_for(d, d->group.id, KM_DEPTH_ALL, MINUTE), -EDQUOT);
	assert_int_equal(ask_for(d, 12345, KM_DEPTH_ALL, MINUTE), -EDQUOT);
}

static void it_ends_by_itself(void **state)
{
	struct deep *d = *state;
	const struct km_raw_lease *l;

	assert_int_equal(ask_for(d, d->group.id, KM_DEPTH_RUN_QUEUE, KM_NS_PER_S / 2), 0);
	assert_true(attached(d, KM_PROG_SWITCH));
	l = lease(d, KM_LEASE_ENDED);
	assert_non_null(l);
	assert_int_equal(l->person, 1);
	assert_false(attached(d, KM_PROG_SWITCH));
}

static void more_services_than_there_is_room_for_are_refused(void **state)
{
	struct deep *d = *state;
	struct group g[KMEND_LEASES_MAX];
	char name[16];

	for (int i = 0; i < KMEND_LEASES_MAX; i++) {
		snprintf(name, sizeof(name), "room%d", i);
		group_make(&g[i], name);
	}
	world_pass(d->world);
	world_pass(d->world);
	for (int i = 0; i < KMEND_LEASES_MAX; i++)
		assert_int_equal(ask_for(d, g[i].id, KM_DEPTH_CALLS, MINUTE), 0);
	assert_int_equal(ask_for(d, d->group.id, KM_DEPTH_CALLS, MINUTE), -ENOSPC);
	assert_int_equal(ask_for(d, g[0].id, KM_DEPTH_LATENCY, MINUTE),
	                 0); /* in place of its own */
	km_collect_unlease(d->world->collect, OWNER);
	assert_int_equal(ask_for(d, d->group.id, KM_DEPTH_CALLS, MINUTE), 0);
	assert_int_equal(ask_for(d, 12345, KM_DEPTH_CALLS, MINUTE), -ENOENT);
	for (int i = 0; i < KMEND_LEASES_MAX; i++)
		group_remove(&g[i]);
}

#define ROW(fn, with) cmocka_unit_test_setup_teardown(fn, with, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(durations_of_blocking_calls_are_told_while_asked_for, start),
		ROW(waits_for_a_cpu_are_told_each, start),
		ROW(each_call_is_counted_while_asked_for, start),
		ROW(name_resolution_is_told_with_its_failures, start),
		ROW(what_costs_more_than_the_budget_is_refused_and_taken_off, start_poor),
		ROW(without_a_budget_nothing_is_asked_for, start_without),
		ROW(it_ends_by_itself, start),
		ROW(more_services_than_there_is_room_for_are_refused, start),
	};

	if (!world_possible())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
