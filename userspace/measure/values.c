// SPDX-License-Identifier: Apache-2.0
/* Newest values of signals: what records say as a value, what is counted from events, and what the
 * tasks of a service have together. */
#include <math.h>

#include "measure/state.h"

/* Signals of one service that come as values; more find no room and are counted. */
#define SIGNALS_EACH 32
/* No value for so many periods of its own, or for this long: not measured any more. */
#define STALE_PERIODS 5
#define STALE_MIN_NS  (10 * KM_NS_PER_S)
#define STALE_LEVELS  (130 * KM_NS_PER_S) /* the longest sampling period, twice */
#define KEPT_NS       (3600 * KM_NS_PER_S)

struct key {
	uint64_t service_id;
	uint64_t signal;
};

/* How a row is filled. */
enum source { BY_VALUE, BY_EVENT, BY_TASKS, BY_USE };

static enum source source_of(uint64_t signal)
{
	if (signal >= KM_SIG_MEMORY_ANON && signal <= KM_SIG_MEMORY_SWAP)
		return BY_TASKS;
	if (signal >= KM_SIG_SCHED_CPU && signal <= KM_SIG_WRITTEN)
		return BY_USE;
	if (signal >= KM_SIG_SCHED_BLOCKED && signal <= KM_SIG_ZOMBIES)
		return BY_TASKS;
	if (signal <= KM_SIG_OOM_KILLS ||
	    (signal >= KM_SIG_CONNECT_FAILURES && signal <= KM_SIG_RESETS))
		return BY_EVENT;
	return BY_VALUE;
}

static bool amount(double v)
{
	return isfinite(v) && v >= 0;
}

static bool valid(const void *row)
{
	const struct km_value *v = row;

	return v->service_id != 0 && v->signal < KM_SIG_MAX &&
	       km_catalogue[v->signal].resource == KM_RESOURCE_NONE && v->measured <= 1 &&
	       v->window_ns <= v->period_ns && amount(v->value) && amount(v->error) &&
	       amount(v->total) && amount(v->pending) && isfinite(v->limit);
}

int km_measure_values_new(struct km_table **ret)
{
	static const struct km_table_opts opts = {
		.name = "values",
		.rows_max = KM_SERVICES_MAX * SIGNALS_EACH,
		.row_size = sizeof(struct km_value),
		.key_size = sizeof(struct key),
		.valid = valid,
	};

	return km_table_new(&opts, ret);
}

struct km_value *km_measure_value_row(const struct km_measure *m, uint64_t service_id,
                                      enum km_sig sig)
{
	const struct key key = { service_id, sig };

	return km_table_get(m->values, &key);
}

struct km_value *km_measure_value_make(struct km_measure *m, uint64_t service_id, enum km_sig sig,
                                       uint64_t t_ns)
{
	const struct key key = { service_id, sig };
	struct km_value *row;
	int r = km_table_put(m->values, &key, &row);

	if (r < 0)
		return NULL;
	if (r > 0) {
		row->t_ns = t_ns;
		row->limit = -1;
	}
	return row;
}

static int gather(struct km_measure *m, uint64_t service_id, enum km_sig sig, uint64_t t_ns,
                  double n)
{
	struct km_value *row = km_measure_value_make(m, service_id, sig, t_ns);

	if (!row)
		return -ENOSPC;
	row->pending += n;
	row->gathered++;
	return 0;
}

static int put(struct km_measure *m, const struct km_value *v)
{
	enum km_resource r = km_catalogue[v->signal].resource;
	struct km_value *row;
	double total;

	if (r != KM_RESOURCE_NONE)
		return km_measure_limited(m, v->service_id, r, v);
	row = km_measure_value_make(m, v->service_id, v->signal, v->t_ns);
	if (!row)
		return -ENOSPC;
	total = row->total + v->total;
	*row = *v;
	row->total = total;
	row->measured = 1;
	return 0;
}

/* An amount within a period becomes one per second. */
static int on_value(struct km_measure *m, const struct km_signal *s, uint64_t service_id)
{
	const struct km_raw_value *raw = s->value;
	enum km_shape shape = km_catalogue[raw->signal].shape;
	bool rate = shape == KM_SHAPE_EVENT || shape == KM_SHAPE_COUNTER;
	double period_s = (double)raw->period_ns / (double)KM_NS_PER_S;
	struct km_value v = {
		.service_id = service_id,
		.signal = raw->signal,
		.t_ns = s->t_ns,
		.period_ns = raw->period_ns,
		.window_ns = raw->window_ns,
		.value = raw->value,
		.limit = raw->limit,
		.error = raw->error,
	};

	if (rate && raw->period_ns == 0)
		return 0;
	if (rate) {
		v.total = raw->value;
		v.value = raw->value / period_s;
		v.error = raw->error / period_s;
	}
	return put(m, &v);
}

static int level(struct km_measure *m, const struct km_signal *s, uint64_t service_id,
                 const struct km_value *v)
{
	struct km_value copy = *v;

	copy.service_id = service_id;
	copy.t_ns = s->t_ns;
	return put(m, &copy);
}

static int on_pressure(struct km_measure *m, const struct km_signal *s, uint64_t service_id)
{
	const struct km_raw_host *h = &s->host;
	const struct km_value values[] = {
		{ .signal = KM_SIG_PSI_CPU_SOME, .value = h->psi_cpu_some_ppm, .limit = -1 },
		{ .signal = KM_SIG_PSI_MEMORY_SOME, .value = h->psi_memory_some_ppm, .limit = -1 },
		{ .signal = KM_SIG_PSI_MEMORY_FULL, .value = h->psi_memory_full_ppm, .limit = -1 },
		{ .signal = KM_SIG_PSI_IO_SOME, .value = h->psi_io_some_ppm, .limit = -1 },
		{ .signal = KM_SIG_PSI_IO_FULL, .value = h->psi_io_full_ppm, .limit = -1 },
	};
	int r = 0;

	for (size_t i = 0; i < KM_ARRAY_SIZE(values) && h->psi_measured && r == 0; i++)
		r = level(m, s, service_id, &values[i]);
	return r;
}

static int on_host(struct km_measure *m, const struct km_signal *s, uint64_t service_id)
{
	const struct km_raw_host *h = &s->host;
	struct km_value v = { .limit = -1 };
	int r = on_pressure(m, s, service_id);

	if (r == 0 && h->memory_total_bytes != KM_UNKNOWN &&
	    h->memory_available_bytes <= h->memory_total_bytes) {
		v.signal = KM_SIG_HOST_MEMORY;
		v.value = (double)(h->memory_total_bytes - h->memory_available_bytes);
		v.limit = (double)h->memory_total_bytes;
		r = level(m, s, service_id, &v);
	}
	if (r == 0 && h->files_open != KM_UNKNOWN && h->files_max != KM_UNKNOWN) {
		v.signal = KM_SIG_HOST_FILES;
		v.value = (double)h->files_open;
		v.limit = h->files_max < 1ULL << 62 ? (double)h->files_max : -1;
		r = level(m, s, service_id, &v);
	}
	return r;
}

#define TCP_SYN_SENT 2

static int on_event(struct km_measure *m, const struct km_signal *s, uint64_t service_id)
{
	static const struct {
		uint16_t type;
		uint16_t signal;
	} events[] = {
		{ KMEND_FORK, KM_SIG_FORKS },       { KMEND_EXEC, KM_SIG_EXECS },
		{ KMEND_EXIT, KM_SIG_EXITS },       { KMEND_SIGNAL, KM_SIG_SIGNALS },
		{ KMEND_OOM, KM_SIG_OOM_KILLS },    { KMEND_RETRANSMIT, KM_SIG_RETRANSMITS },
		{ KMEND_TCP_STATE, KM_SIG_RESETS },
	};
	double n = s->type == KMEND_RETRANSMIT ? (double)s->retransmit.count : 1;

	if (s->type == KMEND_TCP_STATE && s->tcp_state.to == TCP_SYN_SENT)
		return 0; /* goes on */
	if (s->type == KMEND_TCP_STATE && s->tcp_state.from == TCP_SYN_SENT)
		return gather(m, service_id, KM_SIG_CONNECT_FAILURES, s->t_ns, n);
	for (size_t i = 0; i < KM_ARRAY_SIZE(events); i++)
		if (events[i].type == s->type)
			return gather(m, service_id, events[i].signal, s->t_ns, n);
	return 0;
}

/* Of all checks of the service together, believed as long as each is. */
static int on_health(struct km_measure *m, const struct km_signal *s,
                     const struct km_service *service)
{
	struct km_value v = { .signal = KM_SIG_HEALTH_LATENCY,
		              .period_ns = s->health.believe_ns / STALE_PERIODS,
		              .value = (double)service->latency_ns / 1000,
		              .limit = -1 };
	uint64_t life = service->certificate_life_s, used = service->certificate_used_s;
	int r = level(m, s, service->id, &v);

	if (r < 0 || !life)
		return r;
	v.signal = KM_SIG_CERTIFICATE_LEFT;
	v.value = life > used ? (double)(life - used) : 0;
	return level(m, s, service->id, &v);
}

int km_measure_values(struct km_measure *m, const struct km_signal *s,
                      const struct km_subject *subject)
{
	uint64_t service_id = subject->service->id;

	switch (s->type) {
	case KM_RAW_VALUE:
		return on_value(m, s, service_id);
	case KM_RAW_HOST:
		return on_host(m, s, service_id);
	case KM_RAW_HEALTH:
		return on_health(m, s, subject->service);
	case KMEND_SCHED:
		return km_shares_sched(m, s, subject);
	default:
		return on_event(m, s, service_id);
	}
}

/* Programs count without a break, so that no event is zero, not silence. */
static void close_events(struct km_value *v, uint64_t now_ns)
{
	uint64_t dt = now_ns - v->t_ns;

	if (dt == 0)
		return;
	v->value = v->pending / ((double)dt / (double)KM_NS_PER_S);
	v->total += v->pending;
	v->period_ns = v->window_ns = dt;
	v->t_ns = now_ns;
	v->measured = 1;
}

static void close_tasks(struct km_value *v, uint64_t now_ns)
{
	if (!v->gathered)
		return;
	v->value = v->pending;
	v->t_ns = now_ns;
	v->measured = 1;
}

static bool stale(const struct km_value *v, uint64_t now_ns)
{
	uint64_t patience = v->period_ns ? STALE_PERIODS * v->period_ns : STALE_LEVELS;

	return now_ns - v->t_ns > (patience > STALE_MIN_NS ? patience : STALE_MIN_NS);
}

void km_measure_values_close(struct km_measure *m, uint64_t now_ns)
{
	struct km_value *v;
	uint32_t slot = 0;

	while ((v = km_table_next(m->values, &slot))) {
		enum source source = source_of(v->signal);

		if (now_ns < v->t_ns)
			continue;
		if (source == BY_EVENT)
			close_events(v, now_ns);
		else if (source == BY_USE && v->gathered)
			close_events(v, now_ns);
		else if (source == BY_TASKS)
			close_tasks(v, now_ns);
		v->pending = 0;
		v->gathered = 0;
		if (stale(v, now_ns))
			v->measured = 0;
		if (now_ns - v->t_ns > KEPT_NS)
			km_table_drop(m->values, v);
	}
}

/* Of what has a limit, as its series has it. */
static const struct km_value *from_series(struct km_measure *m, uint64_t service_id,
                                          enum km_sig sig)
{
	const struct km_features *f =
		km_measure_features(m, service_id, km_catalogue[sig].resource);

	if (!f)
		return NULL;
	m->value = (struct km_value){
		.service_id = service_id,
		.signal = sig,
		.t_ns = f->t_ns,
		.value = f->level,
		.limit = f->limit,
		.measured = f->measured,
	};
	return &m->value;
}

const struct km_value *km_measure_value(struct km_measure *m, uint64_t service_id, enum km_sig sig)
{
	if (sig >= KM_SIG_MAX)
		return NULL;
	if (km_catalogue[sig].resource != KM_RESOURCE_NONE)
		return from_series(m, service_id, sig);
	return km_measure_value_row(m, service_id, sig);
}

const struct km_value *km_measure_next_value(const struct km_measure *m, uint32_t *slot)
{
	return km_table_next(m->values, slot);
}
