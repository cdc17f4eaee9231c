// SPDX-License-Identifier: Apache-2.0
#include "review/test_watch.h"

#include <stdio.h>

#include "base/text.h"

static uint64_t world_ns(const struct km_test_watch *w, uint64_t t_ns)
{
	return t_ns - w->begin_ns;
}

static bool within(const struct km_test_expect *x, uint64_t t_ns)
{
	return t_ns >= x->from_ns && t_ns <= x->to_ns;
}

static bool is_subject(const struct km_test_watch *w, const struct km_test_expect *x,
                       const char *name)
{
	return strcmp(km_test_subject(w->test, x->subject), name) == 0;
}

static void hit(struct km_test_seen *seen, uint64_t t_ns)
{
	seen->hits++;
	seen->hit_ns = t_ns;
}

static void see_match(struct km_test_watch *w, size_t i, const struct km_match *m)
{
	const struct km_test_expect *x = &w->test->expect[i];
	uint64_t t_ns = world_ns(w, m->t_ns);
	struct km_test_seen *seen = &w->seen[i];
	const struct km_service *s;

	if ((x->what != KM_TX_SPEAKS && x->what != KM_TX_SILENT) || !within(x, t_ns))
		return;
	s = km_attribute_service(km_pipeline_attribute(w->pipeline), m->service_id);
	if (!s || !is_subject(w, x, s->name))
		return;
	seen->looks++;
	seen->line = m->line;
	if (m->spoke == KM_TRUE && (!x->line || x->line == m->line))
		hit(seen, t_ns);
}

static void cover(const struct km_cond *tree, const enum km_truth *truth, uint8_t *ret)
{
	for (unsigned int i = 0; truth && i < tree->span; i++)
		ret[i] |= (uint8_t)(1U << truth[i]);
}

static void listen(void *userdata, const struct km_match *m, const enum km_truth *when,
                   const enum km_truth *unless)
{
	struct km_test_watch *w = userdata;

	if (m->rule->key != w->rule->key)
		return;
	cover(m->rule->when, when, w->cover->when);
	cover(m->rule->unless, unless, w->cover->unless);
	for (size_t i = 0; i < w->test->expect_count; i++)
		see_match(w, i, m);
}

void km_test_watch_begin(struct km_test_watch *w, const struct km_rule *rule,
                         const struct km_test *t, struct km_coverage *coverage,
                         struct km_pipeline *p)
{
	*w = (struct km_test_watch){ .rule = rule,
		                     .test = t,
		                     .cover = coverage,
		                     .pipeline = p,
		                     .begin_ns = KM_WORLD_BEGIN_NS };
	km_pipeline_listen(p, listen, w);
}

static bool is_decision(const struct km_test_expect *x, const struct km_decision *d)
{
	return (int)d->answer == x->answer && (x->verb < 0 || (int)d->verb == x->verb) &&
	       (x->guard < 0 || (int)d->guard == x->guard) &&
	       (x->event < 0 || (int)d->event == x->event) &&
	       (!x->step || d->step + 1 == x->step) && (!x->attempt || d->attempt == x->attempt);
}

static void see_decision(struct km_test_watch *w, size_t i, const struct km_decision *d)
{
	const struct km_test_expect *x = &w->test->expect[i];
	uint64_t t_ns = world_ns(w, d->t_ns);
	char when[32];

	if (x->what != KM_TX_DECISION || d->rule_key != w->rule->key || !within(x, t_ns) ||
	    !is_subject(w, x, d->service))
		return;
	w->seen[i].looks++;
	if (is_decision(x, d))
		hit(&w->seen[i], t_ns);
	else if (!w->seen[i].instead[0])
		snprintf(w->seen[i].instead, sizeof(w->seen[i].instead),
		         "%s %s, step %u, at %s: %.128s", km_answer_names[d->answer],
		         km_verb_names[d->verb], d->step + 1,
		         km_text_duration(t_ns, when, sizeof(when)), d->reason);
}

static void see_verdict(struct km_test_watch *w, size_t i, const struct km_verdict *v)
{
	const struct km_test_expect *x = &w->test->expect[i];
	uint64_t t_ns = world_ns(w, v->t_ns);
	char when[32];

	if (x->what != KM_TX_VERDICT || v->rule_key != w->rule->key || !within(x, t_ns) ||
	    !is_subject(w, x, v->service))
		return;
	w->seen[i].looks++;
	if ((int)v->kind == x->verdict)
		hit(&w->seen[i], t_ns);
	else if (!w->seen[i].instead[0])
		snprintf(w->seen[i].instead, sizeof(w->seen[i].instead), "%s at %s: %.128s",
		         km_verdict_names[v->kind], km_text_duration(t_ns, when, sizeof(when)),
		         v->reason);
}

void km_test_watch_output(struct km_test_watch *w, const struct km_output *o)
{
	for (size_t i = 0; i < w->test->expect_count; i++) {
		if (o->kind == KM_OUT_DECISION)
			see_decision(w, i, o->decision);
		else if (o->kind == KM_OUT_VERDICT)
			see_verdict(w, i, o->verdict);
	}
}

static bool in_force(const struct km_test_watch *w, const struct km_test_expect *x)
{
	const struct km_forecast *f;
	const struct km_service *s;
	uint32_t slot = 0;

	while ((f = km_predict_next(km_pipeline_predict(w->pipeline), &slot))) {
		s = km_attribute_service(km_pipeline_attribute(w->pipeline), f->service_id);
		if (s && is_subject(w, x, s->name) && (int)f->kind == x->forecast &&
		    f->why == KM_WHY_NONE)
			return true;
	}
	return false;
}

void km_test_watch_tick(struct km_test_watch *w, const struct km_pipeline *p)
{
	uint64_t t_ns = world_ns(w, km_pipeline_now_ns(p));

	for (size_t i = 0; i < w->test->expect_count; i++) {
		const struct km_test_expect *x = &w->test->expect[i];

		if (x->what != KM_TX_FORECAST || !within(x, t_ns))
			continue;
		w->seen[i].looks++;
		if (in_force(w, x))
			hit(&w->seen[i], t_ns);
	}
}

static bool holds(const struct km_test_expect *x, const struct km_test_seen *seen)
{
	/* A rule that nobody asked is not silent. */
	if (x->what == KM_TX_SILENT)
		return seen->looks && !seen->hits;
	if (x->always)
		return seen->looks && seen->hits == seen->looks;
	return x->counted ? seen->hits == x->count : seen->hits > 0;
}

static void explain(const struct km_test_expect *x, const struct km_test_seen *seen, char *out,
                    size_t size)
{
	unsigned long long looks = seen->looks, hits = seen->hits;
	char when[32];

	km_text_duration(seen->hit_ns, when, sizeof(when));
	if (x->what == KM_TX_DECISION || x->what == KM_TX_VERDICT)
		snprintf(out, size, "came %llu times%s%s", hits,
		         seen->instead[0] ? "; instead: " : "", seen->instead);
	else if (x->what == KM_TX_FORECAST)
		snprintf(out, size, "was in force at %llu of %llu passes", hits, looks);
	else if (!seen->looks)
		snprintf(out, size, "the rule never looked at the service in this window");
	else if (x->what == KM_TX_SILENT)
		snprintf(out, size, "spoke at %llu of %llu looks, last at %s", hits, looks, when);
	else
		snprintf(out, size, "spoke at %llu of %llu looks; line %u decided last", hits,
		         looks, seen->line);
}

void km_test_watch_end(const struct km_test_watch *w, struct km_test_result *ret)
{
	for (size_t i = 0; i < w->test->expect_count; i++) {
		const struct km_test_expect *x = &w->test->expect[i];

		if (holds(x, &w->seen[i]))
			continue;
		ret->line = x->at_line;
		explain(x, &w->seen[i], ret->what, sizeof(ret->what));
		return;
	}
	ret->passed = true;
}
