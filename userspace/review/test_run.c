// SPDX-License-Identifier: Apache-2.0
/* One test: its host, moment by moment, through the pipeline. */
#include <signal.h>
#include <stdio.h>

#include "base/text.h"
#include "review/test_watch.h"

/* From a decision to the actor's answer: a restart takes about so long. */
#define ANSWER_NS (100 * KM_NS_PER_MS)
/* Acts under way at once: more services than a test has. */
#define ANSWERS_MAX 64
/* Where in a course nothing more happens. */
#define NEVER UINT64_MAX

struct answer {
	uint64_t due_ns;
	struct km_decision decision;
};

struct run {
	const struct km_test_rule *rule;
	const struct km_test *test;
	struct km_pipeline *pipeline;
	struct km_world world;
	struct km_test_watch watch;
	struct answer answer[ANSWERS_MAX];
	size_t answers;
	uint64_t fired[KM_TEST_EVENTS_MAX];      /* how often each event was there */
	uint64_t back_ns[KM_WORLD_SERVICES_MAX]; /* when it comes back by itself, NEVER */
	uint64_t next_tick_ns;
	uint64_t asked_id; /* the newest decision that waits for an operator */
};

static void km_run_freep(struct run **run)
{
	if (!*run)
		return;
	km_pipeline_free((*run)->pipeline);
	free(*run);
}

static int take(struct run *run, const struct km_output *o)
{
	const struct km_decision *d;

	km_test_watch_output(&run->watch, o);
	if (o->kind != KM_OUT_DECISION)
		return 0;
	d = o->decision;
	if (d->answer == KM_ANSWER_ASK || d->answer == KM_ANSWER_QUARANTINE)
		run->asked_id = d->id;
	if (d->answer != KM_ANSWER_ACT || run->test->acts < 0)
		return 0;
	if (run->answers == ANSWERS_MAX)
		return -ENOSPC;
	run->answer[run->answers++] = (struct answer){ run->world.t_ns + ANSWER_NS, *d };
	return 0;
}

static int feed(void *userdata, const void *raw, size_t len)
{
	struct run *run = userdata;
	const struct km_output *o;
	int r = km_pipeline_feed(run->pipeline, raw, len);

	while (r >= 0 && (o = km_pipeline_next(run->pipeline)))
		r = take(run, o);
	return r;
}

/* The rule's mode in this test, told as a promotion is. */
static int tell_mode(struct run *run)
{
	const struct km_rule *rule = run->rule->rule;
	struct km_mode_entry entry = { .mode = (enum km_mode)run->test->mode, .by = "test" };
	const struct km_modes modes = { .entry = &entry, .count = 1 };
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	struct km_json_writer w;
	int r = km_buf_new(KM_CONFIG_BYTES_MAX, &text);

	if (r < 0)
		return r;
	km_copy(entry.id, sizeof(entry.id), rule->id);
	km_copy(entry.why, sizeof(entry.why), "test");
	memcpy(entry.digest, rule->digest, sizeof(entry.digest));
	km_jw_init(&w, text, false);
	km_modes_write(&modes, &w);
	if (km_buf_error(text) < 0)
		return km_buf_error(text);
	return km_world_text(&run->world, KM_TEXT_MODES, KM_MODES_FILE, km_buf_text(text));
}

static int tell_texts(struct run *run)
{
	const struct km_test *t = run->test;
	struct km_world *w = &run->world;
	int r = km_world_text(w, KM_TEXT_CONFIG, "kmend.json", t->config_text);

	if (r >= 0)
		r = km_world_text(w, KM_TEXT_POLICY, "policy/guardrails.json", t->policy_text);
	if (r >= 0 && t->mode >= 0)
		r = tell_mode(run);
	if (r >= 0)
		r = km_world_text(w, KM_TEXT_RULE, run->rule->rule->file, run->rule->text);
	return r < 0 ? r : km_world_text(w, KM_TEXT_COMMIT, "commit", "");
}

static int begin(struct run *run)
{
	struct km_world *w = &run->world;
	int r;

	km_world_init(w, feed, run);
	r = km_world_clock(w, run->test->clock_ns);
	if (r >= 0)
		r = tell_texts(run);
	for (size_t i = 0; i < run->test->service_count && r >= 0; i++) {
		run->back_ns[i] = NEVER;
		r = km_world_add(w, run->test->service[i]);
		if (r >= 0 && !run->test->down[i])
			r = km_world_start(w, &w->service[i]);
	}
	return r;
}

static int end_service(struct run *run, const struct km_test_event *e, struct km_world_service *s)
{
	uint32_t status = (uint32_t)e->code << 8;
	uint32_t signal = e->signal ? e->signal : SIGTERM;
	int r = 0;

	switch ((enum km_end_how)e->how) {
	case KM_END_CLEAN:
		status = 0;
		break;
	case KM_END_SIGNALED:
		status = e->signal ? e->signal : SIGSEGV;
		break;
	case KM_END_OUTSIDER:
		status = signal;
		r = km_world_signal(&run->world, s, signal, e->by[0] ? e->by : "bash");
		break;
	case KM_END_OOM:
		status = SIGKILL;
		r = km_world_oom(&run->world, s);
		break;
	default:
		break;
	}
	if (r >= 0)
		r = km_world_end(&run->world, s, status);
	if (e->back_ns)
		run->back_ns[e->service] = run->world.t_ns + e->back_ns;
	return r;
}

static int fire(struct run *run, const struct km_test_event *e)
{
	struct km_world *w = &run->world;
	struct km_world_service *s = &w->service[e->service];

	switch (e->kind) {
	case KM_TE_STARTED:
		return km_world_start(w, s);
	case KM_TE_ENDED:
		return end_service(run, e, s);
	case KM_TE_OOM:
		return km_world_oom(w, s);
	case KM_TE_SIGNALED:
		return km_world_signal(w, s, e->signal ? e->signal : SIGTERM,
		                       e->by[0] ? e->by : NULL);
	case KM_TE_CONNECT_FAILED:
		return km_world_connect_failed(w, s, e->error);
	case KM_TE_LOSS:
		return km_world_loss(w);
	case KM_TE_APPROVE:
		return km_world_command(w, KM_CMD_APPROVE, run->asked_id);
	case KM_TE_DENY:
		return km_world_command(w, KM_CMD_DENY, run->asked_id);
	case KM_TE_HEALTHY:
		return km_world_health(w, s, run->test->service[e->service],
		                       &(struct km_world_health){ KM_HEALTHY, e->says });
	case KM_TE_UNHEALTHY:
		return km_world_health(w, s, run->test->service[e->service],
		                       &(struct km_world_health){ KM_UNHEALTHY, e->says });
	case KM_TE_DEPLOYED:
		return km_world_deploy(w, s);
	case KM_TE_ENDPOINT_FAILS:
		return km_world_connects(w, s, e->endpoint, e->standby, false);
	case KM_TE_ENDPOINT_ANSWERS:
		return km_world_connects(w, s, e->endpoint, e->standby, true);
	case KM_TE_ENDPOINT_TRAFFIC:
		return km_world_traffic(w, s, e->endpoint, (enum km_traffic)e->traffic);
	case KM_TE_ENDPOINT_CHECKED:
		return km_world_checked(w, s, e->endpoint, e->standby, e->took_ns);
	case KM_TE_MAX:
		break;
	}
	return 0;
}

static int fire_events(struct run *run)
{
	int r = 0;

	for (size_t i = 0; i < run->test->event_count && r >= 0; i++) {
		const struct km_test_event *e = &run->test->event[i];

		while (r >= 0 && run->fired[i] < e->count &&
		       e->at_ns + run->fired[i] * e->every_ns <= run->world.t_ns) {
			run->fired[i]++;
			r = fire(run, e);
		}
	}
	/* What an operator says may come too late: no fault of the test's. */
	return r == -EBADMSG ? 0 : r;
}

static int come_back(struct run *run)
{
	int r = 0;

	for (size_t i = 0; i < run->test->service_count && r >= 0; i++) {
		if (run->back_ns[i] > run->world.t_ns)
			continue;
		run->back_ns[i] = NEVER;
		r = km_world_start(&run->world, &run->world.service[i]);
	}
	return r;
}

static int answer(struct run *run)
{
	int r = 0;

	while (r >= 0 && run->answers && run->answer[0].due_ns <= run->world.t_ns) {
		struct km_decision d = run->answer[0].decision;

		memmove(&run->answer[0], &run->answer[1], --run->answers * sizeof(run->answer[0]));
		r = km_world_outcome(&run->world, &d, (enum km_outcome_state)run->test->acts);
	}
	return r;
}

/* Of a service that is down nothing is measured. */
static int tell_level(struct run *run, const struct km_test_series *s, double level)
{
	struct km_world_service *service = &run->world.service[s->subject];
	struct km_world_value v = { .signal = (enum km_sig)s->signal,
		                    .name = "",
		                    .value = level,
		                    .limit = -1,
		                    .period_ns = run->test->every_ns };

	if (!service->tgid)
		return 0;
	if (s->resource < KM_RESOURCE_MAX)
		return km_world_level(&run->world, service, (enum km_resource)s->resource,
		                      (uint64_t)(level + 0.5), s->course.limit);
	if (s->course.limit != KM_UNKNOWN)
		v.limit = (double)s->course.limit;
	return km_world_value(&run->world, service, &v);
}

static int tell_entity(struct run *run, const struct km_test_series *s, double level)
{
	const struct km_test_entity *e = &run->test->entity[s->subject - run->test->service_count];
	struct km_world_value v = {
		.signal = (enum km_sig)s->signal,
		.entity = e->kind,
		.name = e->kind == KM_ENTITY_HOST ? "" : e->name + e->skip,
		.value = level,
		.limit = s->course.limit == KM_UNKNOWN ? -1 : (double)s->course.limit,
		.period_ns = run->test->every_ns,
	};
	bool endpoint = e->kind == KM_ENTITY_ENDPOINT;

	return km_world_value(&run->world, endpoint ? &run->world.service[e->service] : NULL, &v);
}

static int tell_levels(struct run *run)
{
	const struct km_test *t = run->test;
	int r = 0;

	for (size_t i = 0; i < t->series_count && r >= 0; i++) {
		const struct km_test_series *s = &t->series[i];
		bool service = s->subject < t->service_count;
		uint64_t born_ns = service && s->again ? run->world.service[s->subject].born_ns : 0;
		double level;

		if (!km_course_at(&s->course, run->world.t_ns - born_ns, &level))
			continue;
		r = service ? tell_level(run, s, level) : tell_entity(run, s, level);
	}
	return r;
}

static int tick(struct run *run)
{
	int r;

	if (run->next_tick_ns > run->world.t_ns)
		return 0;
	run->next_tick_ns += run->test->every_ns;
	r = tell_levels(run);
	if (r >= 0)
		r = km_world_tick(&run->world);
	km_test_watch_tick(&run->watch, run->pipeline);
	return r;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t next_moment_ns(const struct run *run)
{
	uint64_t t = run->next_tick_ns;

	for (size_t i = 0; i < run->test->event_count; i++) {
		const struct km_test_event *e = &run->test->event[i];

		if (run->fired[i] < e->count)
			t = earlier(t, e->at_ns + run->fired[i] * e->every_ns);
	}
	for (size_t i = 0; i < run->test->service_count; i++)
		t = earlier(t, run->back_ns[i]);
	return run->answers ? earlier(t, run->answer[0].due_ns) : t;
}

static int moment(struct run *run)
{
	int r = fire_events(run);

	if (r >= 0)
		r = come_back(run);
	if (r >= 0)
		r = answer(run);
	return r < 0 ? r : tick(run);
}

static int play(struct run *run)
{
	int r = begin(run);

	run->next_tick_ns = run->test->every_ns;
	while (r >= 0) {
		uint64_t t = next_moment_ns(run);

		if (t > run->test->until_ns)
			return 0;
		run->world.t_ns = t;
		r = moment(run);
	}
	return r;
}

int km_test_run(const struct km_test_rule *rule, const struct km_test *t, struct km_coverage *cover,
                struct km_test_result *ret)
{
	km_autofree(km_run_freep) struct run *run = calloc(1, sizeof(*run));
	int r = run ? km_pipeline_new(&run->pipeline) : -ENOMEM;

	*ret = (struct km_test_result){ .line = t->line };
	if (r < 0)
		return r;
	run->rule = rule;
	run->test = t;
	km_test_watch_begin(&run->watch, rule->rule, t, cover, run->pipeline);
	r = t->trace[0] ? km_test_play_trace(rule, t, cover, &run->watch) : play(run);
	if (r < 0) {
		const struct km_error *e = km_pipeline_refused(run->pipeline);

		snprintf(ret->what, sizeof(ret->what), "cannot be run: %s",
		         e ? e->what : strerror(-r));
		return r == -ENOMEM ? r : -EBADMSG;
	}
	km_test_watch_end(&run->watch, ret);
	return 0;
}
