/* SPDX-License-Identifier: Apache-2.0 */
/* Long histories of chance events (from a fixed seed): what must never happen does not, the same
 * history gives the same bytes, and a checkpoint at any moment changes nothing. */
#include "world.h"

#define STEPS    400
#define OPEN_MAX 64

struct history {
	struct world *t;
	uint64_t seed;
	struct km_buf *text;     /* of all decisions */
	uint64_t open[OPEN_MAX]; /* acts without an outcome or verdict */
	unsigned int opens;
	uint64_t acts[SERVICES][STEPS * 4]; /* times, all but notify */
	unsigned int count[SERVICES];
};

static uint32_t chance(struct history *h, uint32_t n)
{
	h->seed = h->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(h->seed >> 33) % n;
}

static unsigned int service_of(const struct history *h, uint64_t id)
{
	for (unsigned int i = 0; i < SERVICES; i++)
		if (h->t->service[i]->id == id)
			return i;
	fail_msg("a decision about nobody");
	return 0;
}

/* So tight that every limit is met. */
static void tighten(struct world *t)
{
	world_policy(t, "{\"version\":1,\"verbs\":[\"start\",\"restart\"],\"services\":[\"app-*\"],"
	                "\"budget\":{\"service\":{\"count\":4,\"per\":\"1m\"},"
	                "\"host\":{\"count\":9,\"per\":\"1m\"}}}");
	leak_rule(t)->guard.cooldown_ns = 5 * SECOND;
	leak_rule(t)->guard.min_healthy = 1;
	plan_of(leak_rule(t))[1] = plan_of(leak_rule(t))[0];
	leak_rule(t)->steps = 2;
}

static unsigned int within(const uint64_t *t_ns, unsigned int n, uint64_t now, uint64_t per)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < n; i++)
		count += now - t_ns[i] < per;
	return count;
}

static void check_act(struct history *h, const struct km_decision *d)
{
	unsigned int s = service_of(h, d->service_id), host = 0;
	struct km_repair *r;
	uint32_t slot = 0, at_work = 0;

	assert_int_equal(d->guard, KM_GUARD_MAX);
	if (d->verb == KM_NOTIFY)
		return;
	assert_false(km_decide_quarantined(h->t->decide, d->service_id));
	/* An operator ended a quarantine: a first start is no repair. */
	if (!d->rule_key)
		return;
	h->acts[s][h->count[s]++] = d->t_ns;
	assert_true(within(h->acts[s], h->count[s], d->t_ns, MINUTE) <= 4);
	for (unsigned int i = 0; i < SERVICES; i++)
		host += within(h->acts[i], h->count[i], d->t_ns, MINUTE);
	assert_true(host <= 9);
	while ((r = km_table_next(h->t->decide->table[KM_T_REPAIR], &slot)))
		at_work += r->service_id == d->service_id && r->state == KM_R_ACTING &&
		           r->last.verb != KM_NOTIFY && !r->concluded;
	assert_true(at_work <= 1);
}

static void take(struct history *h)
{
	const struct km_decision *d;
	struct km_json_writer w;

	while ((d = km_decide_next(h->t->decide))) {
		km_jw_init(&w, h->text, false);
		km_decision_write(d, &w);
		km_buf_add(h->text, "\n", 1);
		if (d->answer != KM_ANSWER_ACT)
			continue;
		check_act(h, d);
		if (h->opens < OPEN_MAX)
			h->open[h->opens++] = d->id;
	}
	assert_int_equal(km_buf_error(h->text), 0);
}

static uint64_t any_open(struct history *h)
{
	return h->opens ? h->open[chance(h, h->opens)] : 1;
}

static void happen(struct history *h)
{
	unsigned int s = chance(h, SERVICES);
	struct world *t = h->t;

	wait_ns(t, chance(h, 1500) * KM_NS_PER_MS);
	switch (chance(h, 9)) {
	case 0:
		if (t->service[s]->state == KM_SERVICE_UP)
			dies(t, s);
		break;
	case 1:
		comes_up(t, s);
		break;
	case 2:
		speak(t, leak_rule(t), s);
		break;
	case 3:
		silent(t, leak_rule(t), s,
		       (enum km_truth)chance(h, 2) ? KM_FALSE : KM_NOT_MEASURED);
		break;
	case 4:
		if (chance(h, 4) == 0)
			speak(t, loop_rule(t), s);
		break;
	case 5:
	case 6:
		outcome(t, any_open(h), (enum km_outcome_state)chance(h, KM_OUT_STATE_MAX));
		break;
	case 7:
		km_decide_verdict(t->decide, &t->w, any_open(h),
		                  (enum km_verdict_kind)chance(h, KM_VERDICT_MAX));
		break;
	default:
		command(t, chance(h, 60), (enum km_command)chance(h, 2));
		break;
	}
	t->w.lossy = chance(h, 10) == 0;
	tick(t);
	take(h);
}

/* Everything of the tables into a new one, which takes the old one's place. */
static void checkpoint(struct world *t)
{
	struct km_table *from[KM_T_MAX], *to[KM_T_MAX];
	struct km_decide *d;

	assert_int_equal(km_decide_new(&d), 0);
	assert_int_equal(km_decide_tables(t->decide, from, KM_T_MAX), KM_T_MAX);
	assert_int_equal(km_decide_tables(d, to, KM_T_MAX), KM_T_MAX);
	for (unsigned int i = 0; i < KM_T_MAX; i++) {
		uint32_t slot = 0;
		void *row;

		while ((row = km_table_next(from[i], &slot)))
			assert_int_equal(km_table_restore(to[i], slot - 1, row), 0);
	}
	km_decide_free(t->decide);
	t->decide = d;
	km_decide_configure(d, &t->config, t->policy, t->rules);
}

/* A checkpoint behind every SAVE_EVERY steps, 0: none. */
static void run(uint64_t seed, unsigned int save_every, struct km_buf *text)
{
	struct history *h = calloc(1, sizeof(*h));
	void *t = NULL;

	assert_non_null(h);
	assert_int_equal(world_setup(&t), 0);
	h->t = t;
	h->seed = seed;
	h->text = text;
	tighten(h->t);
	for (unsigned int i = 1; i <= STEPS; i++) {
		happen(h);
		if (save_every && i % save_every == 0)
			checkpoint(h->t);
	}
	world_teardown(&t);
	free(h);
}

static void budgets_quarantine_and_one_at_a_time_hold_in_any_history(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		km_autofree(km_buf_freep) struct km_buf *text = NULL;

		assert_int_equal(km_buf_new(16U << 20, &text), 0);
		run(seed, 0, text);
		assert_non_null(strstr(km_buf_text(text), "\"answer\":\"act\""));
	}
}

static void the_same_history_gives_the_same_bytes(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *a = NULL;
	km_autofree(km_buf_freep) struct km_buf *b = NULL;

	(void)state;
	assert_int_equal(km_buf_new(16U << 20, &a), 0);
	assert_int_equal(km_buf_new(16U << 20, &b), 0);
	run(7, 0, a);
	run(7, 0, b);
	assert_true(a->len > 10000);
	assert_string_equal(km_buf_text(a), km_buf_text(b));
}

static void a_checkpoint_at_any_moment_changes_nothing(void **state)
{
	static const unsigned int every[] = { 1, 2, 3, 5, 7, 11, 13 };

	(void)state;
	for (unsigned int i = 0; i < KM_ARRAY_SIZE(every); i++) {
		km_autofree(km_buf_freep) struct km_buf *a = NULL;
		km_autofree(km_buf_freep) struct km_buf *b = NULL;

		assert_int_equal(km_buf_new(16U << 20, &a), 0);
		assert_int_equal(km_buf_new(16U << 20, &b), 0);
		run(i + 100, 0, a);
		run(i + 100, every[i], b);
		assert_string_equal(km_buf_text(a), km_buf_text(b));
	}
}

static void a_cooldown_survives_a_restart(void **state)
{
	struct world *t = *state;
	uint64_t id;

	leak_rule(t)->guard.cooldown_ns = MINUTE;
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	id = expect(t, KM_ANSWER_ACT)->id;
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	assert_int_equal(km_decide_verdict(t->decide, &t->w, id, KM_HELPED), 0);
	checkpoint(t);
	wait_ns(t, MINUTE - 1);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_no(t, KM_GUARD_COOLDOWN);
	wait_ns(t, 1);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->id, id + 2);
}

static void a_cooldown_survives_kill_9_between_intent_and_outcome(void **state)
{
	struct world *t = *state;
	uint64_t id;

	leak_rule(t)->guard.cooldown_ns = MINUTE;
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	id = expect(t, KM_ANSWER_ACT)->id;
	checkpoint(t);
	wait_ns(t, SECOND);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	assert_int_equal(km_decide_verdict(t->decide, &t->w, id, KM_HELPED), 0);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_no(t, KM_GUARD_COOLDOWN);
}

static void a_quarantine_survives_a_restart(void **state)
{
	struct world *t = *state;

	assert_int_equal(speak(t, loop_rule(t), 0), 0);
	checkpoint(t);
	assert_true(km_decide_quarantined(t->decide, t->service[0]->id));
	assert_int_equal(dies(t, 0), 0);
	expect_no(t, KM_GUARD_QUARANTINE);
}

static void a_rule_that_finds_no_room_is_not_heard_and_that_is_counted(void **state)
{
	struct world *t = *state;

	leak_rule(t)->guard.mode = KM_OBSERVE;
	t->decide->queued = KM_DECISIONS_QUEUED_MAX - KM_SAY_MAX + 1;
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	assert_int_equal(speak(t, start_rule(t), 0), 0);
	assert_int_equal(km_decide_meta(t->decide)->full, 2);
	assert_int_equal(km_table_count(t->decide->table[KM_T_REPAIR]), 0);
	assert_int_equal(km_table_count(t->decide->table[KM_T_SAID]), 0);
	t->decide->queued--;
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	assert_int_equal(t->decide->queued, KM_DECISIONS_QUEUED_MAX - KM_SAY_MAX + 1);
	assert_int_equal(t->decide->queue[t->decide->queued - 1].answer, KM_ANSWER_OBSERVE);
}

static void a_decision_too_many_is_counted_not_written_past_the_queue(void **state)
{
	struct world *t = *state;
	uint64_t id;

	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	id = expect(t, KM_ANSWER_ACT)->id;
	t->decide->queued = KM_DECISIONS_QUEUED_MAX;
	assert_int_equal(outcome(t, id, KM_OUT_FAILED), 0);
	assert_int_equal(t->decide->queued, KM_DECISIONS_QUEUED_MAX);
	assert_int_equal(km_decide_meta(t->decide)->unsaid, 1);
	assert_int_equal(repair(t, leak_rule(t), 0)->state, KM_R_RESTING);
}

static void what_is_due_stays_due_while_there_is_no_room(void **state)
{
	struct world *t = *state;
	uint64_t id;

	assert_int_equal(dies(t, 0), 0);
	id = expect(t, KM_ANSWER_ACT)->id;
	comes_up(t, 0);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	wait_ns(t, SECOND);
	assert_int_equal(dies(t, 0), 0);
	expect(t, KM_ANSWER_LATER);
	wait_ns(t, SECOND);
	t->decide->queued = KM_DECISIONS_QUEUED_MAX;
	assert_int_equal(tick(t), 0);
	t->decide->queued = 0;
	assert_int_equal(km_decide_due_ns(t->decide), t->w.now_ns);
	assert_int_equal(tick(t), 0);
	expect(t, KM_ANSWER_ACT);
}

static void one_repair_more_than_fits_is_refused_and_counted(void **state)
{
	struct world *t = *state;
	struct km_repair *r;

	for (uint64_t i = 1; i <= KM_REPAIRS_MAX; i++) {
		uint64_t key[2] = { i, i };

		assert_int_equal(km_table_put(t->decide->table[KM_T_REPAIR], key, &r), 1);
		r->state = KM_R_RESTING;
	}
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	assert_int_equal(km_decide_meta(t->decide)->full, 1);
	expect_nothing(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(budgets_quarantine_and_one_at_a_time_hold_in_any_history),
		cmocka_unit_test(the_same_history_gives_the_same_bytes),
		cmocka_unit_test(a_checkpoint_at_any_moment_changes_nothing),
		world_test(a_cooldown_survives_a_restart),
		world_test(a_cooldown_survives_kill_9_between_intent_and_outcome),
		world_test(a_quarantine_survives_a_restart),
		world_test(a_rule_that_finds_no_room_is_not_heard_and_that_is_counted),
		world_test(a_decision_too_many_is_counted_not_written_past_the_queue),
		world_test(what_is_due_stays_due_while_there_is_no_room),
		world_test(one_repair_more_than_fits_is_refused_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
