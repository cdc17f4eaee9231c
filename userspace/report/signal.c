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
	return s->what->tier == KM_TIER_DUTY ? "duty-cycled" : "on";
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
	km_jw_kstring(w, "reason", s->available ? NULL : s->reason);
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

static const struct km_json_field watch_args[] = {
	{ "service", KM_JSON_STRING, false, offsetof(struct km_args, service), KM_NAME_MAX, 0, 0,
	  NULL },
	{ 0 },
};

const struct km_control_command km_signal_commands[] = {
	{ "signal", "list", km_args_none, false, list },
	{ "signal", "watch", watch_args, false, watch },
	{ 0 },
};
