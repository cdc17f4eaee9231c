/* SPDX-License-Identifier: Apache-2.0 */
#include "report/request.h"

#include "base/text.h"
#include "collect/capture.h"

static void ktime(struct km_json_writer *w, const char *key, uint64_t ns)
{
	char text[32];

	km_jw_kstring(w, key, ns ? km_text_duration(ns, text, sizeof(text)) : NULL);
}

static void kstrings(struct km_json_writer *w, const char *key, char *const *s)
{
	km_jw_key(w, key);
	km_jw_array(w);
	for (; s && *s; s++)
		km_jw_string(w, *s);
	km_jw_end_array(w);
}

static void write_row(const struct km_rule *r, struct km_json_writer *w)
{
	char digest[2 * 8 + 1];

	km_hex(r->digest, 8, digest);
	km_jw_kstring(w, "id", r->id);
	km_jw_kstring(w, "class", r->rule_class);
	km_jw_kstring(w, "mode", km_mode_names[r->guard.mode]);
	km_jw_kstring(w, "maturity", r->stable ? "stable" : "experimental");
	km_jw_kstring(w, "summary", r->summary);
	km_jw_kstring(w, "file", r->file);
	km_jw_kstring(w, "owner", r->owner);
	km_jw_kstring(w, "digest", digest);
}

/* What became of its last repairs, newest first, and what that made of its mode. */
static void write_track(struct km_request *rq, const struct km_rule *r)
{
	const struct km_track *t = rq->view->decide ? km_decide_track(rq->view->decide, r) : NULL;

	km_jw_kbool(rq->w, "demoted", t && t->demoted);
	km_jw_key(rq->w, "verdicts");
	km_jw_array(rq->w);
	for (uint32_t i = 0; t && i < t->count; i++)
		km_jw_string(rq->w, km_verdict_names[t->verdict[i]]);
	km_jw_end_array(rq->w);
}

static int list(struct km_request *rq)
{
	const struct km_rules *rules = rq->view->rules;
	uint64_t n = 0, more = 0;

	km_jw_key(rq->w, "rules");
	km_jw_array(rq->w);
	for (size_t i = 0; rules && i < rules->count; i++) {
		if (!km_request_page(rq, &n, &more))
			continue;
		km_jw_object(rq->w);
		write_row(rules->rule[i], rq->w);
		write_track(rq, rules->rule[i]);
		km_jw_end_object(rq->w);
	}
	km_jw_end_array(rq->w);
	km_jw_ku64(rq->w, "more", more);
	km_jw_kstring(rq->w, "refused", rq->view->rules_refused);
	return 0;
}

static void write_endpoint(const struct km_cond *c, struct km_json_writer *w)
{
	km_jw_kstring(w, "name", c->by[0] ? c->by : NULL);
	if (c->primary)
		km_jw_kstring(w, "primary", km_place_health_names[c->primary]);
	if (c->standby)
		km_jw_kstring(w, "standby", km_place_health_names[c->standby]);
	if (c->traffic)
		km_jw_kstring(w, "traffic", km_traffic_names[c->traffic - 1]);
	if (c->p > 0) {
		km_jw_kstring(w, "forecast", km_forecast_kind_names[c->forecast_kind]);
		km_jw_kdouble(w, "p", c->p);
	}
}

static void write_cond(const struct km_cond *c, struct km_json_writer *w)
{
	km_jw_kstring(w, "op", km_cond_op_names[c->op]);
	km_jw_ku64(w, "line", c->line);
	switch (c->op) {
	case KM_COND_FORECAST:
		km_jw_kstring(w, "kind", km_forecast_kind_names[c->forecast_kind]);
		if (c->forecast_kind == KM_EXHAUSTION)
			km_jw_kstring(w, "resource", km_resource_names[c->resource]);
		km_jw_kdouble(w, "p", c->p);
		ktime(w, "within", c->within_ns);
		break;
	case KM_COND_EVENT:
		km_jw_kstring(w, "event", km_event_names[c->event]);
		km_jw_kstring(w, "how", km_end_how_names[c->how]);
		if (c->by[0])
			km_jw_kstring(w, "by", c->by);
		km_jw_ku64(w, "count", c->count);
		ktime(w, "within", c->within_ns);
		break;
	case KM_COND_STATE:
		km_jw_kstring(w, "state", km_cond_state_names[c->state - KM_IS_UP]);
		break;
	case KM_COND_LEVEL:
		km_jw_kstring(w, "signal", km_catalogue[c->signal].name);
		km_jw_kbool(w, "of_host", c->host);
		km_jw_kdouble(w, c->below ? "below" : "above", c->above);
		km_jw_kbool(w, "of_limit", c->above_share);
		if (c->until >= 0)
			km_jw_kdouble(w, "until", c->until);
		break;
	case KM_COND_INCIDENT:
		km_jw_kstring(w, "of", km_incident_whose_names[c->of]);
		break;
	case KM_COND_DEPLOYED:
		ktime(w, "within", c->within_ns);
		break;
	case KM_COND_TEXT:
		km_jw_kstring(w, "matches", km_pattern_text(c->pattern));
		break;
	case KM_COND_ENDPOINT:
		write_endpoint(c, w);
		break;
	default:
		break;
	}
	ktime(w, "for", c->for_ns);
}

/* In pre-order, a node's depth with it: flat, so that a deep tree needs no recursion. */
static void write_tree(const struct km_cond *c, const char *key, struct km_json_writer *w)
{
	unsigned int end[KM_CONDITIONS_MAX], depth = 0;

	km_jw_key(w, key);
	km_jw_array(w);
	for (unsigned int i = 0; i < c[0].span && i < KM_CONDITIONS_MAX; i++) {
		while (depth && i >= end[depth - 1])
			depth--;
		km_jw_object(w);
		km_jw_ku64(w, "depth", depth);
		write_cond(&c[i], w);
		km_jw_end_object(w);
		if (c[i].children)
			end[depth++] = i + c[i].span;
	}
	km_jw_end_array(w);
}

static void write_plan(const struct km_rule *r, struct km_json_writer *w)
{
	km_jw_key(w, "plan");
	km_jw_array(w);
	for (unsigned int i = 0; i < r->steps; i++) {
		const struct km_step *s = &r->plan[i];

		km_jw_object(w);
		km_jw_kstring(w, "verb", km_verb_names[s->verb]);
		km_jw_ku64(w, "line", s->line);
		if (s->verb == KM_SEND_SIGNAL)
			km_jw_ki64(w, "signal", s->signal);
		if (s->args.object[0])
			km_jw_kstring(w, "object", s->args.object);
		if (s->args.amount)
			km_jw_ku64(w, "amount", s->args.amount);
		ktime(w, "duration", s->args.duration_ns);
		ktime(w, "timeout", s->timeout_ns);
		km_jw_kstring(w, "on_failure", km_otherwise_names[s->on_failure]);
		km_jw_key(w, "evidence");
		km_jw_array(w);
		for (unsigned int k = 0; k < KM_CAPTURE_MAX; k++)
			if (s->evidence >> k & 1)
				km_jw_string(w, km_capture_names[k]);
		km_jw_end_array(w);
		km_jw_end_object(w);
	}
	km_jw_end_array(w);
	km_jw_kstring(w, "otherwise", km_otherwise_names[r->otherwise]);
}

static void write_guards(const struct km_guard_spec *g, struct km_json_writer *w)
{
	km_jw_key(w, "guards");
	km_jw_object(w);
	km_jw_kstring(w, "mode", km_mode_names[g->mode]);
	ktime(w, "cooldown", g->cooldown_ns);
	km_jw_ku64(w, "budget", g->budget.count);
	ktime(w, "budget_per", g->budget.per_ns);
	km_jw_ku64(w, "min_healthy", g->min_healthy);
	ktime(w, "backoff_base", g->backoff_base_ns);
	ktime(w, "backoff_max", g->backoff_max_ns);
	ktime(w, "backoff_reset", g->backoff_reset_ns);
	ktime(w, "approval", g->approval_ns);
	km_jw_end_object(w);
}

static void write_verify(const struct km_verify_spec *s, struct km_json_writer *w)
{
	km_jw_key(w, "verify");
	km_jw_object(w);
	ktime(w, "within", s->within_ns);
	km_jw_kbool(w, "up", s->up);
	ktime(w, "up_for", s->up_for_ns);
	km_jw_kbool(w, "forecast_gone", s->forecast_gone);
	km_jw_kbool(w, "healthy", s->healthy);
	km_jw_kbool(w, "endpoint_answers", s->endpoint);
	km_jw_kbool(w, "no_end", s->no_end);
	if (s->below_resource >= 0 && s->below_resource < KM_RESOURCE_MAX) {
		km_jw_kstring(w, "below_resource", km_resource_names[s->below_resource]);
		km_jw_kdouble(w, "below", s->below);
	}
	km_jw_kbool(w, "none", s->none);
	km_jw_end_object(w);
}

static const struct km_rule *find(const struct km_rules *rules, const char *id)
{
	for (size_t i = 0; rules && i < rules->count; i++)
		if (strcmp(rules->rule[i]->id, id) == 0)
			return rules->rule[i];
	return NULL;
}

static int show(struct km_request *rq)
{
	const struct km_rule *r = find(rq->view->rules, rq->args.name);
	struct km_json_writer *w = rq->w;

	if (!r)
		return km_request_fail(rq, "not_found", "see: kmend rule list",
		                       "no rule %s is in force", rq->args.name);
	km_jw_key(w, "rule");
	km_jw_object(w);
	write_row(r, w);
	write_track(rq, r);
	km_jw_kstring(w, "why", r->why);
	km_jw_kstring(w, "entity", km_entity_names[r->entity]);
	km_jw_kbool(w, "all_services", r->all_services);
	kstrings(w, "services", r->services);
	kstrings(w, "units", r->units);
	kstrings(w, "images", r->images);
	kstrings(w, "labels", r->labels);
	kstrings(w, "references", r->references);
	write_tree(r->when, "when", w);
	write_tree(r->unless, "unless", w);
	write_plan(r, w);
	write_guards(&r->guard, w);
	write_verify(&r->verify, w);
	km_jw_end_object(w);
	return 0;
}

static int stats(struct km_request *rq)
{
	const char *name = rq->args.name[0] ? rq->args.name : NULL;

	km_jw_key(rq->w, "rules");
	km_history_rules(rq->view->history, name, rq->w);
	km_jw_key(rq->w, "failures");
	km_history_failures(rq->view->history, name, rq->w);
	km_jw_key(rq->w, "refused_by");
	if (name)
		km_history_refusals(rq->view->history, name, rq->w);
	else
		km_jw_null(rq->w);
	return 0;
}

const struct km_control_command km_rule_commands[] = {
	{ "rule", "list", km_args_list, false, list },
	{ "rule", "show", km_args_name, false, show },
	{ "rule", "stats", km_args_any_name, false, stats },
	{ 0 },
};
