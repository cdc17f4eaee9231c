/* SPDX-License-Identifier: Apache-2.0 */
#include "report/request.h"

#include "base/text.h"

const struct km_source *km_view_sources(const struct km_view *view)
{
	static const struct km_source none[1];
	const struct km_source *s = view->collect ? km_collect_sources(view->collect) : NULL;

	return s ? s : none;
}

static void count_services(const struct km_view *v, uint64_t count[KM_SERVICE_STATE_MAX])
{
	const struct km_service *s;
	uint32_t slot = 0;

	while ((s = km_attribute_next(v->attribute, &slot)))
		if (s->state < KM_SERVICE_STATE_MAX && km_service_entity(s) == KM_ENTITY_SERVICE)
			count[s->state]++;
}

static void write_services(const struct km_view *v, struct km_json_writer *w)
{
	uint64_t count[KM_SERVICE_STATE_MAX] = { 0 };

	count_services(v, count);
	km_jw_key(w, "services");
	km_jw_object(w);
	km_jw_ku64(w, "up", count[KM_SERVICE_UP]);
	km_jw_ku64(w, "down", count[KM_SERVICE_DOWN]);
	km_jw_ku64(w, "unknown", count[KM_SERVICE_UNKNOWN]);
	km_jw_end_object(w);
}

static void write_signals(const struct km_view *v, struct km_json_writer *w)
{
	uint64_t on = 0, all = 0;

	for (const struct km_source *s = km_view_sources(v); s->name; s++) {
		all++;
		on += s->available;
	}
	km_jw_key(w, "signals");
	km_jw_object(w);
	km_jw_ku64(w, "available", on);
	km_jw_ku64(w, "known", all);
	km_jw_end_object(w);
}

static void write_rules(const struct km_view *v, struct km_json_writer *w)
{
	char digest[2 * 8 + 1];

	km_hex(v->rules ? v->rules->digest : (const uint8_t[8]){ 0 }, 8, digest);
	km_jw_key(w, "rules");
	km_jw_object(w);
	km_jw_ku64(w, "in_force", v->rules ? v->rules->count : 0);
	km_jw_kstring(w, "digest", v->rules ? digest : NULL);
	km_jw_kstring(w, "refused", v->rules_refused);
	km_jw_end_object(w);
}

static void write_policy(const struct km_view *v, struct km_json_writer *w)
{
	km_jw_key(w, "policy");
	km_jw_object(w);
	km_jw_kbool(w, "paused", (v->policy && v->policy->pause) || km_decide_paused_ns(v->decide));
	km_jw_key(w, "verbs");
	km_jw_array(w);
	for (int i = KM_START; v->policy && i < KM_VERB_MAX; i++)
		if (v->policy->verbs[i])
			km_jw_string(w, km_verb_names[i]);
	km_jw_end_array(w);
	km_jw_end_object(w);
}

static uint64_t forecasts_in_force(const struct km_view *v)
{
	const struct km_forecast *f;
	uint32_t slot = 0;
	uint64_t n = 0;

	while ((f = km_predict_next(v->predict, &slot)))
		n += f->why == KM_WHY_NONE;
	return n;
}

static int show(struct km_request *rq)
{
	const struct km_view *v = rq->view;
	struct km_json_writer *w = rq->w;
	uint32_t slot = 0;
	uint64_t waiting = 0;

	while (km_decide_waiting(v->decide, &slot))
		waiting++;
	km_jw_kstring(w, "mode", v->mode);
	km_jw_ku64(w, "realtime_ms", v->realtime_ns / KM_NS_PER_MS);
	km_jw_ku64(w, "up_s", (v->now_ns - v->started_ns) / KM_NS_PER_S);
	write_services(v, w);
	write_signals(v, w);
	write_rules(v, w);
	write_policy(v, w);
	km_jw_ku64(w, "forecasts", forecasts_in_force(v));
	km_jw_ku64(w, "waiting", waiting);
	km_jw_ku64(w, "decisions", v->decisions);
	km_jw_ku64(w, "records", v->records_fed);
	km_jw_ku64(w, "records_bad", v->records_bad);
	km_jw_kstring(w, "history_trouble", km_history_trouble(v->history));
	km_jw_ku64(w, "history_lost", km_history_lost(v->history));
	km_jw_kstring(w, "state_dir", v->state_dir);
	return 0;
}

const struct km_control_command km_status_commands[] = {
	{ "status", "show", km_args_none, false, show },
	{ 0 },
};
