// SPDX-License-Identifier: Apache-2.0
/* The difference of two sets of rules: what is paired with what, and that it agrees with replaying
 * each set by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "review/backtest.h"
#include "review/diff.h"
#include "review/world.h"

#define S      KM_NS_PER_S
#define PAIRS  100
#define LENGTH 900

struct pair {
	enum km_diff_kind kind;
	uint64_t old_ns, new_ns; /* 0: none */
};

struct told {
	struct pair pair[64];
	size_t count;
};

static void tell(void *userdata, const struct km_diff_entry *e)
{
	struct told *t = userdata;

	assert_true(t->count < KM_ARRAY_SIZE(t->pair));
	t->pair[t->count++] =
		(struct pair){ e->kind, e->old ? e->old->t_ns : 0, e->new ? e->new->t_ns : 0 };
}

static void add(struct km_diff *d, enum km_diff_side side, uint64_t t_ns, enum km_answer answer)
{
	const struct km_decision x = {
		.t_ns = t_ns,
		.rule_key = 1,
		.service_id = 2,
		.rule = "r",
		.service = "s",
		.answer = answer,
		.guard = KM_GUARD_MAX,
	};
	const struct km_output o = { .kind = KM_OUT_DECISION, .t_ns = t_ns, .decision = &x };

	assert_int_equal(km_diff_add(d, side, &o), 0);
}

static void what_is_there_at_the_same_time_is_the_same_and_the_nearest_is_moved(void **state)
{
	struct told t = { .count = 0 };
	uint64_t counts[KM_DIFF_KINDS];
	struct km_diff *d = NULL;

	(void)state;
	assert_int_equal(km_diff_new(&d), 0);
	add(d, KM_DIFF_OLD, 100 * S, KM_ANSWER_SUGGEST);
	add(d, KM_DIFF_OLD, 200 * S, KM_ANSWER_SUGGEST);
	add(d, KM_DIFF_OLD, 5000 * S, KM_ANSWER_ACT);
	add(d, KM_DIFF_OLD, 8000 * S, KM_ANSWER_SUGGEST);
	add(d, KM_DIFF_NEW, 10 * S, KM_ANSWER_ACT);
	add(d, KM_DIFF_NEW, 200 * S, KM_ANSWER_SUGGEST);
	add(d, KM_DIFF_NEW, 230 * S, KM_ANSWER_SUGGEST);
	add(d, KM_DIFF_NEW, 8000 * S + KM_DIFF_MOVED_NS + 1, KM_ANSWER_SUGGEST);
	assert_int_equal(km_diff_end(d, tell, &t, counts), 0);
	assert_int_equal(counts[KM_DIFF_SAME], 1);
	assert_int_equal(counts[KM_DIFF_MOVED], 1);
	assert_int_equal(counts[KM_DIFF_VANISHED], 2);
	assert_int_equal(counts[KM_DIFF_APPEARED], 2);
	assert_int_equal(t.count, 5);
	for (size_t i = 0; i < t.count; i++)
		if (t.pair[i].kind == KM_DIFF_MOVED) {
			assert_int_equal(t.pair[i].old_ns, 100 * S);
			assert_int_equal(t.pair[i].new_ns, 230 * S);
		}
	km_diff_free(d);
}

static void more_decisions_than_are_kept_make_no_answer(void **state)
{
	uint64_t counts[KM_DIFF_KINDS];
	struct km_diff *d = NULL;

	(void)state;
	assert_int_equal(km_diff_new(&d), 0);
	for (uint64_t i = 1; i <= KM_DIFF_MAX; i++)
		add(d, KM_DIFF_OLD, i, KM_ANSWER_NO);
	assert_int_equal(km_diff_end(d, NULL, NULL, counts), 0);
	assert_int_equal(counts[KM_DIFF_VANISHED], KM_DIFF_MAX);
	add(d, KM_DIFF_OLD, KM_DIFF_MAX + 1, KM_ANSWER_NO);
	assert_int_equal(km_diff_end(d, NULL, NULL, counts), -E2BIG);
	km_diff_free(d);
}

/* One history for all pairs: three services that fill, fail and come back. */
static struct km_buf *history;

static int keep(void *userdata, const void *raw, size_t len)
{
	km_buf_add(userdata, raw, len);
	return km_buf_error(userdata);
}

static int make_history(void **state)
{
	static const char config[] = "{\"version\":1,\"services\":["
				     "{\"name\":\"a\",\"command\":[\"/bin/a\"]},"
				     "{\"name\":\"b\",\"command\":[\"/bin/b\"]},"
				     "{\"name\":\"c\",\"command\":[\"/bin/c\"]}]}";
	static const char policy[] = "{\"version\":1,\"verbs\":[\"start\",\"restart\"],"
				     "\"services\":[\"*\"]}";
	struct km_world w;

	(void)state;
	assert_int_equal(km_buf_new(64 << 20, &history), 0);
	km_world_init(&w, keep, history);
	km_world_text(&w, KM_TEXT_CONFIG, "kmend.json", config);
	km_world_text(&w, KM_TEXT_POLICY, "policy", policy);
	km_world_text(&w, KM_TEXT_COMMIT, "commit", "");
	for (int i = 0; i < 3; i++) {
		struct km_service_def def = { .kind = KM_BY_COMMAND, .name = { (char)('a' + i) } };

		assert_int_equal(km_world_add(&w, &def), 0);
		assert_int_equal(km_world_start(&w, &w.service[i]), 0);
	}
	for (uint64_t t = 1; t <= LENGTH; t++) {
		w.t_ns = t * S;
		for (uint64_t i = 0; i < 3; i++) {
			uint64_t rise = (t * (i + 1)) % 300;

			if (t % (150 + 37 * i) == 0)
				km_world_end(&w, &w.service[i], i ? 1 << 8 : 9);
			if (t % (150 + 37 * i) == 3)
				km_world_start(&w, &w.service[i]);
			km_world_level(&w, &w.service[i], KM_MEMORY, 100 + 3 * rise, 1000);
		}
		km_world_tick(&w);
	}
	return km_buf_error(history);
}

static int drop_history(void **state)
{
	(void)state;
	history = km_buf_free(history);
	return 0;
}

static uint64_t seed = 7;

static unsigned int pick(unsigned int below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned int)(seed >> 33) % below;
}

/* LONGER: so many seconds on each "for". */
static void some_condition(char *out, size_t size, unsigned int longer)
{
	static const char *const how[] = { "any", "failed", "signaled" };

	switch (pick(4)) {
	case 0:
		snprintf(out, size,
		         "{\"level\":{\"resource\":\"memory\",\"above\":\"%u%%\",\"for\":\"%us\"}}",
		         20 + pick(70), 1 + pick(20) + longer);
		break;
	case 1:
		snprintf(out, size, "{\"event\":{\"is\":\"ended\",\"how\":\"%s\"}}", how[pick(3)]);
		break;
	case 2:
		snprintf(out, size, "{\"state\":{\"is\":\"%s\",\"for\":\"%us\"}}",
		         pick(2) ? "up" : "down", 1 + pick(100) + longer);
		break;
	default:
		snprintf(out, size,
		         "{\"forecast\":{\"kind\":\"exhaustion\",\"resource\":\"memory\","
		         "\"probability\":\"%u%%\",\"within\":\"%us\"}}",
		         10 + pick(60), 30 + pick(600));
	}
}

static void some_rule(char *rule, size_t size, unsigned int longer)
{
	static const char *const scopes[] = { "\"a\"", "\"a\",\"b\"", "\"a\",\"b\",\"c\"" };
	static const char *const modes[] = { "observe", "suggest", "approve", "auto" };
	char when[512];

	some_condition(when, sizeof(when), longer);
	snprintf(
		rule, size,
		"{\"version\":1,\"id\":\"r\",\"summary\":\"s\",\"why\":\"w\",\"owner\":\"o\","
		"\"maturity\":\"experimental\",\"scope\":{\"services\":[%s]},\"when\":%s,"
		"\"plan\":[{\"do\":\"%s\"}],\"verify\":{\"within\":\"%us\",\"that\":{\"up\":true}},"
		"\"guard\":{\"mode\":\"%s\",\"cooldown\":\"%us\"}}",
		scopes[pick(3)], when, pick(2) ? "restart" : "start", 5 + pick(60), modes[pick(4)],
		1 + pick(300));
}

struct decisions {
	struct km_decision *list;
	size_t count;
	struct km_diff *diff; /* NULL: only listed */
	enum km_diff_side side;
};

static int hear(void *userdata, const struct km_output *o)
{
	struct decisions *d = userdata;

	if (d->diff)
		return km_diff_add(d->diff, d->side, o);
	if (o->kind == KM_OUT_DECISION && o->decision->rule_key) {
		assert_true(d->count < 4096);
		d->list[d->count++] = *o->decision;
	}
	return 0;
}

static void replay(const char *rule, struct decisions *d)
{
	struct km_texts texts = { 0 };
	const struct km_backtest_opts opts = {
		.texts = &texts, .as_written = true, .said = hear, .userdata = d
	};
	struct km_backtest *b = NULL;
	struct km_error err = { 0 };

	assert_int_equal(km_texts_put(&texts, KM_TEXT_RULE, "x/r.json", rule, strlen(rule)), 0);
	if (km_backtest_new(&opts, &err, &b) < 0)
		fail_msg("%s: %s", rule, err.what);
	for (size_t at = 0; at < history->len;) {
		const struct kmend_hdr *hdr = (const void *)(history->data + at);

		assert_int_equal(km_backtest_feed(b, hdr, hdr->size), 0);
		at += hdr->size;
	}
	km_backtest_free(b);
	km_texts_clear(&texts);
}

static bool same_but_time(const struct km_decision *a, const struct km_decision *b)
{
	return a->service_id == b->service_id && a->answer == b->answer && a->verb == b->verb &&
	       a->step == b->step && a->guard == b->guard;
}

/* How many of OLD have a partner of their own in NEW at the same time, by trying all. */
static uint64_t same_by_force(const struct decisions *old, const struct decisions *new)
{
	bool used[4096] = { false };
	uint64_t n = 0;

	for (size_t i = 0; i < old->count; i++)
		for (size_t k = 0; k < new->count; k++)
			if (!used[k] && old->list[i].t_ns == new->list[k].t_ns &&
			    same_but_time(&old->list[i], &new->list[k])) {
				used[k] = true;
				n++;
				break;
			}
	return n;
}

struct judged {
	const struct decisions *old, *new;
	uint64_t last_ns[2];
};

static bool listed(const struct decisions *d, uint64_t t_ns, const struct km_diff_what *w)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->list[i].t_ns == t_ns && d->list[i].service_id == w->service_id &&
		    d->list[i].answer == w->answer && d->list[i].verb == w->verb &&
		    d->list[i].step == w->step && d->list[i].guard == w->guard)
			return true;
	return false;
}

static void judge(void *userdata, const struct km_diff_entry *e)
{
	const struct judged *j = userdata;

	if (e->old)
		assert_true(listed(j->old, e->old->t_ns, &e->old->what));
	if (e->new)
		assert_true(listed(j->new, e->new->t_ns, &e->new->what));
	if (e->old && e->new) {
		assert_memory_equal(&e->old->what, &e->new->what, sizeof(e->old->what));
		assert_int_not_equal(e->old->t_ns, e->new->t_ns);
		assert_int_equal(e->kind, KM_DIFF_MOVED);
	}
	assert_true(e->kind != KM_DIFF_SAME);
}

static void compare_pair(const char *old_rule, const char *new_rule, uint64_t total[KM_DIFF_KINDS])
{
	struct decisions old = { .list = calloc(4096, sizeof(*old.list)) };
	struct decisions new = { .list = calloc(4096, sizeof(*new.list)) };
	struct judged j = { .old = &old, .new = &new };
	struct km_diff *d = NULL;
	uint64_t counts[KM_DIFF_KINDS];

	assert_true(old.list && new.list);
	replay(old_rule, &old);
	replay(new_rule, &new);
	assert_int_equal(km_diff_new(&d), 0);
	replay(old_rule, &(struct decisions){ .diff = d, .side = KM_DIFF_OLD });
	replay(new_rule, &(struct decisions){ .diff = d, .side = KM_DIFF_NEW });
	assert_int_equal(km_diff_end(d, judge, &j, counts), 0);
	assert_int_equal(counts[KM_DIFF_SAME], same_by_force(&old, &new));
	assert_int_equal(counts[KM_DIFF_SAME] + counts[KM_DIFF_MOVED] + counts[KM_DIFF_VANISHED],
	                 old.count);
	assert_int_equal(counts[KM_DIFF_SAME] + counts[KM_DIFF_MOVED] + counts[KM_DIFF_APPEARED],
	                 new.count);
	for (int i = 0; i < KM_DIFF_KINDS; i++)
		total[i] += counts[i];
	km_diff_free(d);
	free(old.list);
	free(new.list);
}

static void a_hundred_pairs_of_rules_differ_as_their_replays_do(void **state)
{
	uint64_t total[KM_DIFF_KINDS] = { 0 };
	char old_rule[2048], new_rule[2048];

	(void)state;
	for (int i = 0; i < PAIRS; i++) {
		uint64_t before = seed;

		some_rule(old_rule, sizeof(old_rule), 0);
		/* each fourth is no change at all, each fourth only waits longer */
		if (i % 4 < 2)
			seed = before;
		some_rule(new_rule, sizeof(new_rule), i % 4 == 1 ? 5 : 0);
		compare_pair(old_rule, new_rule, total);
	}
	/* none of the kinds was left out */
	for (int i = 0; i < KM_DIFF_KINDS; i++)
		if (total[i] < 20)
			fail_msg("only %u of kind %d", (unsigned int)total[i], i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			what_is_there_at_the_same_time_is_the_same_and_the_nearest_is_moved),
		cmocka_unit_test(more_decisions_than_are_kept_make_no_answer),
		cmocka_unit_test(a_hundred_pairs_of_rules_differ_as_their_replays_do),
	};

	return cmocka_run_group_tests(tests, make_history, drop_history);
}
