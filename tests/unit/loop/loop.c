// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <cmocka.h>

#include "loop/loop.h"

#define FDS 8

struct fixture {
	struct km_loop *loop;
	int fds[FDS]; /* eventfds that stay ready until drained */
	int order[FDS * 4];
	int calls;
	uint32_t events; /* of the last call */
	int timer;
	int victim;
	int result;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int i;

	if (!f || km_loop_new(&f->loop) < 0)
		return -1;
	for (i = 0; i < FDS; i++)
		f->fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	f->victim = -1;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	int i;

	f->loop = km_loop_free(f->loop);
	for (i = 0; i < FDS; i++)
		km_close(&f->fds[i]);
	free(f);
	return 0;
}

static void make_ready(int fd)
{
	assert_int_equal(eventfd_write(fd, 1), 0);
}

/* Notes the call and drains the descriptor. */
static int note(void *userdata, int fd, uint32_t events)
{
	struct fixture *f = userdata;
	eventfd_t v;

	f->order[f->calls++ % (FDS * 4)] = fd;
	f->events = events;
	eventfd_read(fd, &v);
	return f->result;
}

static void ready_descriptors_are_served_in_the_order_of_adding(void **state)
{
	static const int order[] = { 3, 0, 7, 1 };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < KM_ARRAY_SIZE(order); i++)
		assert_int_equal(km_loop_add(f->loop, f->fds[order[i]], EPOLLIN, note, f), 0);
	make_ready(f->fds[1]);
	make_ready(f->fds[7]);
	make_ready(f->fds[0]);
	make_ready(f->fds[3]);
	assert_int_equal(km_loop_once(f->loop, 0), 4);
	for (i = 0; i < KM_ARRAY_SIZE(order); i++)
		assert_int_equal(f->order[i], f->fds[order[i]]);
	assert_int_equal(f->events, EPOLLIN);
	assert_int_equal(km_loop_once(f->loop, 0), 0);
}

static int remove_victim(void *userdata, int fd, uint32_t events)
{
	struct fixture *f = userdata;

	note(f, fd, events);
	if (f->victim >= 0)
		assert_int_equal(km_loop_remove(f->loop, f->victim), 0);
	f->victim = -1;
	return 0;
}

static void what_a_callback_removes_is_not_served_any_more(void **state)
{
	struct fixture *f = *state;

	km_loop_add(f->loop, f->fds[0], EPOLLIN, remove_victim, f);
	km_loop_add(f->loop, f->fds[1], EPOLLIN, note, f);
	km_loop_add(f->loop, f->fds[2], EPOLLIN, note, f);
	make_ready(f->fds[0]);
	make_ready(f->fds[1]);
	make_ready(f->fds[2]);
	f->victim = f->fds[1];
	assert_int_equal(km_loop_once(f->loop, 0), 2);
	assert_int_equal(f->order[0], f->fds[0]);
	assert_int_equal(f->order[1], f->fds[2]);
	assert_int_equal(km_loop_remove(f->loop, f->fds[1]), -ENOENT);
}

static void a_callback_may_remove_itself(void **state)
{
	struct fixture *f = *state;

	km_loop_add(f->loop, f->fds[0], EPOLLIN, remove_victim, f);
	km_loop_add(f->loop, f->fds[1], EPOLLIN, note, f);
	make_ready(f->fds[0]);
	make_ready(f->fds[1]);
	f->victim = f->fds[0];
	assert_int_equal(km_loop_once(f->loop, 0), 2);
	make_ready(f->fds[0]);
	assert_int_equal(km_loop_once(f->loop, 0), 0);
}

static int replace_victim(void *userdata, int fd, uint32_t events)
{
	struct fixture *f = userdata;
	int number = f->victim;

	note(f, fd, events);
	if (number < 0)
		return 0;
	f->victim = -1;
	assert_int_equal(km_loop_remove(f->loop, number), 0);
	close(number);
	/* The lowest number is the one that has just become free. */
	assert_int_equal(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), number);
	assert_int_equal(km_loop_add(f->loop, number, EPOLLIN, note, f), 0);
	return 0;
}

static void an_event_of_a_removed_descriptor_does_not_reach_the_next_of_its_number(void **state)
{
	struct fixture *f = *state;

	km_loop_add(f->loop, f->fds[0], EPOLLIN, replace_victim, f);
	km_loop_add(f->loop, f->fds[1], EPOLLIN, note, f);
	make_ready(f->fds[0]);
	make_ready(f->fds[1]);
	f->victim = f->fds[1];
	assert_int_equal(km_loop_once(f->loop, 0), 1);
	make_ready(f->fds[1]);
	assert_int_equal(km_loop_once(f->loop, 0), 1);
}

/* epoll goes on reporting a file that another descriptor keeps open. */
static void a_closed_and_removed_descriptor_that_lives_on_elsewhere_is_harmless(void **state)
{
	struct fixture *f = *state;
	int other = dup(f->fds[1]);

	km_loop_add(f->loop, f->fds[1], EPOLLIN, note, f);
	close(f->fds[1]);
	assert_int_equal(km_loop_remove(f->loop, f->fds[1]), 0);
	f->fds[1] = -1;
	make_ready(other);
	assert_int_equal(km_loop_once(f->loop, 0), 0);
	close(other);
}

static int add_others(void *userdata, int fd, uint32_t events)
{
	struct fixture *f = userdata;
	int i;

	note(f, fd, events);
	for (i = 1; i < FDS; i++)
		assert_int_equal(km_loop_add(f->loop, f->fds[i], EPOLLOUT, note, f), 0);
	return 0;
}

static void a_callback_may_add_others(void **state)
{
	struct fixture *f = *state;

	km_loop_add(f->loop, f->fds[0], EPOLLIN, add_others, f);
	make_ready(f->fds[0]);
	assert_int_equal(km_loop_once(f->loop, 0), 1);
	assert_int_equal(km_loop_once(f->loop, 0), FDS - 1);
}

static void events_can_be_changed(void **state)
{
	struct fixture *f = *state;

	km_loop_add(f->loop, f->fds[0], 0, note, f);
	make_ready(f->fds[0]);
	assert_int_equal(km_loop_once(f->loop, 0), 0);
	assert_int_equal(km_loop_change(f->loop, f->fds[0], EPOLLIN), 0);
	assert_int_equal(km_loop_once(f->loop, 0), 1);
	assert_int_equal(km_loop_change(f->loop, f->fds[1], EPOLLIN), -ENOENT);
	assert_int_equal(km_loop_add(f->loop, f->fds[0], EPOLLIN, note, f), -EEXIST);
	assert_int_equal(km_loop_add(f->loop, -1, EPOLLIN, note, f), -EBADF);
}

static void an_error_of_a_callback_ends_the_run(void **state)
{
	struct fixture *f = *state;

	f->result = -EIO;
	km_loop_add(f->loop, f->fds[0], EPOLLIN, note, f);
	km_loop_add(f->loop, f->fds[1], EPOLLIN, note, f);
	make_ready(f->fds[0]);
	make_ready(f->fds[1]);
	assert_int_equal(km_loop_run(f->loop), -EIO);
	assert_int_equal(f->calls, 1);
}

static int stop(void *userdata, int fd, uint32_t events)
{
	struct fixture *f = userdata;

	note(f, fd, events);
	km_loop_stop(f->loop);
	return 0;
}

static void a_stop_ends_the_run_and_the_next_run_goes_on(void **state)
{
	struct fixture *f = *state;

	km_loop_add(f->loop, f->fds[0], EPOLLIN, stop, f);
	km_loop_add(f->loop, f->fds[1], EPOLLIN, stop, f);
	make_ready(f->fds[0]);
	make_ready(f->fds[1]);
	assert_int_equal(km_loop_run(f->loop), 0);
	assert_int_equal(f->calls, 1);
	assert_int_equal(km_loop_run(f->loop), 0);
	assert_int_equal(f->calls, 2);
}

static int note_tick(void *userdata, int fd, uint32_t events)
{
	struct fixture *f = userdata;

	assert_int_equal(fd, f->timer);
	f->calls++;
	f->events = events;
	if (f->calls >= f->result)
		km_loop_stop(f->loop);
	return 0;
}

static void a_timer_ticks_at_whole_multiples_of_its_period(void **state)
{
	struct fixture *f = *state;
	uint64_t period = 2 * KM_NS_PER_MS, start = km_now_ns();

	f->result = 5;
	assert_int_equal(km_loop_timer(f->loop, period, note_tick, f, &f->timer), 0);
	assert_int_equal(km_loop_run(f->loop), 0);
	assert_true(km_now_ns() / period >= start / period + 5);
	assert_int_equal(km_loop_remove(f->loop, f->timer), 0);
	assert_int_equal(fcntl(f->timer, F_GETFD), -1);
}

static void missed_periods_are_one_call_that_tells_how_many(void **state)
{
	struct fixture *f = *state;
	uint64_t now = km_now_ns();

	f->result = 2;
	assert_int_equal(km_loop_timer(f->loop, 0, note_tick, f, &f->timer), 0);
	assert_int_equal(km_loop_once(f->loop, 0), 0);
	/* Begins one second ago: ten periods have passed. */
	assert_int_equal(km_loop_timer_set(f->loop, f->timer, now - KM_NS_PER_S, KM_NS_PER_S / 10),
	                 0);
	assert_int_equal(km_loop_once(f->loop, 1000), 1);
	assert_int_equal(f->calls, 1);
	assert_true(f->events >= 10);
}

static void a_timer_can_fire_once_and_be_disarmed(void **state)
{
	struct fixture *f = *state;

	f->result = 100;
	assert_int_equal(km_loop_timer(f->loop, 3600 * KM_NS_PER_S, note_tick, f, &f->timer), 0);
	assert_int_equal(km_loop_timer_set(f->loop, f->timer, km_now_ns() + KM_NS_PER_MS, 0), 0);
	assert_int_equal(km_loop_once(f->loop, 1000), 1);
	assert_int_equal(f->events, 1);
	assert_int_equal(km_loop_once(f->loop, 5), 0);
	assert_int_equal(km_loop_timer_set(f->loop, f->timer, km_now_ns() + 2 * KM_NS_PER_MS, 0),
	                 0);
	assert_int_equal(km_loop_timer_set(f->loop, f->timer, 0, 0), 0);
	assert_int_equal(km_loop_once(f->loop, 10), 0);
	assert_int_equal(km_loop_timer_set(f->loop, f->fds[0], 0, 0), -ENOENT);
}

static int disarm(void *userdata, int fd, uint32_t events)
{
	struct fixture *f = userdata;

	note(f, fd, events);
	assert_int_equal(km_loop_timer_set(f->loop, f->timer, 0, 0), 0);
	return 0;
}

static void a_timer_disarmed_in_the_same_wake_up_does_not_call(void **state)
{
	struct fixture *f = *state;

	km_loop_add(f->loop, f->fds[0], EPOLLIN, disarm, f);
	km_loop_timer(f->loop, 0, note_tick, f, &f->timer);
	km_loop_timer_set(f->loop, f->timer, 1, 0);
	make_ready(f->fds[0]);
	assert_true(km_loop_once(f->loop, 0) >= 1);
	assert_int_equal(f->calls, 1);
}

static int note_signal(void *userdata, int fd, uint32_t events)
{
	struct fixture *f = userdata;

	(void)fd;
	f->order[f->calls++] = events;
	return 0;
}

static void signals_arrive_by_number(void **state)
{
	static const int signals[] = { SIGUSR1, SIGUSR2 };
	struct fixture *f = *state;

	assert_int_equal(km_loop_signals(f->loop, signals, 2, note_signal, f), 0);
	assert_int_equal(km_loop_signals(f->loop, &(int){ 1000 }, 1, note_signal, f), -EINVAL);
	raise(SIGUSR2);
	raise(SIGUSR1);
	assert_int_equal(km_loop_once(f->loop, 1000), 1);
	assert_int_equal(km_loop_once(f->loop, 1000), 1);
	assert_int_equal(km_loop_once(f->loop, 0), 0);
	assert_int_equal(f->order[0] + f->order[1], SIGUSR1 + SIGUSR2);
	assert_int_not_equal(f->order[0], f->order[1]);
}

static void a_wait_without_events_ends_in_time(void **state)
{
	struct fixture *f = *state;
	uint64_t start = km_now_ns();

	assert_int_equal(km_loop_once(f->loop, 20), 0);
	assert_true(km_now_ns() - start >= 19 * KM_NS_PER_MS);
}

static int count_up(void *userdata, int fd, uint32_t events)
{
	(void)events;
	/* Served in the order of adding, that is of their numbers. */
	assert_true(fd > *(int *)userdata);
	*(int *)userdata = fd;
	return 0;
}

static void the_largest_number_of_sources_is_served_at_once_and_one_more_refused(void **state)
{
	const rlim_t need = KM_LOOP_SOURCES_MAX + 100;
	struct fixture *f = *state;
	int last = -1, fd, i;
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < need) {
		print_message("skipped: the hard limit of descriptors is below %d\n", (int)need);
		skip();
	}
	if (limit.rlim_cur < need)
		limit.rlim_cur = need;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (i = 0; i < KM_LOOP_SOURCES_MAX; i++) {
		fd = fcntl(f->fds[0], F_DUPFD_CLOEXEC, 0);
		assert_int_equal(km_loop_add(f->loop, fd, EPOLLOUT, count_up, &last), 0);
	}
	assert_int_equal(km_loop_add(f->loop, f->fds[1], EPOLLOUT, note, f), -ENOSPC);
	assert_int_equal(km_loop_once(f->loop, 0), KM_LOOP_SOURCES_MAX);
	assert_int_equal(last, fd);
	f->loop = km_loop_free(f->loop);
	for (i = 0; i < KM_LOOP_SOURCES_MAX; i++)
		close(fd - i);
}

static void what_is_the_loops_is_closed_with_it(void **state)
{
	struct km_loop *l = NULL;
	struct fixture *f = *state;
	int timer = -1;

	assert_int_equal(km_loop_new(&l), 0);
	assert_int_equal(km_loop_timer(l, KM_NS_PER_S, note_tick, f, &timer), 0);
	assert_int_equal(km_loop_add(l, f->fds[0], EPOLLIN, note, f), 0);
	assert_null(km_loop_free(l));
	assert_int_equal(fcntl(timer, F_GETFD), -1);
	assert_int_not_equal(fcntl(f->fds[0], F_GETFD), -1);
	assert_null(km_loop_free(NULL));
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(ready_descriptors_are_served_in_the_order_of_adding),
		TEST(what_a_callback_removes_is_not_served_any_more),
		TEST(a_callback_may_remove_itself),
		TEST(an_event_of_a_removed_descriptor_does_not_reach_the_next_of_its_number),
		TEST(a_closed_and_removed_descriptor_that_lives_on_elsewhere_is_harmless),
		TEST(a_callback_may_add_others),
		TEST(events_can_be_changed),
		TEST(an_error_of_a_callback_ends_the_run),
		TEST(a_stop_ends_the_run_and_the_next_run_goes_on),
		TEST(a_timer_ticks_at_whole_multiples_of_its_period),
		TEST(missed_periods_are_one_call_that_tells_how_many),
		TEST(a_timer_can_fire_once_and_be_disarmed),
		TEST(a_timer_disarmed_in_the_same_wake_up_does_not_call),
		TEST(signals_arrive_by_number),
		TEST(a_wait_without_events_ends_in_time),
		TEST(the_largest_number_of_sources_is_served_at_once_and_one_more_refused),
		TEST(what_is_the_loops_is_closed_with_it),
	};

	return cmocka_run_group_tests_name("loop/loop", tests, NULL, NULL);
}
