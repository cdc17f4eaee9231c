/* SPDX-License-Identifier: Apache-2.0 */
/* A record as it would be if everything had taken FACTOR times as long. All times are moved alike
 * (base + FACTOR * (t - base)), so that their order and what names a process stay; what was before
 * the first record stays where it is. */
#ifndef KM_CAMPAIGN_SCALE_H
#define KM_CAMPAIGN_SCALE_H

#include "collect/raw.h"

/* A second becomes an hour: a boot time of years still fits into 64 bits. */
#define CAMPAIGN_FACTOR_MAX 3600

struct campaign_member {
	uint16_t type;
	uint16_t offset;
	uint16_t is_span; /* else a time */
};

#define CAMPAIGN_TIME(t, s, m)              \
	{                                   \
		t, offsetof(struct s, m), 0 \
	}
#define CAMPAIGN_SPAN(t, s, m)              \
	{                                   \
		t, offsetof(struct s, m), 1 \
	}

static const struct campaign_member campaign_members[] = {
	CAMPAIGN_TIME(KMEND_FORK, kmend_fork, start_ns),
	CAMPAIGN_TIME(KMEND_EXEC, kmend_exec, start_ns),
	CAMPAIGN_TIME(KMEND_EXIT, kmend_exit, start_ns),
	CAMPAIGN_TIME(KMEND_SIGNAL, kmend_signal, start_ns),
	CAMPAIGN_TIME(KMEND_SIGNAL, kmend_signal, sender_start_ns),
	CAMPAIGN_TIME(KMEND_OOM, kmend_oom, start_ns),
	CAMPAIGN_TIME(KMEND_TASK, kmend_task, start_ns),
	CAMPAIGN_SPAN(KMEND_TASK, kmend_task, cpu_ns),
	CAMPAIGN_SPAN(KMEND_TASK, kmend_task, run_delay_ns),
	CAMPAIGN_TIME(KMEND_SCHED, kmend_sched, start_ns),
	CAMPAIGN_SPAN(KMEND_SCHED, kmend_sched, cpu_ns),
	CAMPAIGN_SPAN(KMEND_SCHED, kmend_sched, run_delay_ns),
	CAMPAIGN_TIME(KM_RAW_PROCESS, km_raw_process, start_ns),
	CAMPAIGN_TIME(KM_RAW_OUTCOME, km_raw_outcome, start_ns),
	CAMPAIGN_SPAN(KM_RAW_VALUE, km_raw_value, period_ns),
	CAMPAIGN_SPAN(KM_RAW_VALUE, km_raw_value, window_ns),
	CAMPAIGN_SPAN(KM_RAW_HEALTH, km_raw_health, believe_ns),
	CAMPAIGN_SPAN(KM_RAW_OPERATOR, km_raw_operator, for_ns),
};

static inline uint64_t campaign_time(uint64_t t_ns, uint64_t base_ns, uint64_t factor)
{
	return t_ns > base_ns ? base_ns + (t_ns - base_ns) * factor : t_ns;
}

/* RAW: 8-byte aligned, changed in place. *BASE_NS: 0 before the first record. */
static inline void campaign_scale(void *raw, uint64_t *base_ns, uint64_t factor)
{
	struct kmend_hdr *hdr = raw;
	struct km_raw_value *value = raw;
	struct km_raw_clock *clock = raw;
	uint64_t was = hdr->ktime_ns;

	if (!*base_ns)
		*base_ns = was;
	hdr->ktime_ns = campaign_time(was, *base_ns, factor);
	for (size_t i = 0; i < KM_ARRAY_SIZE(campaign_members); i++) {
		const struct campaign_member *m = &campaign_members[i];
		uint64_t *at = (uint64_t *)((char *)raw + m->offset);

		if (m->type != hdr->type || m->offset + sizeof(*at) > hdr->size)
			continue;
		*at = m->is_span ? *at * factor : campaign_time(*at, *base_ns, factor);
	}
	if (hdr->type == KM_RAW_CLOCK)
		clock->realtime_ns += hdr->ktime_ns - was;
	/* An amount of time within the period grows with it. */
	if (hdr->type == KM_RAW_VALUE && value->signal < KM_SIG_MAX &&
	    km_catalogue[value->signal].shape == KM_SHAPE_COUNTER &&
	    strncmp(km_catalogue[value->signal].unit, "us", 2) == 0) {
		value->value *= (double)factor;
		value->error *= (double)factor;
	}
}

#endif
