// SPDX-License-Identifier: Apache-2.0
/* Values of signals as records. */
#include "collect/internal.h"

int km_value_emit(struct km_collect *c, const struct km_said *s)
{
	struct {
		struct km_raw_value v;
		char name[KM_NAME_MAX];
	} raw;
	size_t len = s->name ? strlen(s->name) : 0, size = sizeof(raw.v) + (len + 7) / 8 * 8;

	if (len >= KM_NAME_MAX)
		return 0; /* half a name would be another one's */
	memset(&raw, 0, size);
	km_raw_init(&raw.v, KM_RAW_VALUE, sizeof(raw.v), s->cgroup_id);
	raw.v.hdr.size = (uint16_t)size;
	raw.v.signal = s->signal;
	raw.v.entity = s->entity;
	raw.v.value = s->value;
	raw.v.limit = s->limit > 0 ? s->limit : -1;
	raw.v.error = s->error;
	raw.v.period_ns = s->period_ns ? s->period_ns : (s->every + !s->every) * c->period_ns;
	raw.v.window_ns = s->window_ns ? s->window_ns : s->period_ns;
	raw.v.len = (uint32_t)len;
	memcpy(raw.name, s->name ? s->name : "", len);
	return km_emit(c, &raw, size);
}

int km_value_delta(struct km_collect *c, struct km_said *s, struct km_told *t, uint64_t now)
{
	uint64_t t_ns = km_now_ns(), before = t->value, since = t->t_ns;

	t->value = now;
	t->t_ns = t_ns;
	/* The first look is where counting begins; what went back began anew. */
	if (!since || t_ns <= since)
		return 0;
	s->value = (double)(now >= before ? now - before : now);
	s->period_ns = t_ns - since;
	return km_value_emit(c, s);
}
