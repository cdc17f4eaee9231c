// SPDX-License-Identifier: Apache-2.0
/* Up and down: one event for each change, whatever evidence comes first or twice. */
#include "unit/attribute/world.h"

#include "attribute/state.h"

#define UNIT  "/system.slice/a.service"
#define START (900 * SECOND)

static struct km_service *unit(struct world *w)
{
	world_cgroup(w, 5, UNIT);
	return world_scan(w, 5, 100, 1, START);
}

static struct km_service *command(struct world *w, uint32_t tgid, uint64_t start_ns)
{
	world_define(w, "cmd", KM_BY_COMMAND, "");
	return world_outcome(w, "cmd",
	                     &(struct world_outcome){ 9, KM_OUT_DONE, KM_START, tgid, start_ns });
}

static void assert_events(const struct world *w, const enum km_event *order, uint32_t count)
{
	assert_int_equal(w->count, count);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(w->order[i], order[i]);
}

#define EVENTS(w, ...)                                           \
	assert_events(w, (const enum km_event[]){ __VA_ARGS__ }, \
	              sizeof((const enum km_event[]){ __VA_ARGS__ }) / sizeof(enum km_event))

static void a_unit_is_up_with_its_first_and_down_with_its_last_process(void **state)
{
	struct world *w = *state;
	struct km_service *s = unit(w);

	assert_int_equal(s->state, KM_SERVICE_UP);
	assert_int_equal(s->since_ns, START);
	world_fork(w, 5, 101, 100);
	assert_int_equal(s->forks, 1);
	world_exit(w, 101, w->now_ns, 0);
	EVENTS(w, KM_EV_STARTED);
	world_exit(w, 100, START, 1 << 8);
	EVENTS(w, KM_EV_STARTED, KM_EV_ENDED);
	assert_int_equal(s->state, KM_SERVICE_DOWN);
	assert_int_equal(s->last.tgid, 100);
	assert_int_equal(s->last.start_ns, START);
	assert_int_equal(s->last.exit_code, 256);
	assert_int_equal(s->last.known, 1);
	assert_int_equal(s->exits, 1);
	assert_int_equal(s->processes, 0);
}

static void a_units_end_is_that_of_its_main_process(void **state)
{
	struct world *w = *state;
	struct km_service *s = unit(w);
	uint64_t child = w->now_ns;

	world_fork(w, 5, 101, 100);
	world_exit(w, 100, START, 11);
	assert_int_equal(s->state, KM_SERVICE_UP);
	w->now_ns += SECOND;
	world_exit(w, 101, child, 15);
	assert_int_equal(s->state, KM_SERVICE_DOWN);
	assert_int_equal(s->last.exit_code, 11);
	assert_int_equal(s->last.tgid, 100);
}

static void what_outlives_its_main_process_for_long_ends_by_itself(void **state)
{
	struct world *w = *state;
	struct km_service *s = unit(w);
	uint64_t child = w->now_ns;

	world_fork(w, 5, 101, 100);
	world_exit(w, 100, START, 11);
	assert_int_equal(s->main_tgid, 101);
	w->now_ns += 100 * SECOND;
	world_exit(w, 101, child, 0);
	assert_int_equal(s->last.tgid, 101);
	assert_int_equal(s->last.exit_code, 0);
}

static void the_main_process_is_the_one_that_the_others_come_from(void **state)
{
	struct world *w = *state;
	struct km_service *s;

	world_cgroup(w, 5, UNIT);
	/* The numbers wrapped: the worker is found first. */
	s = world_scan(w, 5, 50, 30000, START + SECOND);
	world_scan(w, 5, 30000, 1, START);
	assert_int_equal(s->main_tgid, 30000);
	assert_int_equal(w->events[KM_EV_STARTED], 1);
}

static void a_command_is_down_when_its_main_process_is_gone(void **state)
{
	struct world *w = *state;
	struct km_service *s = command(w, 200, START);

	assert_int_equal(s->state, KM_SERVICE_UP);
	assert_int_equal(s->main_tgid, 200);
	world_fork(w, 9, 201, 200);
	assert_int_equal(s->processes, 2);
	world_exit(w, 200, START, 9);
	assert_int_equal(s->state, KM_SERVICE_DOWN);
	assert_int_equal(s->main_tgid, 0);
	EVENTS(w, KM_EV_STARTED, KM_EV_ENDED);
}

static void an_end_seen_three_times_is_one_event(void **state)
{
	struct world *w = *state;

	command(w, 200, START);
	world_exit(w, 200, START, 9);
	world_watch(w, 200, START, 9);
	world_task(w, 9, 200, 1, START);
	world_exit(w, 200, START, 9);
	EVENTS(w, KM_EV_STARTED, KM_EV_ENDED);
}

static void a_later_record_fills_in_the_exit_code_without_an_event(void **state)
{
	struct world *w = *state;
	struct km_service *s = command(w, 200, START);

	world_watch(w, 200, START, -1);
	assert_int_equal(s->last.known, 0);
	world_exit(w, 200, START, 139);
	assert_int_equal(s->last.known, 1);
	assert_int_equal(s->last.exit_code, 139);
	EVENTS(w, KM_EV_STARTED, KM_EV_ENDED);
}

static void a_process_missing_from_two_whole_passes_is_over(void **state)
{
	struct world *w = *state;
	struct km_service *s = unit(w);

	world_task(w, 5, 100, 1, START);
	world_tick(w);
	world_task(w, 7, 999, 1, START);
	world_tick(w);
	assert_int_equal(s->state, KM_SERVICE_UP);
	/* No pass in between: tells nothing. */
	world_tick(w);
	world_tick(w);
	assert_int_equal(s->state, KM_SERVICE_UP);
	world_task(w, 7, 999, 1, START);
	world_tick(w);
	assert_int_equal(s->state, KM_SERVICE_DOWN);
	assert_int_equal(s->last.known, 0);
	world_exit(w, 100, START, 9);
	assert_int_equal(s->last.known, 1);
	assert_int_equal(w->events[KM_EV_ENDED], 1);
}

static void a_process_that_did_not_run_is_not_missed(void **state)
{
	struct world *w = *state;
	struct km_service *s = unit(w);
	struct km_signal listed = { .type = KMEND_LISTED, .listed.partial = 1 };

	for (int i = 0; i < 5; i++) {
		world_task(w, 7, 999, 1, START);
		world_feed(w, &listed);
		world_tick(w);
	}
	assert_int_equal(s->state, KM_SERVICE_UP);
}

static void a_zombie_is_no_sign_of_life(void **state)
{
	struct world *w = *state;
	struct km_service *s = unit(w);

	for (int i = 0; i < 3; i++) {
		struct km_signal z = { .type = KMEND_TASK, .cgroup_id = 5 };

		z.task.tgid = 100;
		z.task.start_ns = START;
		z.task.state = 'Z';
		world_feed(w, &z);
		world_tick(w);
	}
	assert_int_equal(s->state, KM_SERVICE_DOWN);
}

static void several_services_may_end_at_one_tick(void **state)
{
	struct world *w = *state;

	unit(w);
	world_cgroup(w, 6, "/system.slice/b.service");
	world_scan(w, 6, 101, 1, START);
	world_clear(w);
	for (int i = 0; i < 3; i++) {
		world_task(w, 7, 999, 1, START);
		world_tick(w);
	}
	assert_int_equal(w->events[KM_EV_ENDED], 2);
}

static void a_number_that_is_used_again_is_another_process(void **state)
{
	struct world *w = *state;
	struct km_service *s = unit(w);

	assert_true(km_attribute_owns(w->a, s, 100, START));
	assert_false(km_attribute_owns(w->a, s, 100, START + SECOND));
	w->now_ns += SECOND;
	world_task(w, 7, 100, 1, START + SECOND);
	assert_int_equal(s->state, KM_SERVICE_DOWN);
	assert_int_equal(w->events[KM_EV_ENDED], 1);
	/* A late record of the old one does not touch the new one. */
	world_exit(w, 100, START, 9);
	assert_int_equal(s->last.exit_code, 9);
	assert_false(km_attribute_owns(w->a, s, 100, START + SECOND));
}

static void start_times_cut_to_clock_ticks_are_the_same_process(void **state)
{
	struct world *w = *state;
	struct km_service *s = command(w, 200, START);

	assert_true(km_attribute_same_start(5, 5));
	assert_true(km_attribute_same_start(20000000, 29999999));
	assert_true(km_attribute_same_start(29999999, 20000000));
	assert_false(km_attribute_same_start(20000000, 30000000));
	assert_false(km_attribute_same_start(20000001, 20000002));
	world_exit(w, 200, START + 7654321, 9);
	assert_int_equal(s->state, KM_SERVICE_DOWN);
	EVENTS(w, KM_EV_STARTED, KM_EV_ENDED);
}

static void a_killers_name_is_in_the_ending(void **state)
{
	struct world *w = *state;
	struct km_service *s = unit(w);

	world_kill(w, 100, START, 9, 4321);
	assert_int_equal(w->events[KM_EV_SIGNALED], 1);
	world_exit(w, 100, START, 9);
	assert_int_equal(s->last.signal, 9);
	assert_int_equal(s->last.sender_tgid, 4321);
	assert_int_equal(s->last.sender_uid, 1000);
	assert_string_equal(s->last.sender_comm, "bash");
}

static void a_signal_that_comes_behind_the_end_still_names_the_killer(void **state)
{
	struct world *w = *state;
	struct km_service *s = unit(w);
	uint64_t sent = w->now_ns;
	struct km_signal late = { .type = KMEND_SIGNAL, .cgroup_id = 5, .t_ns = sent };

	w->now_ns += SECOND / 1000;
	world_exit(w, 100, START, 9);
	assert_int_equal(s->last.signal, 0);
	late.signal.tgid = 100;
	late.signal.start_ns = START;
	late.signal.signal = 15;
	world_feed(w, &late);
	assert_int_equal(s->last.signal, 0); /* it was not this one that killed */
	late.signal.signal = 9;
	late.signal.sender_tgid = 77;
	world_feed(w, &late);
	assert_int_equal(s->last.signal, 9);
	assert_int_equal(s->last.sender_tgid, 77);
	EVENTS(w, KM_EV_STARTED, KM_EV_ENDED);
}

static void an_old_signal_does_not_explain_a_clean_exit(void **state)
{
	struct world *w = *state;
	struct km_service *s = unit(w);

	world_kill(w, 100, START, 15, 4321);
	w->now_ns += 91 * SECOND;
	world_exit(w, 100, START, 0);
	assert_int_equal(s->last.signal, 0);
	assert_int_equal(s->last.sender_tgid, 0);
}

static void a_signal_that_was_ignored_is_no_event(void **state)
{
	struct world *w = *state;
	struct km_signal g = { .type = KMEND_SIGNAL };

	unit(w);
	g.signal.tgid = 100;
	g.signal.start_ns = START;
	g.signal.signal = 15;
	g.signal.result = 1;
	world_feed(w, &g);
	world_kill(w, 100, START, 19, 4321); /* stops, does not end */
	assert_int_equal(w->events[KM_EV_SIGNALED], 0);
	world_fork(w, 5, 101, 100);
	world_kill(w, 101, 0, 9, 4321); /* not the main process */
	assert_int_equal(w->events[KM_EV_SIGNALED], 0);
}

static void an_oom_kill_is_in_the_ending(void **state)
{
	struct world *w = *state;
	struct km_service *s = unit(w);
	struct km_signal o = { .type = KMEND_OOM, .cgroup_id = 5 };

	o.oom.tgid = 100;
	o.oom.start_ns = START;
	assert_ptr_equal(world_feed(w, &o), s);
	assert_int_equal(w->events[KM_EV_OOM], 1);
	assert_int_equal(s->oom_kills, 1);
	world_exit(w, 100, START, 9);
	assert_int_equal(s->last.oom, 1);
}

static void an_oom_record_behind_the_end_is_filled_in(void **state)
{
	struct world *w = *state;
	struct km_service *s = unit(w);
	struct km_signal o = { .type = KMEND_OOM, .cgroup_id = 5 };

	world_exit(w, 100, START, 9);
	o.oom.tgid = 100;
	o.oom.start_ns = START;
	world_feed(w, &o);
	assert_int_equal(s->last.oom, 1);
	assert_int_equal(w->events[KM_EV_ENDED], 1);
}

static void an_end_that_kmend_asked_for_is_marked_once(void **state)
{
	struct world *w = *state;
	struct km_service *s = command(w, 200, START);

	km_attribute_expect_end(w->a, s->id, w->now_ns + 30 * SECOND);
	world_exit(w, 200, START, 15);
	assert_int_equal(s->last.asked, 1);
	w->now_ns += SECOND;
	world_outcome(w, "cmd",
	              &(struct world_outcome){ 9, KM_OUT_DONE, KM_RESTART, 201, w->now_ns });
	world_exit(w, 201, w->now_ns, 9);
	assert_int_equal(s->last.asked, 0);
}

/* What kmend restarts is down already: nothing is left that it could end. */
static void the_end_of_the_life_behind_a_restart_was_not_asked_for(void **state)
{
	struct world *w = *state;
	struct km_service *s = command(w, 200, START);

	world_exit(w, 200, START, 9);
	km_attribute_expect_end(w->a, s->id, w->now_ns + 30 * SECOND);
	w->now_ns += 2 * KM_NS_PER_MS;
	world_exec(w, 9, 201, w->now_ns, "/bin/cmd");
	world_outcome(w, "cmd",
	              &(struct world_outcome){ 9, KM_OUT_DONE, KM_RESTART, 201, w->now_ns });
	w->now_ns += KM_NS_PER_MS;
	world_exit(w, 201, w->now_ns - KM_NS_PER_MS, 9);
	assert_int_equal(w->events[KM_EV_ENDED], 2);
	assert_int_equal(s->last.asked, 0);
}

static void an_expectation_ends_with_its_time_or_a_refusal(void **state)
{
	struct world *w = *state;
	struct km_service *s = command(w, 200, START);

	km_attribute_expect_end(w->a, s->id, w->now_ns + SECOND);
	w->now_ns += 2 * SECOND;
	world_exit(w, 200, START, 15);
	assert_int_equal(s->last.asked, 0);
	world_outcome(w, "cmd",
	              &(struct world_outcome){ 9, KM_OUT_DONE, KM_START, 201, w->now_ns });
	km_attribute_expect_end(w->a, s->id, w->now_ns + 30 * SECOND);
	world_outcome(w, "cmd", &(struct world_outcome){ 9, KM_OUT_REFUSED, KM_STOP, 0, 0 });
	world_exit(w, 201, w->now_ns, 9);
	assert_int_equal(s->last.asked, 0);
}

static void a_command_is_up_with_its_exec_before_the_actor_says_so(void **state)
{
	struct world *w = *state;
	struct km_service *s = command(w, 200, START);
	uint64_t start;

	world_exit(w, 200, START, 9);
	world_clear(w);
	w->now_ns += SECOND;
	start = w->now_ns;
	assert_ptr_equal(world_fork(w, 9, 201, 50), s);
	EVENTS(w, KM_EV_STARTED);
	assert_int_equal(s->main_tgid, 201);
	world_outcome(w, "cmd", &(struct world_outcome){ 9, KM_OUT_DONE, KM_RESTART, 201, start });
	EVENTS(w, KM_EV_STARTED);
	/* Dead before the actor's word: its life is told once. */
	world_exit(w, 201, start, 9);
	world_outcome(w, "cmd", &(struct world_outcome){ 9, KM_OUT_DONE, KM_RESTART, 201, start });
	EVENTS(w, KM_EV_STARTED, KM_EV_ENDED);
	assert_int_equal(s->starts, 2);
}

static void a_command_dead_before_it_was_heard_of_started_and_ended(void **state)
{
	struct world *w = *state;
	struct km_service *s;

	world_exit(w, 200, START, 3 << 8);
	s = command(w, 200, START);
	EVENTS(w, KM_EV_STARTED, KM_EV_ENDED);
	assert_int_equal(s->state, KM_SERVICE_DOWN);
	assert_int_equal(s->last.exit_code, 3 << 8);
	assert_int_equal(s->last.known, 1);
}

static void a_restart_whose_exit_record_was_lost_is_an_end_and_a_start(void **state)
{
	struct world *w = *state;
	struct km_service *s = command(w, 200, START);

	km_attribute_expect_end(w->a, s->id, w->now_ns + 30 * SECOND);
	w->now_ns += SECOND;
	world_outcome(w, "cmd",
	              &(struct world_outcome){ 9, KM_OUT_DONE, KM_RESTART, 201, w->now_ns });
	EVENTS(w, KM_EV_STARTED, KM_EV_ENDED, KM_EV_STARTED);
	assert_int_equal(s->last.tgid, 200);
	assert_int_equal(s->last.asked, 1);
	assert_int_equal(s->main_tgid, 201);
	assert_int_equal(s->processes, 1);
	world_exit(w, 200, START, 15);
	assert_int_equal(s->last.known, 1);
	EVENTS(w, KM_EV_STARTED, KM_EV_ENDED, KM_EV_STARTED);
}

static void a_stop_that_is_done_is_down_before_the_exit_record(void **state)
{
	struct world *w = *state;
	struct km_service *s = command(w, 200, START);

	km_attribute_expect_end(w->a, s->id, w->now_ns + 30 * SECOND);
	world_outcome(w, "cmd", &(struct world_outcome){ 9, KM_OUT_DONE, KM_STOP, 0, 0 });
	assert_int_equal(s->state, KM_SERVICE_DOWN);
	assert_int_equal(s->last.asked, 1);
	world_exit(w, 200, START, 15);
	EVENTS(w, KM_EV_STARTED, KM_EV_ENDED);
	assert_int_equal(s->last.known, 1);
	assert_int_equal(s->last.asked, 1);
}

static void an_absent_command_is_down_without_an_event(void **state)
{
	struct world *w = *state;

	world_define(w, "cmd", KM_BY_COMMAND, "");
	assert_int_equal(world_named(w, "cmd")->state, KM_SERVICE_UNKNOWN);
	world_outcome(w, "cmd", &(struct world_outcome){ 0, KM_OUT_ABSENT, KM_VERB_NONE, 0, 0 });
	assert_int_equal(world_named(w, "cmd")->state, KM_SERVICE_DOWN);
	assert_int_equal(w->count, 0);
}

static void an_adopted_command_has_been_up_since_its_start(void **state)
{
	struct world *w = *state;
	const struct world_outcome adopted = { 9, KM_OUT_ADOPTED, KM_VERB_NONE, 200, START };

	world_define(w, "cmd", KM_BY_COMMAND, "");
	world_outcome(w, "cmd", &adopted);
	assert_int_equal(world_named(w, "cmd")->state, KM_SERVICE_UP);
	assert_int_equal(world_named(w, "cmd")->since_ns, START);
	world_outcome(w, "cmd", &adopted);
	EVENTS(w, KM_EV_STARTED);
}

static void the_dead_are_owned_for_a_minute(void **state)
{
	struct world *w = *state;
	struct km_service *s = unit(w);

	world_exit(w, 100, START, 0);
	for (int i = 0; i < 60; i++)
		world_tick(w);
	assert_true(km_attribute_owns(w->a, s, 100, START));
	world_tick(w);
	assert_false(km_attribute_owns(w->a, s, 100, START));
}

static void a_fork_storm_forgets_the_hosts_dead_first(void **state)
{
	struct world *w = *state;
	struct km_service *s = unit(w);

	world_exit(w, 100, START, 0);
	w->now_ns += SECOND;
	for (uint32_t i = 0; i < 3 * KM_ENDED_MAX; i++)
		world_exit(w, 10000 + i, w->now_ns, 0);
	assert_true(km_attribute_owns(w->a, s, 100, START));
	/* A storm of its own: the newest stay. */
	for (uint32_t i = 0; i < 3 * KM_ENDED_MAX; i++) {
		w->now_ns += 1000;
		world_fork(w, 5, 40000 + i, 1);
		world_exit(w, 40000 + i, w->now_ns, 0);
	}
	assert_true(km_attribute_owns(w->a, s, 40000 + 3 * KM_ENDED_MAX - 1, 0));
	assert_int_equal(s->processes, 0);
}

static void a_cgroup_that_is_gone_shortens_the_wait_for_its_processes(void **state)
{
	struct world *w = *state;
	struct km_service *s = unit(w);

	world_task(w, 5, 100, 1, START);
	world_tick(w);
	world_cgroup_gone(w, 5);
	assert_int_equal(s->state, KM_SERVICE_UP);
	world_task(w, 7, 999, 1, START);
	world_tick(w);
	assert_int_equal(s->state, KM_SERVICE_DOWN);
}

static void a_discovered_service_is_forgotten_an_hour_after_its_end(void **state)
{
	struct world *w = *state;

	unit(w);
	world_exit(w, 100, START, 0);
	w->now_ns += 3599 * SECOND;
	world_tick(w);
	assert_non_null(world_named(w, "a.service"));
	world_tick(w);
	assert_null(world_named(w, "a.service"));
}

static void counters_go_to_the_service(void **state)
{
	struct world *w = *state;
	struct km_service *s = unit(w);
	struct km_signal t = { .type = KMEND_TCP_STATE, .cgroup_id = 5 };
	struct km_signal r = { .type = KMEND_RETRANSMIT, .cgroup_id = 5 };

	t.tcp_state.from = 2;
	t.tcp_state.to = 7;
	world_feed(w, &t);
	t.tcp_state.from = 1;
	world_feed(w, &t);
	r.retransmit.count = 5;
	world_feed(w, &r);
	assert_int_equal(s->connect_failures, 1);
	assert_int_equal(s->retransmits, 5);
	assert_int_equal(w->events[KM_EV_CONNECT_FAILED], 1);
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, world_begin, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(a_unit_is_up_with_its_first_and_down_with_its_last_process),
		ROW(a_units_end_is_that_of_its_main_process),
		ROW(what_outlives_its_main_process_for_long_ends_by_itself),
		ROW(the_main_process_is_the_one_that_the_others_come_from),
		ROW(a_command_is_down_when_its_main_process_is_gone),
		ROW(an_end_seen_three_times_is_one_event),
		ROW(a_later_record_fills_in_the_exit_code_without_an_event),
		ROW(a_process_missing_from_two_whole_passes_is_over),
		ROW(a_process_that_did_not_run_is_not_missed),
		ROW(a_zombie_is_no_sign_of_life),
		ROW(several_services_may_end_at_one_tick),
		ROW(a_number_that_is_used_again_is_another_process),
		ROW(start_times_cut_to_clock_ticks_are_the_same_process),
		ROW(a_killers_name_is_in_the_ending),
		ROW(a_signal_that_comes_behind_the_end_still_names_the_killer),
		ROW(an_old_signal_does_not_explain_a_clean_exit),
		ROW(a_signal_that_was_ignored_is_no_event),
		ROW(an_oom_kill_is_in_the_ending),
		ROW(an_oom_record_behind_the_end_is_filled_in),
		ROW(an_end_that_kmend_asked_for_is_marked_once),
		ROW(the_end_of_the_life_behind_a_restart_was_not_asked_for),
		ROW(an_expectation_ends_with_its_time_or_a_refusal),
		ROW(a_command_is_up_with_its_exec_before_the_actor_says_so),
		ROW(a_command_dead_before_it_was_heard_of_started_and_ended),
		ROW(a_restart_whose_exit_record_was_lost_is_an_end_and_a_start),
		ROW(a_stop_that_is_done_is_down_before_the_exit_record),
		ROW(an_absent_command_is_down_without_an_event),
		ROW(an_adopted_command_has_been_up_since_its_start),
		ROW(the_dead_are_owned_for_a_minute),
		ROW(a_fork_storm_forgets_the_hosts_dead_first),
		ROW(a_cgroup_that_is_gone_shortens_the_wait_for_its_processes),
		ROW(a_discovered_service_is_forgotten_an_hour_after_its_end),
		ROW(counters_go_to_the_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
