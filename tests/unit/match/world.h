/* SPDX-License-Identifier: Apache-2.0 */
/* One service and what is known of it, for tests of the matcher. */
#ifndef KM_TEST_MATCH_WORLD_H
#define KM_TEST_MATCH_WORLD_H

#include "match/match.h"
#include "support.h"

#define S KM_NS_PER_S
/* Long after the start, so that times may lie before it. */
#define T0 (10000 * S)

struct world {
	struct km_matcher *matcher;
	struct km_predict *predict;
	struct km_service service;
	struct km_features features[KM_RESOURCE_MAX];
	struct km_match_input in;
	struct km_match last;
};

static inline void world_new(struct world *w)
{
	memset(w, 0, sizeof(*w));
	assert_int_equal(km_matcher_new(&w->matcher), 0);
	assert_int_equal(km_predict_new(&w->predict), 0);
	w->service.id = 7;
	km_copy(w->service.name, sizeof(w->service.name), "web");
	w->in.service = &w->service;
	w->in.predict = w->predict;
	for (int i = 0; i < KM_RESOURCE_MAX; i++)
		w->in.features[i] = &w->features[i];
}

static inline void world_free(struct world *w)
{
	km_matcher_free(w->matcher);
	km_predict_free(w->predict);
}

/* What R says at T after EVENT. */
static inline enum km_truth ask_event(struct world *w, const struct km_rule *r, uint64_t t_ns,
                                      enum km_event event)
{
	w->in.now_ns = t_ns;
	w->in.event = event;
	assert_int_equal(km_matcher_rule(w->matcher, r, &w->in, &w->last), 0);
	assert_ptr_equal(w->last.rule, r);
	assert_int_equal(w->last.t_ns, t_ns);
	return w->last.spoke;
}

static inline enum km_truth ask(struct world *w, const struct km_rule *r, uint64_t t_ns)
{
	return ask_event(w, r, t_ns, KM_EV_NONE);
}

static inline void level(struct world *w, enum km_resource r, double share)
{
	w->features[r].measured = 1;
	w->features[r].limit = 1000;
	w->features[r].level = share * 1000;
}

/* The predictor keeps one row by service, kind and resource: put one there and hand out what it
 * says, to be changed. */
static inline struct km_forecast *forecast(struct world *w, enum km_forecast_kind kind,
                                           uint32_t resource)
{
	const struct {
		uint64_t service_id;
		uint32_t kind, resource;
	} key = { w->service.id, (uint32_t)kind, resource };
	const struct km_forecast *f;
	struct km_table *t = NULL;
	void *row;

	assert_int_equal(km_predict_tables(w->predict, &t, 1), 1);
	assert_int_equal(km_table_opts(t)->key_size, sizeof(key));
	assert_true(km_table_put(t, &key, &row) >= 0);
	f = km_predict_get(w->predict, w->service.id, kind, (enum km_resource)resource);
	assert_true((const char *)f >= (char *)row &&
	            (const char *)(f + 1) <= (char *)row + km_table_opts(t)->row_size);
	return (struct km_forecast *)f;
}

/* One that is in force at T: P and ETA_S from then. */
static inline struct km_forecast *in_force(struct world *w, uint64_t t_ns, double p, double eta_s)
{
	struct km_forecast *f = forecast(w, KM_EXHAUSTION, KM_MEMORY);

	f->t_ns = t_ns;
	f->since_ns = t_ns;
	f->p = p;
	f->eta_s = eta_s;
	f->why = KM_WHY_NONE;
	return f;
}

/* Ended at T with WAIT_STATUS, seen by the kernel's exit record. */
static inline void ending(struct world *w, uint64_t t_ns, uint32_t wait_status)
{
	w->service.state = KM_SERVICE_DOWN;
	w->service.since_ns = t_ns;
	w->service.last = (struct km_ending){ .t_ns = t_ns,
		                              .tgid = 100,
		                              .start_ns = t_ns - 5 * S,
		                              .exit_code = wait_status,
		                              .known = 1 };
}

#define MEMORY_WITHIN_10S                                                                       \
	"{\"forecast\": {\"kind\": \"exhaustion\", \"resource\": \"memory\", \"probability\": " \
	"\"50%\", \"within\": \"10s\"}}"
#define UP        "{\"state\": {\"is\": \"up\"}}"
#define DOWN      "{\"state\": {\"is\": \"down\"}}"
#define FILES_90  "{\"level\": {\"resource\": \"descriptors\", \"above\": \"90%\"}}"
#define ENDED     "{\"event\": {\"is\": \"ended\"}}"
#define HOW(how)  "{\"event\": {\"is\": \"ended\", \"how\": \"" how "\"}}"
#define ALL(a, b) "{\"all\": [" a ",\n" b "]}"
#define ANY(a, b) "{\"any\": [" a ",\n" b "]}"
#define NOT(a)    "{\"not\": " a "}"

#endif
