// SPDX-License-Identifier: Apache-2.0
/* Processes: who is there, whose they are, how they ended. */
#include "attribute/state.h"

#define CLOCK_TICK_NS 10000000ULL /* USER_HZ is 100 everywhere */

static bool cut_to_ticks(uint64_t cut_ns, uint64_t exact_ns)
{
	return cut_ns % CLOCK_TICK_NS == 0 && exact_ns >= cut_ns &&
	       exact_ns - cut_ns < CLOCK_TICK_NS;
}

bool km_attribute_same_start(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns == b_ns || cut_to_ticks(a_ns, b_ns) || cut_to_ticks(b_ns, a_ns);
}

/* 0: whoever has the number. */
static bool is_who(uint64_t have_ns, uint64_t asked_ns)
{
	return asked_ns == 0 || have_ns == 0 || km_attribute_same_start(have_ns, asked_ns);
}

struct km_process_row *km_process_find(const struct km_attribute *a, uint32_t tgid,
                                       uint64_t start_ns)
{
	uint64_t key = tgid;
	struct km_process_row *p = tgid ? km_table_get(a->processes, &key) : NULL;

	return p && is_who(p->start_ns, start_ns) ? p : NULL;
}

struct km_ended_row *km_process_find_ended(const struct km_attribute *a, uint32_t tgid,
                                           uint64_t start_ns)
{
	uint64_t key = tgid;
	struct km_ended_row *e = tgid ? km_table_get(a->ended, &key) : NULL;

	return e && is_who(e->end.start_ns, start_ns) ? e : NULL;
}

static const struct km_executable *find_executable(const struct km_attribute *a, uint64_t hash)
{
	for (size_t i = 0; hash && i < a->executable_count; i++)
		if (a->executables[i].path_hash == hash)
			return &a->executables[i];
	return NULL;
}

/* What a record or a definition says of the process itself goes before what its cgroup says. */
static struct km_service_row *owner(struct km_attribute *a, const struct km_process_row *p)
{
	struct km_service_row *s = p->bound_id ? km_service_row(a, p->bound_id) : NULL;
	const struct km_executable *e;

	if (s)
		return s;
	e = find_executable(a, p->path_hash);
	s = e ? km_service_row(a, e->service_id) : NULL;
	return s ? s : km_cgroup_service(a, p->cgroup_id, true);
}

void km_process_place(struct km_attribute *a, struct km_process_row *p, bool fresh)
{
	struct km_service_row *to = owner(a, p), *from;

	if ((to ? to->pub.id : 0) == p->service_id)
		return;
	from = p->service_id ? km_service_row(a, p->service_id) : NULL;
	p->service_id = 0;
	if (from)
		km_service_left(a, from, p, NULL);
	if (!to)
		return;
	p->service_id = to->pub.id;
	km_service_joined(a, to, p, fresh);
}

void km_process_place_all(struct km_attribute *a, uint64_t cgroup_id)
{
	struct km_process_row *p;
	uint32_t slot = 0;

	while ((p = km_table_next(a->processes, &slot)))
		if (cgroup_id == 0 || p->cgroup_id == cgroup_id)
			km_process_place(a, p, false);
}

/* A child runs its parent's image until it executes another, and stays with a pidfile's service,
 * whose members nothing else tells. */
static void inherit(const struct km_attribute *a, struct km_process_row *p)
{
	const struct km_process_row *parent = km_process_find(a, p->ppid, 0);
	const struct km_service_row *s;

	if (!parent)
		return;
	p->path_hash = parent->path_hash;
	s = parent->bound_id ? km_service_row(a, parent->bound_id) : NULL;
	if (!s || s->pub.kind != KM_BY_PIDFILE)
		return;
	p->bound_id = parent->bound_id;
	p->image = parent->image;
}

static struct km_process_row *make(struct km_attribute *a, const struct km_process_seen *seen)
{
	uint64_t key = seen->tgid;
	struct km_process_row *p;

	if (km_table_put(a->processes, &key, &p) < 0) {
		km_attribute_misc(a)->refused++;
		return NULL;
	}
	p->start_ns = seen->start_ns;
	p->cgroup_id = seen->cgroup_id;
	p->ppid = seen->ppid;
	inherit(a, p);
	return p;
}

struct km_process_row *km_process_see(struct km_attribute *a, const struct km_process_seen *seen)
{
	uint64_t key = seen->tgid;
	struct km_process_row *p;

	if (seen->tgid == 0 || km_process_find_ended(a, seen->tgid, seen->start_ns))
		return NULL;
	p = km_table_get(a->processes, &key);
	if (p && !is_who(p->start_ns, seen->start_ns)) {
		km_process_end(a, p, seen->t_ns, -1);
		p = NULL;
	}
	/* Told late by the other ring: it has moved into its service's cgroup meanwhile. */
	if (p && seen->born)
		return p;
	if (!p)
		p = make(a, seen);
	if (!p)
		return NULL;
	if (seen->ppid)
		p->ppid = seen->ppid;
	if (seen->cgroup_id)
		p->cgroup_id = seen->cgroup_id;
	if (seen->path)
		p->path_hash = km_path_hash(seen->path);
	if (seen->image)
		p->image = km_image_of(seen->path, seen->image);
	p->pass = km_attribute_misc(a)->pass;
	p->missed = 0;
	km_process_place(a, p, seen->fresh);
	return p;
}

/* Frees a good part at once, so that the scan is paid for by many ends: first all of the host's,
 * then the older half of the time that is covered. */
static void make_room(struct km_attribute *a, uint64_t now_ns)
{
	uint64_t oldest = now_ns;
	struct km_ended_row *e;
	uint32_t slot = 0;

	while ((e = km_table_next(a->ended, &slot))) {
		if (!e->service_id)
			km_table_drop(a->ended, &e->tgid);
		else if (e->end.t_ns < oldest)
			oldest = e->end.t_ns;
	}
	if (km_table_count(a->ended) < KM_ENDED_MAX)
		return;
	slot = 0;
	while ((e = km_table_next(a->ended, &slot)))
		if (e->end.t_ns <= oldest + (now_ns - oldest) / 2)
			km_table_drop(a->ended, &e->tgid);
}

void km_process_note_end(struct km_attribute *a, uint64_t service_id, const struct km_ending *end)
{
	uint64_t key = end->tgid;
	struct km_ended_row *e;

	if (km_table_count(a->ended) >= KM_ENDED_MAX)
		make_room(a, km_attribute_misc(a)->now_ns);
	if (km_table_put(a->ended, &key, &e) < 0) {
		km_attribute_misc(a)->refused++;
		return;
	}
	e->service_id = service_id;
	e->end = *end;
}

/* The signal that was seen belongs to the end if it killed, or was caught not long before. */
static void add_signal(const struct km_process_row *p, struct km_ending *e)
{
	uint32_t killed_by = e->exit_code & 0x7f;

	if (p->signal == 0)
		return;
	if (killed_by ? killed_by != p->signal
	              : e->t_ns > p->signal_ns && e->t_ns - p->signal_ns > KM_SIGNAL_KEPT_NS)
		return;
	e->signal = p->signal;
	e->sender_tgid = p->sender_tgid;
	e->sender_uid = p->sender_uid;
	e->sender = (uint32_t)p->sender;
	memcpy(e->sender_comm, p->sender_comm, sizeof(e->sender_comm));
}

void km_process_end(struct km_attribute *a, struct km_process_row *p, uint64_t t_ns, int status)
{
	struct km_service_row *s = p->service_id ? km_service_row(a, p->service_id) : NULL;
	struct km_process_row was = *p;
	struct km_ending end = {
		.t_ns = t_ns,
		.tgid = (uint32_t)p->tgid,
		.start_ns = p->start_ns,
		.exit_code = status < 0 ? 0 : (uint32_t)status,
		.known = status >= 0,
		.oom = p->oom,
	};

	add_signal(&was, &end);
	km_process_note_end(a, was.service_id, &end);
	km_table_drop(a->processes, &was.tgid);
	if (s)
		km_service_left(a, s, &was, &end);
}

static void forget_ended(struct km_attribute *a, uint64_t now_ns)
{
	struct km_ended_row *e;
	uint32_t slot = 0;

	while ((e = km_table_next(a->ended, &slot))) {
		uint64_t kept = e->service_id ? KM_ENDED_KEPT_NS : KM_ENDED_HOST_NS;

		if (now_ns > e->end.t_ns && now_ns - e->end.t_ns > kept)
			km_table_drop(a->ended, &e->tgid);
	}
}

/* Two passes, because the first may have begun before the process was there. A tick between two
 * passes has no samples and tells nothing, and one that lists who ran tells nothing of others. */
void km_process_pass(struct km_attribute *a, uint64_t now_ns)
{
	struct km_attribute_misc *m = km_attribute_misc(a);
	struct km_process_row *p;
	uint32_t slot = 0;

	forget_ended(a, now_ns);
	if (m->tasks == 0 || m->partial) {
		m->tasks = m->partial = 0;
		return;
	}
	while ((p = km_table_next(a->processes, &slot)))
		if (p->pass != m->pass && ++p->missed >= KM_PASSES_MISSED)
			km_process_end(a, p, now_ns, -1);
	m->pass++;
	m->tasks = 0;
}
