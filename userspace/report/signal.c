/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "report/request.h"

static void write_entities(const struct km_catalogue_row *row, struct km_json_writer *w)
{
	char text[64] = "";

	for (int i = 0; i < KM_ENTITY_MAX; i++)
		if (row->entities & 1U << i)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
			         text[0] ? ", " : "", km_entity_names[i]);
	km_jw_kstring(w, "per", text);
}

static const char *state_of(const struct km_source *s)
{
	if (!s->available)
		return s->off ? "off" : "unavailable";
	if (s->held[0] || s->what->tier == KM_TIER_ALWAYS)
		return "on";
	if (s->refused[0])
		return "refused";
	return s->what->tier == KM_TIER_DUTY ? "duty-cycled" : "idle";
}

static const char *reason_of(const struct km_source *s)
{
	if (!s->available)
		return s->reason;
	return s->refused[0] && !s->held[0] ? s->refused : NULL;
}

static void write_source(const struct km_source *s, struct km_json_writer *w)
{
	km_jw_object(w);
	km_jw_kstring(w, "name", s->name);
	km_jw_kbool(w, "available", s->available);
	km_jw_kstring(w, "state", state_of(s));
	km_jw_ku64(w, "records", s->records);
	km_jw_kstring(w, "unit", s->what->unit);
	write_entities(s->what, w);
	km_jw_kstring(w, "shape", km_shape_names[s->what->shape]);
	km_jw_kstring(w, "tier", km_tier_names[s->what->tier]);
	km_jw_kstring(w, "resource",
	              s->what->resource < KM_RESOURCE_MAX ? km_resource_names[s->what->resource]
	                                                  : NULL);
	km_jw_kstring(w, "hook", s->hook);
	km_jw_kstring(w, "cost", s->what->cost);
	km_jw_kstring(w, "since", s->what->since);
	km_jw_kstring(w, "meaning", s->what->meaning);
	km_jw_kstring(w, "on_for", s->held[0] ? s->held : NULL);
	km_jw_kstring(w, "reason", reason_of(s));
	km_jw_end_object(w);
}

static int list(struct km_request *rq)
{
	km_jw_key(rq->w, "signals");
	km_jw_array(rq->w);
	for (const struct km_source *s = km_view_sources(rq->view); s->name; s++)
		write_source(s, rq->w);
	km_jw_end_array(rq->w);
	return 0;
}

/* The engine sends the items; this END is what it says when the stream is over by itself. */
static int watch(struct km_request *rq)
{
	if (rq->args.service[0] && !km_request_service(rq, rq->args.service))
		return -ENOENT;
	rq->reply->effect = KM_EFFECT_SIGNAL_STREAM;
	km_copy(rq->reply->service, sizeof(rq->reply->service), rq->args.service);
	return 0;
}

#define LEASE_DEFAULT_NS (600 * KM_NS_PER_S)
#define LEASE_MIN_NS     KM_NS_PER_S
#define LEASE_MAX_NS     (86400 * KM_NS_PER_S)

/* All, or what a signal needs, or one by its own name; 0: there is no such. */
static uint32_t depths_of(const char *name)
{
	enum km_sig sig = km_catalogue_find(name);

	if (!name[0])
		return KM_DEPTH_ALL;
	if (sig != KM_SIG_MAX)
		return km_catalogue_depth(sig);
	for (unsigned int i = 0; i < KM_DEPTHS; i++)
		if (strcmp(name, km_depth_names[i]) == 0)
			return 1U << i;
	return 0;
}

static int lease(struct km_request *rq)
{
	struct km_control_reply *reply = rq->reply;
	const struct km_args *a = &rq->args;
	char what[KM_NAME_MAX + 32];

	reply->depths = depths_of(a->signal);
	reply->for_ns = LEASE_DEFAULT_NS;
	if (!km_request_service(rq, a->service))
		return -ENOENT;
	if (!reply->depths)
		return km_request_fail(rq, "bad_request",
		                       "see the tier in: kmend signal list; or write calls, "
		                       "latency, run_queue or dns",
		                       "%s is no signal that is looked at on demand", a->signal);
	if (a->lasting[0] && (km_parse_duration(a->lasting, &reply->for_ns) < 0 ||
	                      reply->for_ns < LEASE_MIN_NS || reply->for_ns > LEASE_MAX_NS))
		return km_request_fail(rq, "bad_request", "write --for 10m",
		                       "\"for\" must be 1s to 24h");
	reply->effect = KM_EFFECT_SIGNAL_STREAM;
	km_copy(reply->service, sizeof(reply->service), a->service);
	snprintf(what, sizeof(what), "looked closely at %s", a->service);
	km_history_audit(rq->view->history, what, rq->peer->uid, rq->peer->tgid,
	                 rq->view->realtime_ns);
	return 0;
}

static const struct km_json_field lease_args[] = {
	{ "service", KM_JSON_STRING, true, offsetof(struct km_args, service), KM_NAME_MAX, 0, 0,
	  NULL },
	{ "signal", KM_JSON_STRING, false, offsetof(struct km_args, signal), 64, 0, 0, NULL },
	{ "for", KM_JSON_STRING, false, offsetof(struct km_args, lasting), 32, 0, 0, NULL },
	{ 0 },
};

static const struct km_json_field watch_args[] = {
	{ "service", KM_JSON_STRING, false, offsetof(struct km_args, service), KM_NAME_MAX, 0, 0,
	  NULL },
	{ 0 },
};

const struct km_control_command km_signal_commands[] = {
	{ "signal", "list", km_args_none, false, list },
	{ "signal", "watch", watch_args, false, watch },
	{ "signal", "lease", lease_args, true, lease },
	{ 0 },
};
