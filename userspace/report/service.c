/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "report/request.h"

#define ACTIONS_SHOWN 10

/* What only may come to something stands behind what has a time, or has happened. */
static double nearness(const struct km_forecast *f)
{
	return f->kind == KM_ANOMALY || f->kind == KM_DEGRADATION ? INFINITY : f->eta_s;
}

const struct km_forecast *km_nearest_forecast(const struct km_view *view, uint64_t service_id)
{
	const struct km_forecast *best = NULL;

	for (int kind = 0; kind < KM_FORECAST_KIND_MAX; kind++) {
		for (int r = 0; r <= KM_RESOURCE_MAX; r++) {
			const struct km_forecast *f =
				km_predict_get(view->predict, service_id, kind, r);

			if (f && f->why == KM_WHY_NONE && (!best || nearness(f) < nearness(best)))
				best = f;
		}
	}
	return best;
}

static void write_level(const struct km_view *v, const struct km_service *s, enum km_resource r,
                        struct km_json_writer *w)
{
	const struct km_features *f = km_measure_features(v->measure, s->id, r);

	km_jw_key(w, km_resource_names[r]);
	if (!f || !f->measured) {
		km_jw_null(w);
		return;
	}
	km_jw_object(w);
	km_jw_kdouble(w, "level", f->level);
	if (f->limit < 0) {
		km_jw_key(w, "limit");
		km_jw_null(w);
	} else {
		km_jw_kdouble(w, "limit", f->limit);
	}
	km_jw_kstring(w, "unit", km_resource_unit(r));
	km_jw_end_object(w);
}

/* Others have resources of their own. */
static bool of_service(enum km_resource r)
{
	enum km_sig sig = km_catalogue_of(r);

	return sig < KM_SIG_MAX && km_catalogue[sig].entities & 1U << KM_ENTITY_SERVICE;
}

static const struct km_service_def *def_of(const struct km_view *v, const struct km_service *s)
{
	const struct km_service_def *d = km_config_service(v->config, s->name);

	return d && s->defined && (uint32_t)d->kind == s->kind ? d : NULL;
}

static bool has_checks(const struct km_view *v, const struct km_service *s)
{
	const struct km_service_def *d = def_of(v, s);

	return d && km_service_is_checked(d);
}

static void write_check(const struct km_view *v, const struct km_service *s,
                        const struct km_health_check *def, struct km_json_writer *w)
{
	const struct km_check_state *c = km_attribute_check(v->attribute, s->id, def->name);

	km_jw_object(w);
	km_jw_kstring(w, "name", def->name);
	km_jw_kstring(w, "kind", km_check_kind_names[def->kind]);
	km_jw_kstring(w, "target", def->argv ? def->argv[0] : def->target);
	km_jw_kstring(w, "health", km_health_names[c ? c->health : KM_HEALTH_UNKNOWN]);
	km_jw_kstring(w, "reason", c ? c->reason : "no result yet");
	km_jw_kknown(w, "latency_ns", c ? c->latency_ns : KM_UNKNOWN);
	km_jw_kknown(w, "certificate_days_left",
	             !c || !c->life_s        ? KM_UNKNOWN
	             : c->used_s < c->life_s ? (c->life_s - c->used_s) / 86400
	                                     : 0);
	km_jw_end_object(w);
}

/* What the definition says, and how its checks stand. */
static void write_definition(const struct km_view *v, const struct km_service *s,
                             struct km_json_writer *w)
{
	const struct km_service_def *d = def_of(v, s);

	km_jw_key(w, "labels");
	km_jw_object(w);
	for (size_t i = 0; d && i < d->label_count; i++)
		km_jw_kstring(w, d->labels[i].name, d->labels[i].value);
	km_jw_end_object(w);
	km_jw_key(w, "needs");
	km_jw_array(w);
	for (size_t i = 0; d && i < d->need_count; i++)
		km_jw_string(w, v->config->services[d->needs[i]].name);
	km_jw_end_array(w);
	km_jw_key(w, "checks");
	km_jw_array(w);
	for (size_t i = 0; d && i < d->check_count; i++)
		write_check(v, s, &d->checks[i], w);
	km_jw_end_array(w);
}

static void write_maintenance(const struct km_view *v, const struct km_service *s,
                              struct km_json_writer *w)
{
	uint64_t until;
	bool is = km_decide_maintained(v->decide, s->id, v->now_ns, &until);

	km_jw_kknown(w, "maintenance_s", is ? (until - v->now_ns) / KM_NS_PER_S : KM_UNKNOWN);
}

static void write_row(const struct km_view *v, const struct km_service *s, struct km_json_writer *w)
{
	const struct km_forecast *f = km_nearest_forecast(v, s->id);

	km_jw_kstring(w, "name", s->name);
	km_jw_kstring(w, "kind", km_service_kind_names[s->kind]);
	km_jw_kbool(w, "defined", s->defined);
	km_jw_kstring(w, "state", km_service_state_names[s->state]);
	write_maintenance(v, s, w);
	km_jw_kstring(w, "health", has_checks(v, s) ? km_health_names[s->health] : NULL);
	km_jw_kbool(w, "quarantined", km_decide_quarantined(v->decide, s->id));
	km_jw_ku64(w, "for_s",
	           v->now_ns > s->since_ns ? (v->now_ns - s->since_ns) / KM_NS_PER_S : 0);
	km_jw_ku64(w, "processes", s->processes);
	km_jw_ku64(w, "main_tgid", s->main_tgid);
	km_jw_kknown(w, "deployed_s",
	             s->deployed_ns && v->now_ns >= s->deployed_ns
	                     ? (v->now_ns - s->deployed_ns) / KM_NS_PER_S
	                     : KM_UNKNOWN);
	for (int r = 0; r < KM_RESOURCE_MAX; r++)
		if (of_service(r))
			write_level(v, s, r, w);
	km_jw_key(w, "forecast");
	if (f)
		km_forecast_write(f, s->name, w);
	else
		km_jw_null(w);
}

static int list(struct km_request *rq)
{
	const struct km_view *v = rq->view;
	const struct km_service *s;
	uint64_t n = 0, more = 0;
	uint32_t slot = 0;

	km_jw_key(rq->w, "services");
	km_jw_array(rq->w);
	while ((s = km_attribute_next(v->attribute, &slot))) {
		if (km_service_entity(s) != KM_ENTITY_SERVICE || !km_request_page(rq, &n, &more))
			continue;
		km_jw_object(rq->w);
		write_row(v, s, rq->w);
		km_jw_end_object(rq->w);
	}
	km_jw_end_array(rq->w);
	km_jw_ku64(rq->w, "more", more);
	return 0;
}

static void write_ending(const struct km_ending *e, uint64_t now_ns, struct km_json_writer *w)
{
	km_jw_key(w, "last_end");
	if (!e->t_ns) {
		km_jw_null(w);
		return;
	}
	km_jw_object(w);
	km_jw_ku64(w, "ago_s", now_ns > e->t_ns ? (now_ns - e->t_ns) / KM_NS_PER_S : 0);
	km_jw_ku64(w, "tgid", e->tgid);
	km_jw_kbool(w, "known", e->known);
	km_jw_kbool(w, "asked", e->asked);
	km_jw_ku64(w, "exit_code", (e->exit_code >> 8) & 0xff);
	km_jw_ku64(w, "exit_signal", e->exit_code & 0x7f);
	km_jw_kbool(w, "core_dumped", e->exit_code & 0x80);
	km_jw_kbool(w, "oom", e->oom);
	km_jw_ku64(w, "signal", e->signal);
	km_jw_kstring(w, "sender", km_sender_names[e->sender]);
	km_jw_ku64(w, "sender_tgid", e->sender_tgid);
	km_jw_ku64(w, "sender_uid", e->sender_uid);
	km_jw_kstring(w, "sender_comm", e->sender_comm);
	km_jw_end_object(w);
}

static void write_counts(const struct km_service *s, struct km_json_writer *w)
{
	km_jw_ku64(w, "starts", s->starts);
	km_jw_ku64(w, "exits", s->exits);
	km_jw_ku64(w, "oom_kills", s->oom_kills);
	km_jw_ku64(w, "forks", s->forks);
	km_jw_ku64(w, "retransmits", s->retransmits);
	km_jw_ku64(w, "connect_failures", s->connect_failures);
	km_jw_ku64(w, "cgroup_id", s->cgroup_id);
}

static void write_forecasts(const struct km_view *v, const struct km_service *s,
                            struct km_json_writer *w)
{
	const struct km_forecast *f;
	uint32_t slot = 0;

	km_jw_key(w, "forecasts");
	km_jw_array(w);
	while ((f = km_predict_next(v->predict, &slot)))
		if (f->service_id == s->id)
			km_forecast_write(f, s->name, w);
	km_jw_end_array(w);
}

static void write_samples(struct km_request *rq, const struct km_service *s)
{
	km_jw_key(rq->w, "samples");
	km_jw_object(rq->w);
	for (int r = 0; r < KM_RESOURCE_MAX; r++) {
		if (!of_service(r))
			continue;
		km_jw_key(rq->w, km_resource_names[r]);
		km_history_samples(rq->view->history, s->id, r, rq->args.samples, rq->w);
	}
	km_jw_end_object(rq->w);
}

static int show(struct km_request *rq)
{
	const struct km_service *s = km_request_service(rq, rq->args.name);
	const struct km_history_filter actions = { .service = rq->args.name,
		                                   .limit = ACTIONS_SHOWN };

	if (!s)
		return -ENOENT;
	km_jw_key(rq->w, "service");
	km_jw_object(rq->w);
	write_row(rq->view, s, rq->w);
	write_definition(rq->view, s, rq->w);
	write_counts(s, rq->w);
	write_ending(&s->last, rq->view->now_ns, rq->w);
	write_forecasts(rq->view, s, rq->w);
	km_jw_key(rq->w, "actions");
	km_history_actions(rq->view->history, &actions, rq->w);
	if (rq->args.samples)
		write_samples(rq, s);
	km_jw_end_object(rq->w);
	return 0;
}

static const struct km_json_field show_args[] = {
	{ "name", KM_JSON_STRING, true, offsetof(struct km_args, name), KM_NAME_MAX, 0, 0, NULL },
	{ "samples", KM_JSON_COUNT, false, offsetof(struct km_args, samples), 0, 0, KM_HISTORY_ROWS,
	  NULL },
	{ 0 },
};

static const struct km_json_field maintain_args[] = {
	{ "name", KM_JSON_STRING, true, offsetof(struct km_args, name), KM_NAME_MAX, 0, 0, NULL },
	{ "for", KM_JSON_STRING, true, offsetof(struct km_args, lasting), 32, 0, 0, NULL },
	{ 0 },
};

const struct km_control_command km_service_commands[] = {
	{ "service", "list", km_args_list, false, list },
	{ "service", "show", show_args, false, show },
	{ "service", "maintain", maintain_args, true, km_operator_maintain },
	{ 0 },
};
