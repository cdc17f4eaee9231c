/* SPDX-License-Identifier: Apache-2.0 */
/* A verdict as one JSON object whose members stand in a fixed order. */
#include "verify/internal.h"

static void write_level(struct km_json_writer *w, const char *key, double level)
{
	km_jw_key(w, key);
	if (level < 0)
		km_jw_null(w);
	else
		km_jw_double(w, level);
}

void km_verdict_write(const struct km_verdict *v, struct km_json_writer *w)
{
	km_jw_object(w);
	km_jw_ku64(w, "decision", v->decision_id);
	km_jw_ku64(w, "incident", v->incident_id);
	km_jw_ku64(w, "t_ns", v->t_ns);
	km_jw_ku64(w, "took_ns", v->took_ns);
	km_jw_kstring(w, "service", v->service);
	km_jw_kstring(w, "rule", v->rule);
	km_jw_kstring(w, "verdict", km_verdict_names[v->kind]);
	write_level(w, "level_before", v->level_before);
	write_level(w, "level_after", v->level_after);
	km_jw_kstring(w, "reason", v->reason);
	km_jw_end_object(w);
}
