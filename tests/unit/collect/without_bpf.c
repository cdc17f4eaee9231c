// SPDX-License-Identifier: Apache-2.0
/* The whole collector without kernel programs, as any user: what /proc and cgroup files give. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/wait.h>

#include "collect/internal.h"

#define PATIENCE_NS (10 * KM_NS_PER_S)

struct bench {
	struct km_config config;
	struct km_loop *loop;
	struct km_collect *c;
	uint64_t counts[KM_RAW_MAX_TYPE];
	uint64_t last_ns;
	uint32_t pid; /* whom to look for */
	struct km_raw_process process;
	struct kmend_task task;
	uint64_t refuse_type;
};

static int sink(void *userdata, const void *raw, size_t len)
{
	const struct km_raw_process *p = raw;
	const struct kmend_task *t = raw;
	const struct kmend_hdr *h = raw;
	struct bench *b = userdata;

	assert_int_equal(h->size, len);
	assert_int_equal(len % 8, 0);
	assert_true(h->type < KM_RAW_MAX_TYPE);
	assert_true(h->ktime_ns >= b->last_ns);
	b->last_ns = h->ktime_ns;
	b->counts[h->type]++;
	if (h->type == KM_RAW_PROCESS && p->tgid == b->pid)
		b->process = *p;
	if (h->type == KMEND_TASK && t->tgid == b->pid)
		b->task = *t;
	return b->refuse_type == h->type ? -ECANCELED : 0;
}

static int begin(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct km_collect_opts opts = { .config = &b->config, .no_bpf = true };

	b->config.settings.sample_period_ns = 50 * KM_NS_PER_MS;
	assert_int_equal(km_loop_new(&b->loop), 0);
	assert_int_equal(km_collect_prepare(&opts, &b->c), 0);
	*state = b;
	return 0;
}

static int finish(void **state)
{
	struct bench *b = *state;

	km_collect_stop(b->c, true);
	km_loop_free(b->loop);
	free(b);
	return 0;
}

static void start(struct bench *b)
{
	assert_int_equal(km_collect_start(b->c, b->loop, sink, b), 0);
}

static void passes(struct bench *b, uint64_t n)
{
	uint64_t until = b->counts[KM_RAW_TICK] + n, end = km_now_ns() + PATIENCE_NS;

	while (b->counts[KM_RAW_TICK] < until) {
		assert_true(km_now_ns() < end);
		assert_true(km_loop_once(b->loop, 100) >= 0);
	}
}

static void the_start_tells_what_is_missing_and_what_is(void **state)
{
	struct bench *b = *state;

	b->pid = (uint32_t)getppid();
	start(b);
	assert_true(b->counts[KM_RAW_PROBE] >= 8);
	assert_int_equal(b->counts[KM_RAW_CLOCK], 1);
	assert_true(b->counts[KM_RAW_PROCESS] >= 1);
	assert_int_equal(b->process.tgid, getppid());
	for (const struct km_source *s = km_collect_sources(b->c); s->name; s++)
		if (!s->available)
			assert_true(s->reason[0]);
}

static void a_pass_tells_tasks_and_host_and_ends_with_a_tick(void **state)
{
	struct bench *b = *state;

	b->pid = (uint32_t)getppid();
	start(b);
	passes(b, 2);
	assert_true(b->counts[KMEND_TASK] >= 2);
	assert_true(b->counts[KM_RAW_HOST] >= 2);
	assert_int_equal(b->counts[KM_RAW_CLOCK], 1);
	assert_int_equal(b->task.tgid, getppid());
	assert_true(b->task.has & KMEND_HAS_CPU);
}

static void tasks_are_looked_at_as_often_as_their_cost_allows(void **state)
{
	uint64_t s = KM_NS_PER_S, us = KM_NS_PER_US;

	(void)state;
	assert_int_equal(km_every(&km_task_allowance, 0, s), 1);
	assert_int_equal(km_every(&km_task_allowance, 150 * us, s / 10), 1);
	assert_int_equal(km_every(&km_task_allowance, 151 * us, s / 10), 4);
	assert_int_equal(km_every(&km_task_allowance, 300 * us, s), 2);
	assert_int_equal(km_every(&km_task_allowance, 301 * us, s), 3);
	assert_int_equal(km_every(&km_task_allowance, 2500 * us, s), 4);
	assert_int_equal(km_every(&km_task_allowance, s, s), 4);
	assert_int_equal(km_every(&km_task_allowance, UINT64_MAX / 2, 60 * s), 4);
}

static void births_and_deaths_are_seen_by_comparing(void **state)
{
	struct bench *b = *state;
	pid_t pid;

	start(b);
	passes(b, 1);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	b->pid = (uint32_t)pid;
	passes(b, 5);
	assert_int_equal(b->process.tgid, pid);
	assert_int_equal(b->process.source, KM_FROM_SCAN);
	assert_int_equal(b->process.ppid, getpid());
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	passes(b, 5);
	assert_int_equal(b->process.source, KM_FROM_EXIT_WATCH);
	assert_int_equal(b->process.wait_status, -1);
	assert_true(b->process.start_ns == b->task.start_ns);
}

static void a_wanted_tick_comes_when_it_was_wanted(void **state)
{
	struct bench *b = *state;
	uint64_t at, end = km_now_ns() + PATIENCE_NS;

	b->config.settings.sample_period_ns = 60 * KM_NS_PER_S;
	start(b);
	at = km_now_ns() + 20 * KM_NS_PER_MS;
	km_collect_want_tick(b->c, at);
	while (!b->counts[KM_RAW_TICK]) {
		assert_true(km_now_ns() < end);
		assert_true(km_loop_once(b->loop, 100) >= 0);
	}
	assert_true(b->last_ns >= at);
	assert_true(b->last_ns < at + KM_NS_PER_S);
	km_collect_want_tick(b->c, 0);
}

static void the_sink_can_end_the_loop(void **state)
{
	struct bench *b = *state;
	int r = 0;

	start(b);
	b->refuse_type = KM_RAW_HOST;
	for (int i = 0; i < 100 && r >= 0; i++)
		r = km_loop_once(b->loop, 100);
	assert_int_equal(r, -ECANCELED);
	assert_int_equal(b->counts[KM_RAW_HOST], 1);
	assert_int_equal(b->counts[KM_RAW_TICK], 0);
}

static void own_processes_have_a_maximum(void **state)
{
	struct bench *b = *state;
	uint32_t pids[KMEND_SELF_MAX + 1] = { 1, 2, 3, 4 };

	assert_int_equal(km_collect_self(b->c, pids, KMEND_SELF_MAX), 0);
	assert_true(km_is_self(b->c, 3));
	assert_int_equal(km_collect_self(b->c, pids, KMEND_SELF_MAX + 1), -E2BIG);
	assert_int_equal(km_collect_self(b->c, pids, 1), 0);
	assert_false(km_is_self(b->c, 3));
}

static void an_unknown_cgroup_cannot_be_watched(void **state)
{
	struct bench *b = *state;

	start(b);
	assert_int_equal(km_collect_watch(b->c, 0x7fffffffffffULL, true), -ENOENT);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void a_pidfile_names_a_process_of_its_service(void **state)
{
	struct bench *b = *state;
	struct km_service_def def = { .name = "db", .kind = KM_BY_PIDFILE };
	struct km_collect_opts opts = { .config = &b->config, .no_bpf = true };
	char text[32];

	b->config.services = &def;
	b->config.service_count = 1;
	snprintf(def.match, sizeof(def.match), "/tmp/kmend-unit-%d.pid", getpid());
	b->c = km_collect_stop(b->c, false);
	assert_int_equal(km_collect_prepare(&opts, &b->c), 0);
	b->pid = (uint32_t)getppid();
	snprintf(text, sizeof(text), "%d\n", getppid());
	start(b);
	memset(&b->process, 0, sizeof(b->process));
	write_file(def.match, "nonsense");
	passes(b, 1);
	write_file(def.match, "4294967297\n");
	passes(b, 1);
	assert_int_equal(b->process.tgid, 0);
	write_file(def.match, text);
	passes(b, 2);
	assert_int_equal(b->process.source, KM_FROM_PIDFILE);
	assert_string_equal(b->process.service, "db");
	memset(&b->process, 0, sizeof(b->process));
	passes(b, 2); /* told once */
	assert_int_equal(b->process.tgid, 0);
	unlink(def.match);
	b->config.service_count = 0;
}

#define BENCH(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH(the_start_tells_what_is_missing_and_what_is),
		BENCH(a_pass_tells_tasks_and_host_and_ends_with_a_tick),
		cmocka_unit_test(tasks_are_looked_at_as_often_as_their_cost_allows),
		BENCH(births_and_deaths_are_seen_by_comparing),
		BENCH(a_wanted_tick_comes_when_it_was_wanted),
		BENCH(the_sink_can_end_the_loop),
		BENCH(own_processes_have_a_maximum),
		BENCH(an_unknown_cgroup_cannot_be_watched),
		BENCH(a_pidfile_names_a_process_of_its_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
