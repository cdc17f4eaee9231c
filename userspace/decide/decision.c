/* SPDX-License-Identifier: Apache-2.0 */
/* A decision as text: names, and one JSON object whose members stand in a fixed order. */
#include "base/text.h"
#include "decide/internal.h"

const char *const km_answer_names[KM_ANSWER_MAX + 1] = {
	[KM_ANSWER_ACT] = "act",
	[KM_ANSWER_NO] = "no",
	[KM_ANSWER_SUGGEST] = "suggest",
	[KM_ANSWER_OBSERVE] = "observe",
	[KM_ANSWER_ASK] = "ask",
	[KM_ANSWER_LATER] = "later",
	[KM_ANSWER_QUARANTINE] = "quarantine",
	[KM_ANSWER_ESCALATE] = "escalate",
	[KM_ANSWER_RELEASE] = "release",
	[KM_ANSWER_SHADOW] = "shadow",
};

const char *const km_verdict_names[KM_VERDICT_MAX + 1] = {
	[KM_HELPED] = "helped",
	[KM_DID_NOT_HELP] = "did_not_help",
	[KM_VERDICT_NOT_MEASURED] = "not_measured",
};

static void write_guards(const struct km_decision *d, struct km_json_writer *w)
{
	uint32_t all = (1U << KM_GUARD_MAX) - 1;
	/* Where none failed, those that did not pass were not asked. */
	uint32_t failed = d->guard < KM_GUARD_MAX ? all & ~d->guards_passed : 0;

	km_jw_kstring(w, "guard", km_guard_names[d->guard]);
	km_jw_key(w, "passed");
	km_jw_array(w);
	for (unsigned int i = 0; i < KM_GUARD_MAX; i++)
		if (d->guards_passed & 1U << i)
			km_jw_string(w, km_guard_names[i]);
	km_jw_end_array(w);
	km_jw_key(w, "failed");
	km_jw_array(w);
	for (unsigned int i = 0; i < KM_GUARD_MAX; i++)
		if (failed & 1U << i)
			km_jw_string(w, km_guard_names[i]);
	km_jw_end_array(w);
}

static void write_ending(const struct km_ending *e, struct km_json_writer *w)
{
	km_jw_object(w);
	km_jw_ku64(w, "t_ns", e->t_ns);
	km_jw_ku64(w, "tgid", e->tgid);
	km_jw_ku64(w, "start_ns", e->start_ns);
	km_jw_kbool(w, "known", e->known);
	km_jw_ku64(w, "exit_code", e->exit_code);
	km_jw_kbool(w, "oom", e->oom);
	km_jw_ku64(w, "signal", e->signal);
	km_jw_ku64(w, "sender_tgid", e->sender_tgid);
	km_jw_ku64(w, "sender_uid", e->sender_uid);
	km_jw_kstring(w, "sender_comm", e->sender_comm);
	km_jw_end_object(w);
}

static void write_act(const struct km_decision *d, struct km_json_writer *w)
{
	km_jw_kstring(w, "verb", km_verb_names[d->verb]);
	if (d->verb == KM_SEND_SIGNAL)
		km_jw_ki64(w, "signal", d->signal);
	if (d->args.object[0])
		km_jw_kstring(w, "object", d->args.object);
	if (d->args.amount)
		km_jw_ku64(w, "amount", d->args.amount);
	if (d->args.duration_ns)
		km_jw_ku64(w, "duration_ns", d->args.duration_ns);
	km_jw_ku64(w, "step", d->step);
	km_jw_ku64(w, "attempt", d->attempt);
	km_jw_ku64(w, "timeout_ns", d->timeout_ns);
	km_jw_ku64(w, "due_ns", d->due_ns);
	km_jw_ku64(w, "tgid", d->tgid);
	km_jw_ku64(w, "start_ns", d->start_ns);
}

static void write_evidence(const struct km_decision *d, struct km_json_writer *w)
{
	km_jw_kstring(w, "event", d->event == KM_EV_NONE ? NULL : km_event_names[d->event]);
	km_jw_key(w, "ending");
	if (d->event == KM_EV_ENDED)
		write_ending(&d->ending, w);
	else
		km_jw_null(w);
	km_jw_key(w, "forecast");
	if (d->has_forecast)
		km_forecast_write(&d->forecast, d->service, w);
	else
		km_jw_null(w);
}

void km_decision_write(const struct km_decision *d, struct km_json_writer *w)
{
	char digest[17];

	km_hex(d->rules_digest, 8, digest);
	km_jw_object(w);
	km_jw_ku64(w, "id", d->id);
	km_jw_ku64(w, "incident", d->incident_id);
	km_jw_ku64(w, "t_ns", d->t_ns);
	km_jw_kstring(w, "service", d->service);
	km_jw_kstring(w, "rule", d->rule);
	km_jw_ku64(w, "line", d->line);
	km_jw_kstring(w, "answer", km_answer_names[d->answer]);
	write_act(d, w);
	write_guards(d, w);
	write_evidence(d, w);
	km_jw_kstring(w, "rules", digest);
	km_jw_kstring(w, "reason", d->reason);
	km_jw_end_object(w);
}
