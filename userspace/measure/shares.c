// SPDX-License-Identifier: Apache-2.0
/* What each process has, as it was listed last: a process that did not run since is not listed
 * again, and has what it had. At the end of a pass the shares of a service become its sums. */
#include "measure/state.h"

struct pass {
	uint64_t key;     /* 1 */
	uint32_t seen;    /* 1: a process was listed */
	uint32_t listed;  /* 1: it was said that all were that had to be */
	uint32_t partial; /* 1: without those that did not run */
	uint32_t pad;
};

/* Where the shares of one service go; what is NULL it does not have. */
struct sums {
	uint64_t service_id;
	struct km_measure_row *memory, *threads, *descriptors;
	struct km_value *kinds[KM_SHARE_KINDS];
	struct km_value *sched[KM_SHARE_SCHED];
};

static const enum km_sig sched_signals[KM_SHARE_SCHED] = {
	KM_SIG_ZOMBIES,         KM_SIG_SCHED_BLOCKED,     KM_SIG_SCHED_STOPPED, KM_SIG_SCHED_CPU,
	KM_SIG_SCHED_RUN_DELAY, KM_SIG_SCHED_INVOLUNTARY, KM_SIG_MAJOR_FAULTS,  KM_SIG_WRITTEN,
};

static bool share_valid(const void *row)
{
	const struct km_share *s = row;

	return s->tgid && s->tgid <= UINT32_MAX && s->service_id &&
	       s->blocked <= KM_PROCESSES_MAX && s->stopped <= KM_PROCESSES_MAX && s->zombie <= 1 &&
	       s->sched <= 1 && s->seen <= 1;
}

static bool pass_valid(const void *row)
{
	const struct pass *p = row;

	return p->key == 1 && p->seen <= 1 && p->listed <= 1 && p->partial <= 1;
}

int km_shares_new(struct km_measure *m)
{
	static const struct km_table_opts shares = {
		.name = "shares",
		.rows_max = KM_PROCESSES_MAX,
		.row_size = sizeof(struct km_share),
		.key_size = sizeof(uint64_t),
		.valid = share_valid,
	};
	static const struct km_table_opts passes = {
		.name = "listing",
		.rows_max = 1,
		.row_size = sizeof(struct pass),
		.key_size = sizeof(uint64_t),
		.valid = pass_valid,
	};
	int r = km_table_new(&shares, &m->shares);

	return r < 0 ? r : km_table_new(&passes, &m->listing);
}

static struct pass *pass_of(struct km_measure *m)
{
	const uint64_t key = 1;
	struct pass *p;

	return km_table_put(m->listing, &key, &p) < 0 ? NULL : p;
}

void km_shares_listed(struct km_measure *m, const struct kmend_listed *l)
{
	struct pass *p = pass_of(m);

	if (p) {
		p->listed = 1;
		p->partial = l->partial;
	}
}

void km_shares_gone(struct km_measure *m, uint32_t tgid, uint64_t start_ns)
{
	uint64_t key = tgid;
	const struct km_share *s = km_table_get(m->shares, &key);

	if (s && (!start_ns || !s->start_ns || km_attribute_same_start(s->start_ns, start_ns)))
		km_table_drop(m->shares, &key);
}

/* The share of the process, its service's from now on. 1: a new one, or of another service. */
static int share_of(struct km_measure *m, uint64_t service_id, uint32_t tgid, uint64_t start_ns,
                    struct km_share **ret)
{
	uint64_t key = tgid;
	int r = km_table_put(m->shares, &key, ret);
	struct km_share *s = *ret;

	if (r < 0)
		return r;
	if (s->service_id == service_id && km_attribute_same_start(s->start_ns, start_ns)) {
		s->seen = 1;
		return 0;
	}
	*s = (struct km_share){ .tgid = tgid, .start_ns = start_ns, .service_id = service_id };
	s->seen = 1;
	return 1;
}

/* Room for what the share will be added to, so that a full table is said at once. */
static int make_room(struct km_measure *m, const struct km_share *s, uint64_t t_ns)
{
	bool room = true;

	if (s->has & KMEND_HAS_RSS) {
		room = room && km_measure_make(m, s->service_id, KM_MEMORY, t_ns);
		for (int i = 0; i < KM_SHARE_KINDS; i++)
			room = room && km_measure_value_make(m, s->service_id,
			                                     KM_SIG_MEMORY_ANON + i, t_ns);
	}
	if (s->has & KMEND_HAS_THREADS)
		room = room && km_measure_make(m, s->service_id, KM_THREADS, t_ns);
	if (s->has & KMEND_HAS_FDS)
		room = room && km_measure_make(m, s->service_id, KM_DESCRIPTORS, t_ns);
	for (int i = 0; s->sched && i < KM_SHARE_SCHED; i++)
		room = room && km_measure_value_make(m, s->service_id, sched_signals[i], t_ns);
	return room ? 0 : -ENOSPC;
}

int km_shares_task(struct km_measure *m, const struct km_signal *s,
                   const struct km_service *service)
{
	const struct kmend_task *t = &s->task;
	struct pass *p = pass_of(m);
	struct km_share *share;
	uint32_t had;
	int r;

	if (p)
		p->seen = 1;
	if (!service) {
		km_shares_gone(m, t->tgid, 0);
		return 0;
	}
	r = share_of(m, service->id, t->tgid, t->start_ns, &share);
	if (r < 0)
		return r;
	had = share->has;
	share->kinds[0] = t->anon_bytes;
	share->kinds[1] = t->file_bytes;
	share->kinds[2] = t->shmem_bytes;
	share->kinds[3] = t->swap_bytes;
	share->fds_limit = t->has & KMEND_HAS_LIMITS ? t->fds_limit : KM_UNKNOWN;
	share->fds = t->fds;
	share->threads = t->threads;
	share->has = t->has;
	share->zombie = 0;
	return r || had != t->has ? make_room(m, share, s->t_ns) : 0;
}

int km_shares_sched(struct km_measure *m, const struct km_signal *s,
                    const struct km_subject *subject)
{
	const struct kmend_sched *d = &s->sched;
	const struct km_use *u = &subject->use;
	struct km_share *share;
	uint32_t had;
	int r;

	r = share_of(m, subject->service->id, d->tgid, d->start_ns, &share);
	if (r < 0)
		return r;
	had = share->sched;
	share->sched = 1;
	share->zombie = d->zombie;
	share->blocked = d->blocked;
	share->stopped = d->stopped;
	share->used.cpu_ns += u->cpu_ns;
	share->used.run_delay_ns += u->run_delay_ns;
	share->used.involuntary += u->involuntary;
	share->used.major_faults += u->major_faults;
	share->used.written_bytes += u->written_bytes;
	return r || !had ? make_room(m, share, s->t_ns) : 0;
}

static struct sums sums_of(const struct km_measure *m, uint64_t service_id)
{
	struct sums s = { .service_id = service_id };

	s.memory = km_measure_row(m, service_id, KM_MEMORY);
	s.threads = km_measure_row(m, service_id, KM_THREADS);
	s.descriptors = km_measure_row(m, service_id, KM_DESCRIPTORS);
	for (int i = 0; i < KM_SHARE_KINDS; i++)
		s.kinds[i] = km_measure_value_row(m, service_id, KM_SIG_MEMORY_ANON + i);
	for (int i = 0; i < KM_SHARE_SCHED; i++)
		s.sched[i] = km_measure_value_row(m, service_id, sched_signals[i]);
	return s;
}

static void add_value(struct km_value *v, double n)
{
	if (!v)
		return;
	v->pending += n;
	v->gathered++;
}

static void add_sched(const struct sums *to, const struct km_share *s)
{
	const struct km_use *u = &s->used;
	const double n[KM_SHARE_SCHED] = {
		s->zombie,
		s->blocked,
		s->stopped,
		(double)u->cpu_ns / 1000,
		(double)u->run_delay_ns / 1000,
		(double)u->involuntary,
		(double)u->major_faults,
		(double)u->written_bytes,
	};

	for (int i = 0; i < KM_SHARE_SCHED; i++)
		add_value(to->sched[i], n[i]);
}

static void add_share(const struct sums *to, const struct km_share *s)
{
	if (s->has & KMEND_HAS_RSS) {
		km_measure_add_task(to->memory, s->kinds[0] + s->kinds[2]);
		for (int i = 0; i < KM_SHARE_KINDS; i++)
			add_value(to->kinds[i], (double)s->kinds[i]);
	}
	if (s->has & KMEND_HAS_THREADS)
		km_measure_add_task(to->threads, s->threads);
	if (s->has & KMEND_HAS_FDS)
		km_measure_add_descriptors(to->descriptors, s);
	if (s->sched)
		add_sched(to, s);
}

/* Processes of a service were mostly born together: its rows are looked up once for a run of
 * them. */
void km_shares_close(struct km_measure *m)
{
	struct pass *p = pass_of(m);
	struct sums to = { 0 };
	struct km_share *s;
	uint32_t slot = 0;
	bool whole;

	if (!p || !(p->seen || p->listed))
		return;
	whole = !(p->listed && p->partial);
	p->seen = p->listed = p->partial = 0;
	while ((s = km_table_next(m->shares, &slot))) {
		/* Nobody tells of a zombie that it is still there but the listing. */
		if (!s->seen && (whole || s->zombie)) {
			km_table_drop(m->shares, &s->tgid);
			continue;
		}
		if (to.service_id != s->service_id)
			to = sums_of(m, s->service_id);
		add_share(&to, s);
		s->seen = 0;
		memset(&s->used, 0, sizeof(s->used));
	}
}
