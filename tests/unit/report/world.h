/* SPDX-License-Identifier: Apache-2.0 */
/* A host of one leaking service, one restart that waits for an operator, and its history: what the
 * report phase looks at, made by the real phases. */
#ifndef KM_TEST_REPORT_WORLD_H
#define KM_TEST_REPORT_WORLD_H

#include "record/history.h"
#include "report/control.h"
#include "unit/pipeline/stream.h"

#define WALL_NS (1700000000 * S)

static const char world_rule[] =
	"{\"version\":1,\"id\":\"leak\",\"summary\":\"s\",\"why\":\"w\",\"owner\":\"o\","
	"\"maturity\":\"experimental\",\"scope\":{\"services\":[\"leaky\"]},"
	"\"when\":{\"any\":[{\"forecast\":{\"kind\":\"exhaustion\",\"resource\":\"memory\","
	"\"probability\":\"50%\",\"within\":\"60s\"}},{\"all\":[{\"state\":{\"is\":\"down\"}},"
	"{\"level\":{\"resource\":\"memory\",\"above\":\"90%\"}}]}]},"
	"\"plan\":[{\"do\":\"restart\",\"timeout\":\"5s\"}],"
	"\"verify\":{\"within\":\"10s\",\"that\":{\"up\":true,\"forecast_gone\":true}},"
	"\"otherwise\":\"escalate\",\"guard\":{\"mode\":\"approve\",\"cooldown\":\"5s\"}}";

struct world {
	char dir[64];
	struct km_pipeline *pipeline;
	struct km_history *history;
	struct km_buf *out;
	struct km_view view;
	uint64_t asked; /* the decision that waits */
};

static inline void world_note(struct world *w, const struct km_output *o)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	struct km_json_writer jw;

	assert_int_equal(km_buf_new(1 << 20, &text), 0);
	km_jw_init(&jw, text, false);
	km_output_write(o, &jw);
	if (o->kind == KM_OUT_DECISION)
		km_history_decision(w->history, o->decision, km_buf_text(text), WALL_NS + o->t_ns);
	if (o->kind == KM_OUT_DECISION && o->decision->answer == KM_ANSWER_ASK)
		w->asked = o->decision->id;
	if (o->kind == KM_OUT_FORECAST)
		km_history_forecast(w->history, o->forecast, o->service->name, WALL_NS + o->t_ns);
}

static inline int world_feed(void *userdata, const void *raw, size_t len)
{
	struct world *w = userdata;
	const struct km_output *o;
	int r = km_pipeline_feed(w->pipeline, raw, len);

	while ((o = km_pipeline_next(w->pipeline)))
		world_note(w, o);
	return r;
}

static inline void world_look(struct world *w)
{
	const struct km_pipeline *p = w->pipeline;

	w->view = (struct km_view){
		.attribute = km_pipeline_attribute(p),
		.measure = km_pipeline_measure(w->pipeline),
		.predict = km_pipeline_predict(p),
		.rules = km_pipeline_rules(p),
		.policy = km_pipeline_policy(p),
		.config = km_pipeline_config(p),
		.decide = km_pipeline_decide(w->pipeline),
		.history = w->history,
		.now_ns = km_pipeline_now_ns(p),
		.realtime_ns = WALL_NS + km_pipeline_now_ns(p),
		.started_ns = 100 * S,
		.mode = "full",
		.state_dir = "/var/lib/kmend",
		.records_fed = 123,
	};
}

static inline void world_run(struct world *w)
{
	stream_text(KM_TEXT_CONFIG, "kmend.json", stream_config, 100 * S, world_feed, w);
	stream_text(KM_TEXT_POLICY, "policy/guardrails.json", stream_policy, 100 * S, world_feed,
	            w);
	stream_text(KM_TEXT_RULE, "memory/leak.json", world_rule, 100 * S, world_feed, w);
	stream_text(KM_TEXT_COMMIT, "commit", "", 100 * S, world_feed, w);
	assert_null(km_pipeline_refused(w->pipeline));
	stream_outcome(KM_OUT_ADOPTED, 0, KM_VERB_NONE, 1001, 100 * S, world_feed, w);
	for (uint64_t i = 1; i < 40; i++) {
		stream_task(1001, 100 * S, (100 + i) * S, world_feed, w);
		stream_level((4 << 20) + i * (3 << 19) + i * 7919 % 4096, (100 + i) * S, world_feed,
		             w);
		stream_tick((100 + i) * S, world_feed, w);
	}
}

static inline int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	km_copy(w->dir, sizeof(w->dir), "/tmp/kmend-report-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(km_history_open(w->dir, &w->history), 0);
	assert_int_equal(km_pipeline_new(&w->pipeline), 0);
	assert_int_equal(km_buf_new(KM_CONTROL_BODY_MAX, &w->out), 0);
	world_run(w);
	world_look(w);
	*state = w;
	return 0;
}

static inline int world_teardown(void **state)
{
	struct world *w = *state;
	char path[128];

	km_pipeline_free(w->pipeline);
	km_history_close(w->history);
	km_buf_free(w->out);
	for (size_t i = 0; i < 3; i++) {
		static const char *const names[] = { "", "-wal", "-shm" };

		snprintf(path, sizeof(path), "%s/history.db%s", w->dir, names[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(w->dir), 0);
	free(w);
	return 0;
}

#endif
