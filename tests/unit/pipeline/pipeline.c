/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/value.h"
#include "stream.h"

/* A host of one service: what the pipeline decides is done, and comes back as records. */
struct sim {
	struct km_pipeline *pipeline;
	struct km_buf *raw;   /* every record that was fed */
	struct km_buf *lines; /* every output, a line each */
	uint64_t t_ns;
	uint32_t tgid; /* 0: not running */
	uint64_t start_ns, level;
	uint64_t intent; /* to be done at the next step */
	uint32_t verb;
	bool feeding;
	unsigned int restarts, starts, helped, unhelped, later, ended, escalated;
	bool limit_met;
};

static void write_line(const struct km_output *o, struct km_buf *lines)
{
	struct km_json_writer w;

	km_jw_init(&w, lines, false);
	km_output_write(o, &w);
	km_buf_add(lines, "\n", 1);
}

static void note(struct sim *s, const struct km_output *o)
{
	write_line(o, s->lines);
	if (o->kind == KM_OUT_DECISION && o->decision->answer == KM_ANSWER_ACT) {
		s->intent = o->decision->id;
		s->verb = o->decision->verb;
		s->restarts += o->decision->verb == KM_RESTART;
		s->starts += o->decision->verb == KM_START;
	}
	s->escalated += o->kind == KM_OUT_DECISION && o->decision->answer == KM_ANSWER_ESCALATE;
	s->later += o->kind == KM_OUT_DECISION && o->decision->answer == KM_ANSWER_LATER;
	s->helped += o->kind == KM_OUT_VERDICT && o->verdict->kind == KM_HELPED;
	s->unhelped += o->kind == KM_OUT_VERDICT && o->verdict->kind == KM_DID_NOT_HELP;
	s->ended += o->kind == KM_OUT_EVENT && o->event == KM_EV_ENDED;
}

static int feed(void *userdata, const void *raw, size_t len)
{
	struct sim *s = userdata;
	const struct km_output *o;
	int r = km_pipeline_feed(s->pipeline, raw, len);

	km_buf_add(s->raw, raw, len);
	while ((o = km_pipeline_next(s->pipeline)))
		note(s, o);
	return r;
}

static void sim_begin(struct sim *s)
{
	*s = (struct sim){ .t_ns = 100 * S };
	assert_int_equal(km_pipeline_new(&s->pipeline), 0);
	assert_int_equal(km_buf_new(64 << 20, &s->raw), 0);
	assert_int_equal(km_buf_new(64 << 20, &s->lines), 0);
	stream_set(s->t_ns, feed, s);
	stream_outcome(KM_OUT_ABSENT, 0, KM_VERB_NONE, 0, s->t_ns, feed, s);
}

static void sim_end(struct sim *s)
{
	km_pipeline_free(s->pipeline);
	km_buf_free(s->raw);
	km_buf_free(s->lines);
}

static void act(struct sim *s)
{
	uint64_t intent = s->intent;

	if (!intent)
		return;
	s->intent = 0;
	if (s->tgid)
		stream_exit(s->tgid, s->start_ns, 15, s->t_ns, feed, s);
	s->tgid = (uint32_t)(1000 + intent);
	s->start_ns = s->t_ns;
	s->level = 4 << 20;
	stream_outcome(KM_OUT_DONE, intent, s->verb, s->tgid, s->t_ns, feed, s);
}

/* One second: what was decided is done, levels and a tick are fed. */
static void step(struct sim *s, uint64_t leak)
{
	s->t_ns += S;
	act(s);
	if (s->tgid) {
		s->level += leak;
		s->limit_met |= s->level >= 64 << 20;
		stream_task(s->tgid, s->start_ns, s->t_ns, feed, s);
		stream_level(s->level, s->t_ns, feed, s);
	}
	stream_tick(s->t_ns, feed, s);
}

static void run_leak(struct sim *s)
{
	sim_begin(s);
	for (int i = 0; i < 60; i++)
		step(s, (3 << 19) + (i * 7919) % 4096);
}

static void run_crash(struct sim *s)
{
	sim_begin(s);
	for (int i = 0; i < 40; i++) {
		step(s, 0);
		if (s->tgid) {
			stream_exit(s->tgid, s->start_ns, 3 << 8, s->t_ns + S / 2, feed, s);
			s->tgid = 0;
		}
	}
}

static void a_leak_is_restarted_before_its_limit_and_verified(void **state)
{
	km_autofree(sim_end) struct sim s;

	(void)state;
	run_leak(&s);
	assert_false(s.limit_met);
	assert_int_equal(s.starts, 1);
	assert_true(s.restarts >= 1);
	assert_true(s.helped >= 2); /* of the first start, and of the restart */
	assert_non_null(strstr(km_buf_text(s.lines), "\"output\":\"forecast\""));
}

static void a_service_that_ends_is_started_again_later_and_later(void **state)
{
	km_autofree(sim_end) struct sim s;

	(void)state;
	run_crash(&s);
	assert_true(s.ended >= 3);
	assert_true(s.later >= 2);
	/* 40 s with gaps of 0, 1, 2, 4, 8, 16 s: never a storm of starts. */
	assert_in_range(s.starts, 3, 8);
}

static void the_same_records_give_the_same_words(void **state)
{
	km_autofree(sim_end) struct sim a, b;

	(void)state;
	run_leak(&a);
	run_leak(&b);
	assert_int_equal(a.lines->len, b.lines->len);
	assert_memory_equal(a.lines->data, b.lines->data, a.lines->len);
}

static int restore_cb(void *userdata, const void *raw, size_t len)
{
	return km_pipeline_feed(userdata, raw, len);
}

/* What P says from AT on in S's records. */
static struct km_buf *rest_of(struct km_pipeline *p, const struct sim *s, size_t at)
{
	struct km_buf *lines = NULL;
	const struct km_output *o;

	assert_int_equal(km_buf_new(64 << 20, &lines), 0);
	while (at < s->raw->len) {
		const struct kmend_hdr *hdr = (const void *)(s->raw->data + at);

		assert_true(km_pipeline_feed(p, hdr, hdr->size) >= 0);
		while ((o = km_pipeline_next(p)))
			write_line(o, lines);
		at += hdr->size;
	}
	return lines;
}

/* Saved after each 17th record, restored into another pipeline: both say the same from there on. */
static void check_checkpoints(const struct sim *s)
{
	km_autofree(km_pipeline_freep) struct km_pipeline *live = NULL;
	size_t at = 0, n = 0;

	assert_int_equal(km_pipeline_new(&live), 0);
	while (at < s->raw->len) {
		const struct kmend_hdr *hdr = (const void *)(s->raw->data + at);

		assert_true(km_pipeline_feed(live, hdr, hdr->size) >= 0);
		while (km_pipeline_next(live))
			;
		at += hdr->size;
		if (++n % 17 == 0 && n > 6) {
			km_autofree(km_pipeline_freep) struct km_pipeline *other = NULL;
			km_autofree(km_pipeline_freep) struct km_pipeline *same = NULL;
			km_autofree(km_buf_freep) struct km_buf *x = NULL, *y = NULL;

			assert_int_equal(km_pipeline_new(&other), 0);
			assert_true(km_pipeline_save(live, restore_cb, other) >= 0);
			assert_int_equal(km_pipeline_new(&same), 0);
			for (size_t k = 0; k < at;) {
				hdr = (const void *)(s->raw->data + k);
				km_pipeline_feed(same, hdr, hdr->size);
				k += hdr->size;
			}
			x = rest_of(other, s, at);
			y = rest_of(same, s, at);
			assert_int_equal(x->len, y->len);
			if (x->len)
				assert_memory_equal(x->data, y->data, x->len);
		}
	}
}

static void a_restored_checkpoint_goes_on_with_the_same_words(void **state)
{
	km_autofree(sim_end) struct sim leak, crash;

	(void)state;
	run_leak(&leak);
	check_checkpoints(&leak);
	run_crash(&crash);
	check_checkpoints(&crash);
}

static void a_set_with_one_bad_rule_leaves_the_old_one_in_force(void **state)
{
	km_autofree(sim_end) struct sim s;
	struct km_text_source commit = { KM_TEXT_COMMIT, "commit", "", 0 };

	(void)state;
	sim_begin(&s);
	assert_null(km_pipeline_refused(s.pipeline));
	assert_int_equal(km_pipeline_rules(s.pipeline)->count, 2);
	stream_text(KM_TEXT_RULE, "memory/leak.json", stream_rule, s.t_ns, feed, &s);
	stream_text(KM_TEXT_RULE, "bad/bad.json", "{\"version\":1}\n", s.t_ns, feed, &s);
	assert_true(km_text_send(&commit, s.t_ns, feed, &s) < 0);
	assert_int_equal(km_pipeline_rules(s.pipeline)->count, 2);
	assert_string_equal(km_pipeline_refused(s.pipeline)->file, "bad/bad.json");
	stream_set(s.t_ns, feed, &s);
	assert_null(km_pipeline_refused(s.pipeline));
}

static void rows_after_the_start_are_refused(void **state)
{
	km_autofree(sim_end) struct sim s;
	struct {
		struct km_raw_state head;
		uint8_t row[64];
	} raw = { .head = { .hdr = { .type = KM_RAW_STATE, .size = sizeof(raw) },
		            .row_size = 64,
		            .layout = 1 } };

	(void)state;
	sim_begin(&s);
	stream_tick(s.t_ns, feed, &s);
	assert_true(km_pipeline_feed(s.pipeline, &raw, sizeof(raw)) < 0);
}

/* Started, 1 ms later dead, and 2 ms later the actor's word that it was started. */
static void start_and_die(struct sim *s)
{
	uint64_t intent = s->intent, start_ns = s->t_ns += KM_NS_PER_MS;
	struct kmend_exec e = {
		.hdr = stream_hdr(KMEND_EXEC, sizeof(e), start_ns),
		.tgid = (uint32_t)(1000 + intent),
		.start_ns = start_ns,
		.comm = "leaky",
		.path = "/bin/leaky",
	};

	struct km_raw_outcome o = {
		.intent_id = intent,
		.state = KM_OUT_DONE,
		.verb = s->verb,
		.tgid = e.tgid,
		.start_ns = start_ns,
		.service = "leaky",
	};

	assert_int_not_equal(intent, 0);
	s->intent = 0;
	assert_int_equal(feed(s, &e, sizeof(e)), 0);
	stream_exit(e.tgid, start_ns, 9, s->t_ns + KM_NS_PER_MS, feed, s);
	s->t_ns += 3 * KM_NS_PER_MS;
	o.hdr = stream_hdr(KM_RAW_OUTCOME, sizeof(o), s->t_ns);
	assert_int_equal(feed(s, &o, sizeof(o)), 0);
}

static void dies_while_its_start_is_open(const char *rule)
{
	km_autofree(sim_end) struct sim s;

	sim_begin(&s);
	stream_text(KM_TEXT_CONFIG, "kmend.json", stream_config, s.t_ns, feed, &s);
	stream_text(KM_TEXT_POLICY, "policy/guardrails.json", stream_policy, s.t_ns, feed, &s);
	stream_text(KM_TEXT_RULE, "crash/plain.json", rule, s.t_ns, feed, &s);
	stream_text(KM_TEXT_COMMIT, "commit", "", s.t_ns, feed, &s);
	step(&s, 0);
	step(&s, 0);
	stream_exit(s.tgid, s.start_ns, 9, s.t_ns += S, feed, &s);
	s.tgid = 0;
	start_and_die(&s);
	assert_int_equal(s.unhelped, 1);
	assert_int_equal(s.later, 1);
	assert_int_equal(s.escalated, 0);
	/* 10 s later, and not before, it is done once more; this time it stays. */
	for (int i = 0; i < 10; i++) {
		assert_int_equal(s.intent, 0);
		stream_tick(s.t_ns += S, feed, &s);
	}
	assert_int_not_equal(s.intent, 0);
	for (int i = 0; i < 10; i++)
		step(&s, 0);
	assert_int_equal(s.starts + s.restarts, 3);
	assert_int_equal(s.helped, 2);
	assert_int_equal(s.escalated, 0);
}

static void a_death_within_milliseconds_of_a_start_is_started_again(void **state)
{
	(void)state;
	dies_while_its_start_is_open(STREAM_PLAIN_RULE("start"));
}

static void a_death_within_milliseconds_of_a_restart_is_restarted_again(void **state)
{
	(void)state;
	dies_while_its_start_is_open(STREAM_PLAIN_RULE("restart"));
}

/* Its definition's start is still open; the rule about its end need not wait for its deadline. */
static void a_death_within_milliseconds_of_the_first_start_is_started_again(void **state)
{
	km_autofree(sim_end) struct sim s;

	(void)state;
	sim_begin(&s);
	start_and_die(&s);
	assert_int_equal(s.unhelped, 1);
	for (int i = 0; i < 5; i++)
		step(&s, 0);
	assert_int_equal(s.starts, 2);
	assert_int_equal(s.helped, 1);
}

/* After a restart the actor says its last outcomes again: who had them is not told twice. */
static void an_outcome_said_once_more_counts_once(void **state)
{
	km_autofree(sim_end) struct sim s;
	struct km_raw_outcome o = {
		.intent_id = 1,
		.state = KM_OUT_DONE,
		.verb = KM_START,
		.tgid = 4711,
		.start_ns = 90 * S,
		.recovered = 1,
		.service = "leaky",
	};
	const struct km_service *service;

	(void)state;
	sim_begin(&s);
	for (int i = 0; i < 5; i++)
		step(&s, 0);
	o.hdr = stream_hdr(KM_RAW_OUTCOME, sizeof(o), s.t_ns);
	assert_true(feed(&s, &o, sizeof(o)) >= 0);
	service = km_attribute_service_by_name(km_pipeline_attribute(s.pipeline), "leaky");
	assert_int_equal(service->main_tgid, s.tgid);
	assert_int_equal(service->starts, 1);
}

static void an_outcome_that_was_missed_is_taken_when_it_is_said_again(void **state)
{
	km_autofree(sim_end) struct sim s;
	struct km_raw_outcome o = {
		.intent_id = 1,
		.state = KM_OUT_DONE,
		.verb = KM_START,
		.tgid = 4711,
		.start_ns = 90 * S,
		.recovered = 1,
		.service = "leaky",
	};
	const struct km_service *service;

	(void)state;
	sim_begin(&s);
	o.hdr = stream_hdr(KM_RAW_OUTCOME, sizeof(o), s.t_ns);
	assert_true(feed(&s, &o, sizeof(o)) >= 0);
	service = km_attribute_service_by_name(km_pipeline_attribute(s.pipeline), "leaky");
	assert_int_equal(service->main_tgid, 4711);
	assert_int_equal(service->state, KM_SERVICE_UP);
}

static void garbage_is_counted_and_changes_nothing(void **state)
{
	km_autofree(sim_end) struct sim s;
	uint64_t junk[8] = { 0xffffffffffffffffULL };

	(void)state;
	sim_begin(&s);
	for (size_t len = 0; len <= sizeof(junk); len++)
		assert_true(km_pipeline_feed(s.pipeline, junk, len) < 0);
	assert_null(km_pipeline_next(s.pipeline));
	assert_int_equal(km_pipeline_now_ns(s.pipeline), 100 * S);
}

static void a_loss_stops_destructive_acts_until_two_passes(void **state)
{
	km_autofree(sim_end) struct sim s;
	struct km_raw_loss loss = { .type = KMEND_EXIT, .lost = 3, .seen = 10 };

	(void)state;
	sim_begin(&s);
	for (int i = 0; i < 60 && !s.restarts; i++) {
		loss.hdr = stream_hdr(KM_RAW_LOSS, sizeof(loss), s.t_ns + S / 2);
		loss.hdr.cgroup_id = 0;
		step(&s, 3 << 19);
		assert_true(feed(&s, &loss, sizeof(loss)) >= 0);
	}
	assert_int_equal(s.restarts, 0);
	assert_non_null(strstr(km_buf_text(s.lines), "loss"));
}

static void a_clock_that_was_set_stops_destructive_acts_like_a_loss(void **state)
{
	km_autofree(sim_end) struct sim s;
	struct value_record r;
	struct km_raw_value *set = value_make(&r, KM_SIG_CLOCK_STEPS, KM_ENTITY_HOST, "", 1);

	(void)state;
	sim_begin(&s);
	for (int i = 0; i < 60 && !s.restarts; i++) {
		set->hdr.ktime_ns = s.t_ns + S / 2;
		set->period_ns = S;
		step(&s, 3 << 19);
		assert_true(feed(&s, set, set->hdr.size) >= 0);
	}
	assert_int_equal(s.restarts, 0);
	assert_non_null(strstr(km_buf_text(s.lines), "loss"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_leak_is_restarted_before_its_limit_and_verified),
		cmocka_unit_test(a_service_that_ends_is_started_again_later_and_later),
		cmocka_unit_test(the_same_records_give_the_same_words),
		cmocka_unit_test(a_restored_checkpoint_goes_on_with_the_same_words),
		cmocka_unit_test(a_set_with_one_bad_rule_leaves_the_old_one_in_force),
		cmocka_unit_test(rows_after_the_start_are_refused),
		cmocka_unit_test(a_death_within_milliseconds_of_a_start_is_started_again),
		cmocka_unit_test(a_death_within_milliseconds_of_a_restart_is_restarted_again),
		cmocka_unit_test(a_death_within_milliseconds_of_the_first_start_is_started_again),
		cmocka_unit_test(an_outcome_said_once_more_counts_once),
		cmocka_unit_test(an_outcome_that_was_missed_is_taken_when_it_is_said_again),
		cmocka_unit_test(garbage_is_counted_and_changes_nothing),
		cmocka_unit_test(a_loss_stops_destructive_acts_until_two_passes),
		cmocka_unit_test(a_clock_that_was_set_stops_destructive_acts_like_a_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
