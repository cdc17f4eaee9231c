// SPDX-License-Identifier: Apache-2.0
/* How much is done at one time. Many services that fail within seconds have a cause that no restart
 * of one of them mends: people are called once, and who needs nothing that is known to have failed
 * waits until all others are done. */
#include <stdio.h>

#include "decide/internal.h"

/* Of one host: fewer fail together by chance only where they need one another. */
#define STORM_SERVICES 10U
#define STORM_NS       (10 * KM_NS_PER_S)
/* Without another failure for so long it is over. */
#define CALM_NS (60 * KM_NS_PER_S)

static struct km_storm *row(struct km_decide *d)
{
	uint64_t key = 1;
	struct km_storm *s = km_table_get(d->table[KM_T_STORM], &key);

	if (!s && km_table_put(d->table[KM_T_STORM], &key, &s) < 0)
		return NULL;
	return s;
}

bool km_storm_is(const struct km_decide *d, uint64_t now_ns)
{
	uint64_t key = 1;
	const struct km_storm *s = km_table_get(d->table[KM_T_STORM], &key);

	return s && s->since_ns && km_decide_age(now_ns, s->last_ns) < CALM_NS;
}

/* Newest first; a service that fails again counts once. */
static uint32_t note(struct km_storm *s, uint64_t service_id, uint64_t now_ns)
{
	uint32_t i = 0, near = 0;

	while (i < s->count && i + 1 < KM_STORM_KEPT && s->service_id[i] != service_id)
		i++;
	if (i == s->count)
		s->count++;
	memmove(s->service_id + 1, s->service_id, i * sizeof(s->service_id[0]));
	memmove(s->t_ns + 1, s->t_ns, i * sizeof(s->t_ns[0]));
	s->service_id[0] = service_id;
	s->t_ns[0] = now_ns;
	while (near < s->count && km_decide_age(now_ns, s->t_ns[near]) < STORM_NS)
		near++;
	return near;
}

void km_storm_note(struct km_decide *d, uint64_t service_id, uint64_t now_ns)
{
	struct km_storm *s = row(d);
	uint32_t near;

	if (!s)
		return;
	if (!km_storm_is(d, now_ns))
		s->since_ns = s->said = 0;
	near = note(s, service_id, now_ns);
	s->last_ns = now_ns;
	if (!s->since_ns && near >= STORM_SERVICES)
		s->since_ns = now_ns;
}

/* A repair of one of those that failed; all others are of the same cause. */
static struct km_repair *one_of(const struct km_decide *d, const struct km_storm *s)
{
	struct km_repair *r;
	uint32_t slot = 0;

	while ((r = km_table_next(d->table[KM_T_REPAIR], &slot)))
		for (uint32_t i = 0; i < s->count; i++)
			if (r->service_id == s->service_id[i] && r->state != KM_R_RESTING)
				return r;
	return NULL;
}

/* Said when all ends that belong together were heard, so that it names their cause. */
void km_storm_tick(struct km_decide *d, const struct km_decide_world *w)
{
	uint64_t key = 1;
	struct km_storm *s = km_table_get(d->table[KM_T_STORM], &key);
	const struct km_service *root;
	char text[2 * KM_NAME_MAX];
	struct km_repair *r;
	struct km_repair copy;
	struct km_move m;

	if (!s || !s->since_ns || s->said || !km_decide_room(d))
		return;
	if (w->now_ns < s->since_ns + KM_HEARD_NS)
		return;
	s->said = 1;
	r = one_of(d, s);
	if (!r)
		return;
	copy = *r; /* what it is about to do stays what it was */
	km_plan_move(d, w, &copy, &m);
	km_guard_look(&m);
	root = km_depend_root(&m);
	snprintf(text, sizeof(text), "%u services or more failed within %llu s%s%.80s",
	         STORM_SERVICES, STORM_NS / KM_NS_PER_S, root ? ", this one needs " : "",
	         root ? root->name : "");
	m.note = text;
	km_decide_say(&m, KM_ANSWER_ESCALATE);
}

static uint32_t acting(const struct km_move *m)
{
	const struct km_repair *r;
	uint32_t slot = 0, n = 0;

	while ((r = km_table_next(m->d->table[KM_T_REPAIR], &slot)))
		n += r != m->r && r->state == KM_R_ACTING && !r->concluded &&
		     r->last.verb != KM_NOTIFY;
	return n;
}

bool km_storm_room(const struct km_move *m)
{
	const struct km_step *step = km_plan_step(m);
	uint32_t most = m->d->policy ? m->d->policy->concurrent : 1;

	if (!step || step->verb == KM_NOTIFY)
		return true;
	if (km_storm_is(m->d, m->w->now_ns) && !km_depend_has_needs(m))
		most = 1;
	return acting(m) < most;
}

/* So many as there may be room for; the others are woken in their turn. */
void km_storm_wake(const struct km_move *m)
{
	uint32_t left = m->d->policy ? m->d->policy->concurrent : 1, slot = 0;
	struct km_repair *r;

	while (left && (r = km_table_next(m->d->table[KM_T_REPAIR], &slot))) {
		bool waits = r->state == KM_R_BACKOFF &&
		             (r->held == KM_GUARD_CONCURRENT || r->held == KM_GUARD_NEEDS);

		if (!waits)
			continue;
		r->due_ns = m->w->now_ns;
		left -= r->held == KM_GUARD_CONCURRENT;
	}
}
