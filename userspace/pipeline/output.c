/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/output.h"

void km_outputs_clear(struct km_outputs *o)
{
	o->count = 0;
	o->taken = 0;
}

void km_outputs_free(struct km_outputs *o)
{
	free(o->item);
	*o = (struct km_outputs){ 0 };
}

int km_outputs_add(struct km_outputs *o, const struct km_output *out)
{
	struct km_output_value *v;

	if (o->count >= KM_OUTPUTS_MAX) {
		o->dropped++;
		return -ENOSPC;
	}
	if (o->count == o->size) {
		size_t size = o->size ? 2 * o->size : 8;

		v = realloc(o->item, size * sizeof(*v));
		if (!v)
			return -ENOMEM;
		o->item = v;
		o->size = size;
	}
	v = &o->item[o->count++];
	v->out = *out;
	if (out->service)
		v->service = *out->service;
	switch (out->kind) {
	case KM_OUT_FORECAST:
		v->forecast = *out->forecast;
		break;
	case KM_OUT_DECISION:
		v->decision = *out->decision;
		break;
	case KM_OUT_VERDICT:
		v->verdict = *out->verdict;
		break;
	case KM_OUT_DEPTH:
		v->depth = *out->depth;
		break;
	case KM_OUT_EVENT:
	case KM_OUT_KIND_MAX:
		break;
	}
	return 0;
}

const struct km_output *km_outputs_take(struct km_outputs *o)
{
	struct km_output_value *v;

	if (o->taken >= o->count)
		return NULL;
	v = &o->item[o->taken++];
	/* Only now: the array may have moved while it grew. */
	if (v->out.service)
		v->out.service = &v->service;
	switch (v->out.kind) {
	case KM_OUT_FORECAST:
		v->out.forecast = &v->forecast;
		break;
	case KM_OUT_DECISION:
		v->out.decision = &v->decision;
		break;
	case KM_OUT_VERDICT:
		v->out.verdict = &v->verdict;
		break;
	case KM_OUT_DEPTH:
		v->out.depth = &v->depth;
		break;
	case KM_OUT_EVENT:
	case KM_OUT_KIND_MAX:
		break;
	}
	return &v->out;
}

static void write_event(const struct km_output *o, struct km_json_writer *w)
{
	const struct km_ending *e = &o->service->last;

	km_jw_kstring(w, "service", o->service->name);
	km_jw_kstring(w, "event", km_event_names[o->event]);
	km_jw_ku64(w, "main_pid", o->service->main_tgid);
	if (o->event != KM_EV_ENDED)
		return;
	km_jw_key(w, "ending");
	km_jw_object(w);
	km_jw_ku64(w, "pid", e->tgid);
	km_jw_kbool(w, "known", e->known);
	km_jw_ku64(w, "exit_status", e->exit_code >> 8);
	km_jw_ku64(w, "signal", e->exit_code & 0x7f);
	km_jw_kbool(w, "core", e->exit_code & 0x80);
	km_jw_kbool(w, "oom", e->oom);
	km_jw_kbool(w, "asked", e->asked);
	km_jw_ku64(w, "sender_pid", e->sender_tgid);
	km_jw_ku64(w, "sender_uid", e->sender_uid);
	km_jw_kstring(w, "sender", e->sender_comm);
	km_jw_end_object(w);
}

static void write_depth(const struct km_output *o, struct km_json_writer *w)
{
	km_jw_object(w);
	km_jw_kstring(w, "service", o->service->name);
	km_jw_key(w, "depths");
	km_jw_array(w);
	for (unsigned int i = 0; i < KM_DEPTHS; i++)
		if (o->depth->depths & 1U << i)
			km_jw_string(w, km_depth_names[i]);
	km_jw_end_array(w);
	km_jw_ku64(w, "until_ns", o->depth->until_ns);
	km_jw_end_object(w);
}

void km_output_write(const struct km_output *o, struct km_json_writer *w)
{
	static const char *const names[KM_OUT_KIND_MAX] = { "forecast", "decision", "verdict",
		                                            "event", "depth" };

	km_jw_object(w);
	km_jw_ku64(w, "version", 1);
	km_jw_kstring(w, "output", names[o->kind]);
	km_jw_ku64(w, "t_ns", o->t_ns);
	if (o->kind == KM_OUT_EVENT) {
		write_event(o, w);
	} else {
		km_jw_key(w, names[o->kind]);
		if (o->kind == KM_OUT_FORECAST)
			km_forecast_write(o->forecast, o->service ? o->service->name : NULL, w);
		else if (o->kind == KM_OUT_DECISION)
			km_decision_write(o->decision, w);
		else if (o->kind == KM_OUT_DEPTH)
			write_depth(o, w);
		else
			km_verdict_write(o->verdict, w);
	}
	km_jw_end_object(w);
}
