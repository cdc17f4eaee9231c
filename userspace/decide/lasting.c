// SPDX-License-Identifier: Apache-2.0
/* What of this phase's state the next boot must know: all that keeps kmend from acting. How long
 * the host was down nobody says, so it was no time at all: whatever was done was done at the
 * beginning of the new boot, and what was to last for an hour more lasts for that hour. */
#include "decide/internal.h"

/* Boot time at which everything of before happened; 0 would be "never". */
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

bool km_lasting_acts(void *row, uint64_t now_ns)
{
	struct km_acts *a = row;

	a->count = all_at_begin(a->t_ns, a->count, now_ns > a->keep_ns ? now_ns - a->keep_ns : 0);
	return a->count;
}

bool km_lasting_host(void *row, uint64_t now_ns)
{
	struct km_host_acts *h = row;

	h->count = all_at_begin(h->t_ns, h->count, now_ns > h->keep_ns ? now_ns - h->keep_ns : 0);
	return h->count;
}

bool km_lasting_pace(void *row, uint64_t now_ns)
{
	struct km_pace *p = row;

	(void)now_ns;
	p->last_ns = BEGIN_NS;
	return true;
}

bool km_lasting_quarantine(void *row, uint64_t now_ns)
{
	struct km_quarantine *q = row;

	(void)now_ns;
	q->since_ns = BEGIN_NS;
	return true;
}

bool km_lasting_maintain(void *row, uint64_t now_ns)
{
	struct km_maintain *m = row;

	if (m->until_ns <= now_ns)
		return false;
	m->until_ns -= now_ns;
	return true;
}

/* No time is in it. */
bool km_lasting_track(void *row, uint64_t now_ns)
{
	(void)row;
	(void)now_ns;
	return true;
}
