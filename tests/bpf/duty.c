// SPDX-License-Identifier: Apache-2.0
/* Signals in windows: real errors, real requests, and nothing attached in between. */
#include "bpf/values.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

static struct km_config config;

static int start_with(void **state, uint64_t budget_ppm)
{
	struct km_collect_opts opts = { .config = &config };

	config.settings.sample_period_ns = 200 * KM_NS_PER_MS;
	config.settings.signal_budget_ppm = budget_ppm;
	world_enter(state);
	world_start(*state, &opts);
	return 0;
}

static int start(void **state)
{
	return start_with(state, 5000);
}

static int start_without(void **state)
{
	return start_with(state, 0);
}

/* Fails to open what is there, for ever: no descriptor is left. */
static void starve(const struct group *g)
{
	const struct rlimit none = { 3, 3 };

	group_enter(g);
	setpriority(PRIO_PROCESS, 0, -20); /* a window is short: it must run in it */
	setrlimit(RLIMIT_NOFILE, &none);
	while (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
		;
}

static void errors_are_scaled_up_with_their_uncertainty(void **state)
{
	struct world *w = *state;
	const struct km_raw_value *v;
	struct group g;
	double failed;
	uint32_t pid;

	group_make(&g, "duty");
	pid = CHILD(starve(&g));
	world_pass(w);
	world_pass(w);
	km_collect_watch(w->collect, g.id, true);
	km_collect_suspect(w->collect);
	v = values_wait(w, &(struct wanted){ KM_SIG_SYSCALL_EMFILE, NULL, g.id, 1000, 1e12 });
	assert_non_null(v);
	assert_true(v->window_ns > 0 && v->window_ns < v->period_ns);
	assert_true(v->error > 0 && v->error < v->value);
	/* All of its calls fail; the machine may have had less time for it in another window. */
	failed = v->value / (double)v->period_ns;
	v = values_wait(w, &(struct wanted){ KM_SIG_SYSCALL_CALLS, NULL, g.id, 1000, 1e12 });
	assert_non_null(v);
	assert_true(v->value / (double)v->period_ns > failed / 4);
	/* Until the next window nothing hangs on system calls. */
	assert_true(w->collect->bpf.progs[KM_PROG_CALLS].link_fd < 0);
	assert_non_null(values_wait(w, &(struct wanted){ KM_SIG_WINDOW_COST, NULL, 0, 0.1, 1e6 }));
	kill((pid_t)pid, SIGKILL);
	reap(pid);
	group_remove(&g);
}

static void the_time_that_storage_takes_is_told_by_device(void **state)
{
	char file[] = "/var/tmp/kmend-test-XXXXXX";
	struct world *w = *state;
	const struct km_raw_value *v;
	int fd = mkostemp(file, O_CLOEXEC);
	uint32_t pid;

	assert_true(fd >= 0);
	unlink(file);
	pid = CHILD({
		for (;;)
			if (pwrite(fd, "x", 1, 0) != 1 || fsync(fd) < 0)
				_exit(1);
	});
	v = values_wait(w, &(struct wanted){ KM_SIG_BLOCK_LATENCY, NULL, 0, 1, 1e7 });
	assert_non_null(v);
	assert_true(v->len > 0);
	assert_non_null(values_wait(w, &(struct wanted){ KM_SIG_BLOCK_REQUESTS, NULL, 0, 1, 1e9 }));
	kill((pid_t)pid, SIGKILL);
	reap(pid);
	close(fd);
}

/* To a port where nobody listens. */
static void send_to_nobody(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(1) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setpriority(PRIO_PROCESS, 0, -20);
	for (;;)
		(void)sendto(fd, "x", 1, 0, (void *)&a, sizeof(a));
}

static void packets_that_nobody_wants_are_told_by_reason(void **state)
{
	struct world *w = *state;
	const struct km_raw_value *v;
	uint32_t pid;

	if (!km_collect_sources(w->collect)[KM_SIG_DROPS_NO_SOCKET].available) {
		printf("skipped: %s\n",
		       km_collect_sources(w->collect)[KM_SIG_DROPS_NO_SOCKET].reason);
		return;
	}
	pid = CHILD(send_to_nobody());
	v = values_wait(w, &(struct wanted){ KM_SIG_DROPS_NO_SOCKET, NULL, 0, 1000, 1e12 });
	assert_non_null(v);
	assert_true(v->window_ns < v->period_ns && v->error > 0 && v->error < v->value);
	kill((pid_t)pid, SIGKILL);
	reap(pid);
}

static void without_a_budget_they_are_off_and_say_so(void **state)
{
	const struct world *w = *state;
	const struct km_source *s = km_collect_sources(w->collect);

	assert_false(s[KM_SIG_SYSCALL_EMFILE].available);
	assert_non_null(strstr(s[KM_SIG_SYSCALL_EMFILE].reason, "signal_budget_ppm"));
	assert_true(s[KM_SIG_SYSCALL_EMFILE].off);
	assert_true(s[KM_SIG_EXITS].available && !s[KM_SIG_EXITS].off);
}

static void a_window_that_costs_too_much_is_shortened(void **state)
{
	const uint64_t ms = KM_NS_PER_MS;

	(void)state;
	assert_int_equal(km_duty_next(100 * ms, 8000, 5000, 500 * ms), 50 * ms);
	assert_int_equal(km_duty_next(100 * ms, 4000, 5000, 500 * ms), 100 * ms);
	assert_int_equal(km_duty_next(100 * ms, 10, 5000, 500 * ms), 200 * ms);
	assert_int_equal(km_duty_next(100 * ms, 0, 5000, 500 * ms), 200 * ms);
	assert_int_equal(km_duty_next(400 * ms, 10, 5000, 500 * ms), 500 * ms);
	assert_int_equal(km_duty_next(2 * ms, 1e9, 5000, 500 * ms), ms);
}

static void windows_are_far_apart_while_nothing_is_suspected(void **state)
{
	const uint64_t ms = KM_NS_PER_MS, s = KM_NS_PER_S;

	(void)state;
	/* 60 ppm of a CPU, */
	assert_int_equal(km_duty_calm(16 * s, 3 * ms / 2), 25 * s);
	assert_int_equal(km_duty_calm(4 * s, ms / 10), ms / 10 * 1000000 / 60);
	/* at most four times as far as before, and a minute. */
	assert_int_equal(km_duty_calm(4 * s, 3 * ms), 16 * s);
	assert_int_equal(km_duty_calm(64 * s, 1000 * ms), 64 * s);
}

#define ROW(fn, with) cmocka_unit_test_setup_teardown(fn, with, world_leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_that_costs_too_much_is_shortened),
		cmocka_unit_test(windows_are_far_apart_while_nothing_is_suspected),
		ROW(errors_are_scaled_up_with_their_uncertainty, start),
		ROW(the_time_that_storage_takes_is_told_by_device, start),
		ROW(packets_that_nobody_wants_are_told_by_reason, start),
		ROW(without_a_budget_they_are_off_and_say_so, start_without),
	};

	if (!world_possible())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
