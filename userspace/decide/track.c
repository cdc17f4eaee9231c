// SPDX-License-Identifier: Apache-2.0
/* Track record of a rule: what verification said of its last acts. One whose acts do not help loses
 * the right to act, until an operator says its mode anew or its text is another one. */
#include "decide/internal.h"

static uint64_t text_of(const struct km_rule *r)
{
	uint64_t text;

	memcpy(&text, r->digest, sizeof(text));
	return text;
}

static bool is_of(const struct km_track *t, const struct km_rule *r)
{
	return t->text == text_of(r) && t->mode_at_s == r->mode_at_s;
}

static struct km_track *track_of(const struct km_decide *d, const struct km_rule *r)
{
	struct km_track *t = km_table_get(d->table[KM_T_TRACK], &r->key);

	return t && is_of(t, r) ? t : NULL;
}

enum km_mode km_track_mode(const struct km_decide *d, const struct km_rule *r)
{
	const struct km_track *t = track_of(d, r);

	return t && t->demoted && r->guard.mode > KM_SUGGEST ? KM_SUGGEST : r->guard.mode;
}

static unsigned int failures(const struct km_track *t)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < t->count; i++)
		n += t->verdict[i] == KM_DID_NOT_HELP;
	return n;
}

/* Of a repair that has a verdict already the place of that one, else a new place. */
static uint32_t place_for(struct km_track *t, uint64_t service_id, bool again)
{
	for (uint32_t i = 0; again && i < t->count; i++)
		if (t->service_id[i] == service_id)
			return i;
	if (t->count < KM_TRACK_VERDICTS)
		t->count++;
	memmove(&t->verdict[1], &t->verdict[0], (t->count - 1) * sizeof(t->verdict[0]));
	memmove(&t->service_id[1], &t->service_id[0], (t->count - 1) * sizeof(t->service_id[0]));
	return 0;
}

static bool note(struct km_track *t, const struct km_repair *r, enum km_verdict_kind kind)
{
	uint32_t i = place_for(t, r->service_id, r->acts > 1);

	t->verdict[i] = kind;
	t->service_id[i] = r->service_id;
	if (t->demoted || failures(t) < KM_TRACK_FAILURES)
		return false;
	t->demoted = 1;
	return true;
}

bool km_track_verdict(struct km_move *m, enum km_verdict_kind kind)
{
	const struct km_rule *r = m->rule;
	struct km_track *t;

	if (!r || !m->r->rule_key || kind == KM_VERDICT_NOT_MEASURED || r->guard.mode < KM_APPROVE)
		return false;
	if (km_table_put(m->d->table[KM_T_TRACK], &r->key, &t) < 0) {
		km_decide_count_full(m->d);
		return false;
	}
	if (!is_of(t, r)) {
		*t = (struct km_track){ .rule_key = r->key };
		t->text = text_of(r);
		t->mode_at_s = r->mode_at_s;
	}
	return note(t, m->r, kind);
}

const struct km_track *km_decide_track(const struct km_decide *d, const struct km_rule *r)
{
	return track_of(d, r);
}

void km_track_sweep(struct km_decide *d)
{
	const struct km_rule *r;
	struct km_track *t;
	uint32_t slot = 0;

	while ((t = km_table_next(d->table[KM_T_TRACK], &slot))) {
		r = d->rules ? km_rules_get(d->rules, t->rule_key) : NULL;
		if (!r || !is_of(t, r))
			km_table_drop(d->table[KM_T_TRACK], &t->rule_key);
	}
}
