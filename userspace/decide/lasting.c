// SPDX-License-Identifier: Apache-2.0
/* What of this phase's state the next boot, or the next version of kmendd, must know: all that
 * keeps kmend from acting. How long it was away nobody says, so it was no time at all: whatever was
 * done was done just now, and what was to last for an hour more lasts for that hour. */
#include "decide/internal.h"

/* In what outlives a row it happened; 0 is "never". */
#define BEGIN_NS 1

/* What counts no more is left out. The new count. */
static uint32_t all_at_begin(uint64_t *t_ns, uint32_t count, uint64_t oldest_ns)
{
	uint32_t n = 0;

	while (n < count && t_ns[n] > oldest_ns)
		t_ns[n++] = BEGIN_NS;
	for (uint32_t i = n; i < count; i++)
		t_ns[i] = 0;
	return n;
}

/* Ids go on, so that no two incidents share a number; a pause stands. */
bool km_lasting_meta(void *row, uint64_t now_ns)
{
	const struct km_meta *old = row;
	struct km_meta m = { .key = old->key, .incidents = old->incidents };

	(void)now_ns;
	m.paused_ns = old->paused_ns ? BEGIN_NS : 0;
	memcpy(row, &m, sizeof(m));
	return m.incidents || m.paused_ns;
}

void km_lasting_meta_returns(void *row, uint64_t now_ns)
{
	struct km_meta *m = row;

	m->paused_ns = m->paused_ns ? now_ns : 0;
}

static void all_at(uint64_t *t_ns, uint32_t count, uint32_t kept, uint64_t now_ns)
{
	for (uint32_t i = 0; i < count && i < kept; i++)
		t_ns[i] = now_ns;
}

bool km_lasting_acts(void *row, uint64_t now_ns)
{
	struct km_acts *a = row;

	a->count = all_at_begin(a->t_ns, a->count, now_ns > a->keep_ns ? now_ns - a->keep_ns : 0);
	return a->count;
}

void km_lasting_acts_return(void *row, uint64_t now_ns)
{
	struct km_acts *a = row;

	all_at(a->t_ns, a->count, KM_ARRAY_SIZE(a->t_ns), now_ns);
}

bool km_lasting_host(void *row, uint64_t now_ns)
{
	struct km_host_acts *h = row;

	h->count = all_at_begin(h->t_ns, h->count, now_ns > h->keep_ns ? now_ns - h->keep_ns : 0);
	return h->count;
}

void km_lasting_host_returns(void *row, uint64_t now_ns)
{
	struct km_host_acts *h = row;

	all_at(h->t_ns, h->count, KM_ARRAY_SIZE(h->t_ns), now_ns);
}

bool km_lasting_pace(void *row, uint64_t now_ns)
{
	struct km_pace *p = row;

	(void)now_ns;
	p->last_ns = BEGIN_NS;
	return true;
}

void km_lasting_pace_returns(void *row, uint64_t now_ns)
{
	struct km_pace *p = row;

	p->last_ns = now_ns;
}

bool km_lasting_quarantine(void *row, uint64_t now_ns)
{
	struct km_quarantine *q = row;

	(void)now_ns;
	q->since_ns = BEGIN_NS;
	return true;
}

void km_lasting_quarantine_returns(void *row, uint64_t now_ns)
{
	struct km_quarantine *q = row;

	q->since_ns = now_ns;
}

bool km_lasting_maintain(void *row, uint64_t now_ns)
{
	struct km_maintain *m = row;

	if (m->until_ns <= now_ns)
		return false;
	m->until_ns -= now_ns;
	return true;
}

void km_lasting_maintain_returns(void *row, uint64_t now_ns)
{
	struct km_maintain *m = row;

	if (__builtin_add_overflow(m->until_ns, now_ns, &m->until_ns))
		m->until_ns = UINT64_MAX;
}

/* No time is in it. */
bool km_lasting_track(void *row, uint64_t now_ns)
{
	(void)row;
	(void)now_ns;
	return true;
}
