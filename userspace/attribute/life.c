// SPDX-License-Identifier: Apache-2.0
/* Up, down, and the one event that each change makes. Records change what is known (processes,
 * main process); km_service_settle() then goes towards it in single steps, so that a life that
 * ended and the next that began in one record make two events, and evidence that comes twice
 * makes one. */
#include "attribute/state.h"

void km_service_touch(struct km_attribute *a, struct km_service_row *s)
{
	if (!s->dirty)
		km_attribute_misc(a)->dirty++;
	s->dirty = 1;
}

static void set_main(struct km_service_row *s, uint32_t tgid, uint64_t start_ns)
{
	s->pub.main_tgid = tgid;
	s->pub.main_start_ns = start_ns;
}

/* Those that were there before the pidfile was read; later ones inherit at their fork. */
static void bind_children(struct km_attribute *a, const struct km_service_row *s)
{
	bool more = true;

	while (more) {
		struct km_process_row *p;
		uint32_t slot = 0;

		more = false;
		while ((p = km_table_next(a->processes, &slot))) {
			const struct km_process_row *parent = km_process_find(a, p->ppid, 0);

			if (p->bound_id || !parent || parent->bound_id != s->pub.id)
				continue;
			p->bound_id = s->pub.id;
			km_process_place(a, p, false);
			more = true;
		}
	}
}

/* The main process is told by record: it joins whatever its cgroup is. */
static void bind_main(struct km_attribute *a, struct km_service_row *s, uint32_t tgid,
                      uint64_t start_ns)
{
	struct km_process_row *p = km_process_find(a, tgid, start_ns);
	struct km_process_seen seen = {
		.t_ns = km_attribute_misc(a)->now_ns,
		.cgroup_id = s->pub.kind == KM_BY_COMMAND ? s->pub.cgroup_id : 0,
		.start_ns = start_ns,
		.tgid = tgid,
	};

	if (!p)
		p = km_process_see(a, &seen);
	set_main(s, tgid, p ? p->start_ns : start_ns);
	if (!p)
		return;
	p->bound_id = s->pub.id;
	km_process_place(a, p, false);
	km_image_runs(a, s, p);
	if (s->pub.kind == KM_BY_PIDFILE)
		bind_children(a, s);
}

static void install_next(struct km_attribute *a, struct km_service_row *s)
{
	struct km_ended_row *e = km_process_find_ended(a, s->next_tgid, s->next_start_ns);

	if (e) {
		set_main(s, s->next_tgid, s->next_start_ns);
		e->service_id = s->pub.id;
		s->stillborn = 1;
	} else {
		bind_main(a, s, s->next_tgid, s->next_start_ns);
	}
	s->next_tgid = 0;
	s->next_start_ns = 0;
}

static bool is_main(const struct km_service_row *s, uint32_t tgid, uint64_t start_ns)
{
	return s->pub.main_tgid == tgid && km_attribute_same_start(s->pub.main_start_ns, start_ns);
}

/* Told once already: by its exec record and then its exit, before the actor's word came. */
static bool life_is_over(const struct km_service_row *s, uint32_t tgid, uint64_t start_ns)
{
	return s->pub.last.t_ns != 0 && s->pub.last.tgid == tgid &&
	       km_attribute_same_start(s->pub.last.start_ns, start_ns);
}

static void lose_main(struct km_attribute *a, struct km_service_row *s, uint64_t t_ns)
{
	struct km_process_row *p = km_process_find(a, s->pub.main_tgid, s->pub.main_start_ns);

	if (p && p->service_id == s->pub.id)
		km_process_end(a, p, t_ns, -1);
	set_main(s, 0, 0);
	km_service_touch(a, s);
}

void km_service_next_main(struct km_attribute *a, struct km_service_row *s, uint32_t tgid,
                          uint64_t start_ns)
{
	if (tgid == 0 || life_is_over(s, tgid, start_ns))
		return;
	if (is_main(s, tgid, start_ns)) {
		bind_main(a, s, tgid, start_ns);
		return;
	}
	/* A pidfile may name a successor while the old process still drains. */
	if (s->pub.kind == KM_BY_PIDFILE && s->pub.state == KM_SERVICE_UP && s->pub.main_tgid &&
	    km_process_find(a, s->pub.main_tgid, s->pub.main_start_ns)) {
		bind_main(a, s, tgid, start_ns);
		return;
	}
	if (s->pub.main_tgid)
		lose_main(a, s, km_attribute_misc(a)->now_ns);
	s->next_tgid = tgid;
	s->next_start_ns = start_ns;
	km_service_touch(a, s);
}

void km_service_down(struct km_attribute *a, struct km_service_row *s, uint64_t t_ns)
{
	s->next_tgid = 0;
	s->next_start_ns = 0;
	if (s->pub.main_tgid)
		lose_main(a, s, t_ns);
	if (s->pub.state == KM_SERVICE_UNKNOWN) {
		s->pub.state = KM_SERVICE_DOWN;
		s->pub.since_ns = t_ns;
	}
	km_service_touch(a, s);
}

static void clear_end(struct km_service_row *s)
{
	memset(&s->end, 0, sizeof(s->end));
	s->end_is_main = 0;
}

static enum km_event begin(struct km_attribute *a, struct km_service_row *s)
{
	uint64_t now = km_attribute_misc(a)->now_ns, since = s->pub.main_start_ns;
	const struct km_ended_row *e;

	/* What was there before kmend has been up since its own start. */
	if (since == 0 || since > now ||
	    (s->pub.state == KM_SERVICE_DOWN && since < s->pub.since_ns))
		since = now;
	s->pub.state = KM_SERVICE_UP;
	s->pub.since_ns = since;
	s->pub.starts++;
	km_health_begin(&s->pub, now);
	clear_end(s);
	if (s->stillborn) {
		e = km_process_find_ended(a, s->pub.main_tgid, s->pub.main_start_ns);
		if (e)
			s->end = e->end;
		s->stillborn = 0;
		set_main(s, 0, 0);
	}
	return KM_EV_STARTED;
}

/* A start that kmend made itself may be over at once: that is an end like any other. */
static bool was_asked(const struct km_service_row *s)
{
	return s->expect_until_ns >= s->pub.last.t_ns && s->pub.since_ns <= s->expect_from_ns;
}

static enum km_event finish(struct km_attribute *a, struct km_service_row *s)
{
	s->pub.last = s->end;
	if (s->pub.last.t_ns == 0)
		s->pub.last.t_ns = km_attribute_misc(a)->now_ns;
	if (s->pub.last.start_ns == 0)
		s->pub.last.start_ns = s->pub.since_ns;
	s->pub.last.asked = was_asked(s);
	s->expect_until_ns = 0;
	s->pub.state = KM_SERVICE_DOWN;
	s->pub.since_ns = s->pub.last.t_ns;
	s->pub.exits++;
	km_health_begin(&s->pub, s->pub.since_ns);
	clear_end(s);
	return KM_EV_ENDED;
}

enum km_event km_service_settle(struct km_attribute *a, struct km_service_row *s)
{
	bool up = s->pub.state == KM_SERVICE_UP, alive;

	if (!s->dirty)
		return KM_EV_NONE;
	if (!up && s->next_tgid)
		install_next(a, s);
	alive = km_service_by_main(s) ? s->pub.main_tgid != 0 : s->pub.processes > 0;
	if (alive && !up)
		return begin(a, s);
	if (!alive && up && (s->end.t_ns != 0 || km_service_by_main(s)))
		return finish(a, s);
	/* All its processes moved away: nothing ended, and nothing is known of it any more. */
	if (!alive && up) {
		s->pub.state = KM_SERVICE_UNKNOWN;
		s->pub.since_ns = km_attribute_misc(a)->now_ns;
	}
	s->dirty = 0;
	km_attribute_misc(a)->dirty--;
	return KM_EV_NONE;
}

void km_service_fill_in(struct km_attribute *a, const struct km_ended_row *e)
{
	struct km_service_row *s = e->service_id ? km_service_row(a, e->service_id) : NULL;
	struct km_ending *places[2];

	if (!s)
		return;
	places[0] = &s->pub.last;
	places[1] = &s->end;
	for (size_t i = 0; i < KM_ARRAY_SIZE(places); i++) {
		uint32_t asked = places[i]->asked;

		if (places[i]->t_ns == 0 || places[i]->tgid != e->end.tgid ||
		    !km_attribute_same_start(places[i]->start_ns, e->end.start_ns))
			continue;
		*places[i] = e->end;
		places[i]->asked = asked;
	}
}
