// SPDX-License-Identifier: Apache-2.0
/* Starved or dead? A service that gets no CPU, no memory or no storage answers late or not at all,
 * and is not ill: restarting it costs its state and mends nothing. What holds it up is named. */
#include <stdio.h>

#include "decide/internal.h"

/* Half of the time ready to run and not running, in us a second; and longer than on a CPU. */
#define WAITS_US 500000.0
/* A fifth of the time taken by its own quota. */
#define THROTTLED_US 200000.0
/* A neighbour worth naming uses at least half a CPU. */
#define NEIGHBOUR_US 500000.0
/* All that could run of the host waits for memory or storage for a third of the time. */
#define FULL_PPM 300000.0

/* Negative: not measured. */
static double value(const struct km_move *m, uint64_t id, enum km_sig sig)
{
	const struct km_value *v = m->w->measure ? km_measure_value(m->w->measure, id, sig) : NULL;

	return v && v->measured ? v->value : -1;
}

/* Of all other services the one with the most CPU; NULL: none is worth naming. */
static const struct km_service *neighbour(const struct km_move *m, double *ret_us)
{
	const struct km_service *s, *most = NULL;
	double top = NEIGHBOUR_US;
	uint32_t slot = 0;

	while ((s = km_attribute_next(m->w->attribute, &slot))) {
		double us = s->id == m->r->service_id ? -1 : value(m, s->id, KM_SIG_SCHED_CPU);

		if (us >= top) {
			top = us;
			most = s;
		}
	}
	*ret_us = top;
	return most;
}

static bool lacks_cpu(const struct km_move *m)
{
	double waits = value(m, m->r->service_id, KM_SIG_SCHED_RUN_DELAY);
	double runs = value(m, m->r->service_id, KM_SIG_SCHED_CPU);

	return waits >= WAITS_US && waits > runs;
}

static bool host_is_full(const struct km_move *m, enum km_sig sig)
{
	return value(m, km_attribute_host_id(), sig) >= FULL_PPM;
}

/* Its own threads must be among those that wait: a host can be full without this service. */
static bool lacks_pages(const struct km_move *m)
{
	return value(m, m->r->service_id, KM_SIG_MAJOR_FAULTS) > 0 &&
	       host_is_full(m, KM_SIG_PSI_MEMORY_FULL);
}

static bool lacks_storage(const struct km_move *m)
{
	return value(m, m->r->service_id, KM_SIG_SCHED_BLOCKED) > 0 &&
	       host_is_full(m, KM_SIG_PSI_IO_FULL);
}

static enum km_starved look(const struct km_move *m)
{
	uint64_t id = m->r->service_id;

	if (value(m, id, KM_SIG_SCHED_FROZEN) > 0)
		return KM_STARVED_FROZEN;
	if (value(m, id, KM_SIG_SCHED_STOPPED) > 0)
		return KM_STARVED_STOPPED;
	if (value(m, id, KM_SIG_SCHED_THROTTLED) >= THROTTLED_US)
		return KM_STARVED_THROTTLED;
	if (lacks_cpu(m))
		return KM_STARVED_CPU;
	if (lacks_pages(m))
		return KM_STARVED_MEMORY;
	return lacks_storage(m) ? KM_STARVED_STORAGE : KM_STARVED_NOT;
}

/* What a limit forecasts is no matter of CPU: a leak is one, however slowly it grows. */
static bool is_about_limits(const struct km_move *m)
{
	return m->r->last.has_forecast && m->r->last.forecast.kind == KM_EXHAUSTION;
}

enum km_starved km_starved_why(const struct km_move *m)
{
	const struct km_step *step = km_plan_step(m);
	bool disturbs = step && (step->verb == KM_STOP || step->verb == KM_RESTART);

	if (!disturbs || !m->service || m->service->state != KM_SERVICE_UP || is_about_limits(m))
		return KM_STARVED_NOT;
	return look(m);
}

bool km_starved_not(const struct km_move *m)
{
	return km_starved_why(m) == KM_STARVED_NOT;
}

const char *km_starved_text(const struct km_move *m, char *ret, size_t size)
{
	static const char *const says[KM_STARVED_MAX] = {
		[KM_STARVED_NOT] = "it lacks something",
		[KM_STARVED_FROZEN] = "somebody froze its cgroup",
		[KM_STARVED_STOPPED] = "somebody stopped it by a signal or a debugger",
		[KM_STARVED_THROTTLED] = "its own CPU quota holds it up",
		[KM_STARVED_CPU] = "it is starved of CPU",
		[KM_STARVED_MEMORY] = "it is starved of memory, its pages are read back",
		[KM_STARVED_STORAGE] = "it is starved of storage",
	};
	enum km_starved why = km_starved_why(m);
	const struct km_service *other;
	double us;

	other = why == KM_STARVED_CPU ? neighbour(m, &us) : NULL;
	if (other)
		snprintf(ret, size, "%s: %.80s uses %u %% of one, throttle that", says[why],
		         other->name, (unsigned int)(us / 10000 + 0.5));
	else
		snprintf(ret, size, "%s", says[why]);
	return ret;
}
