// SPDX-License-Identifier: Apache-2.0
/* What each record type may hold. Ranges that the kernel keeps are checked as well: records also
 * come from traces and checkpoints, which anyone may have written. */
#include "base/text.h"
#include "decode/kinds.h"

#define ERRNO_MAX      4095
#define SIGNAL_MAX     64
#define SIGNAL_RESULTS 4  /* TRACE_SIGNAL_LOSE_INFO is the last */
#define TCP_STATE_MAX  15 /* 13 are in use; the kernel adds one now and then */
#define FAMILY_INET    2
#define FAMILY_INET6   10
/* Sums of many stay exact, and it is more than any machine has. */
#define VALUE_MAX       ((double)(1ULL << 62))
#define PPM_MAX         1000000
#define WAIT_STATUS_MAX 0xffff
/* Sums of two are exact, and it is more than any machine has. */
#define LEVEL_MAX        ((uint64_t)INT64_MAX)
#define TASK_HAS         ((KMEND_HAS_LIMITS << 1) - 1)
#define STATE_TABLES_MAX 256 /* tables of all phases together */

static size_t padded(size_t len)
{
	return (len + 7) & ~(size_t)7;
}

static bool level_ok(uint64_t v)
{
	return v <= LEVEL_MAX || v == KM_UNKNOWN;
}

bool km_check_exit(const void *raw, size_t len)
{
	const struct kmend_exit *e = raw;

	(void)len;
	return e->exit_code <= WAIT_STATUS_MAX;
}

bool km_check_signal(const void *raw, size_t len)
{
	const struct kmend_signal *s = raw;

	(void)len;
	return s->signal >= 1 && s->signal <= SIGNAL_MAX && s->result <= SIGNAL_RESULTS;
}

bool km_check_tcp_state(const void *raw, size_t len)
{
	const struct kmend_tcp_state *t = raw;

	(void)len;
	return (t->family == FAMILY_INET || t->family == FAMILY_INET6) &&
	       t->from <= TCP_STATE_MAX && t->to <= TCP_STATE_MAX && t->error >= -ERRNO_MAX &&
	       t->error <= ERRNO_MAX;
}

bool km_check_connects(const void *raw, size_t len)
{
	const struct kmend_connects *t = raw;

	(void)len;
	return (t->family == FAMILY_INET || t->family == FAMILY_INET6) && t->hdr.cgroup_id != 0 &&
	       t->latency_ns <= LEVEL_MAX;
}

static bool state_letter(uint32_t c)
{
	return c == 0 || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool km_check_task(const void *raw, size_t len)
{
	const struct kmend_task *t = raw;

	(void)len;
	return (t->has & ~(uint32_t)TASK_HAS) == 0 && t->anon_bytes <= LEVEL_MAX &&
	       t->file_bytes <= LEVEL_MAX && t->shmem_bytes <= LEVEL_MAX &&
	       t->swap_bytes <= LEVEL_MAX && state_letter(t->state);
}

bool km_check_listed(const void *raw, size_t len)
{
	const struct kmend_listed *l = raw;

	(void)len;
	return l->partial <= 1 && l->zombies <= l->processes;
}

bool km_check_sched(const void *raw, size_t len)
{
	const struct kmend_sched *s = raw;

	(void)len;
	return s->zombie <= 1 && s->cpu_ns <= LEVEL_MAX && s->run_delay_ns <= LEVEL_MAX &&
	       s->involuntary <= LEVEL_MAX && s->major_faults <= LEVEL_MAX &&
	       s->written_bytes <= LEVEL_MAX && s->blocked <= s->threads &&
	       s->stopped <= s->threads;
}

bool km_check_clock(const void *raw, size_t len)
{
	const struct km_raw_clock *c = raw;

	(void)len;
	return c->realtime_ns <= (uint64_t)INT64_MAX;
}

/* The bytes themselves are the JSON reader's to check. */
bool km_check_text(const void *raw, size_t len)
{
	const struct km_raw_text *t = raw;

	if (t->kind >= KM_TEXT_KIND_MAX || t->total > KM_JSON_BYTES_MAX)
		return false;
	if (t->len > KM_RAW_TEXT_PIECE || t->offset > t->total || t->len > t->total - t->offset)
		return false;
	if (t->len == 0 && t->total != 0)
		return false;
	if (t->kind == KM_TEXT_COMMIT && t->total != 0)
		return false;
	return len == padded(sizeof(*t) + t->len) && km_utf8_valid(t->file, strlen(t->file));
}

bool km_check_cgroup(const void *raw, size_t len)
{
	const struct km_raw_cgroup *c = raw;

	(void)len;
	if (c->hdr.cgroup_id == 0 || c->gone > 1)
		return false;
	return c->path[0] == '/' || (c->gone == 1 && c->path[0] == 0);
}

bool km_check_process(const void *raw, size_t len)
{
	const struct km_raw_process *p = raw;

	(void)len;
	if (p->source >= KM_PROCESS_SOURCE_MAX || p->wait_status < -1 ||
	    p->wait_status > WAIT_STATUS_MAX)
		return false;
	return p->source != KM_FROM_PIDFILE || p->service[0] != 0;
}

bool km_check_level(const void *raw, size_t len)
{
	const struct km_raw_level *l = raw;

	(void)len;
	return l->resource < KM_RESOURCE_MAX && level_ok(l->level) && level_ok(l->limit);
}

bool km_check_host(const void *raw, size_t len)
{
	const struct km_raw_host *h = raw;

	(void)len;
	return level_ok(h->memory_total_bytes) && level_ok(h->memory_available_bytes) &&
	       level_ok(h->swap_total_bytes) && level_ok(h->swap_free_bytes) &&
	       level_ok(h->files_open) && level_ok(h->files_max) && h->psi_measured <= 1 &&
	       h->psi_cpu_some_ppm <= PPM_MAX && h->psi_memory_some_ppm <= PPM_MAX &&
	       h->psi_memory_full_ppm <= PPM_MAX && h->psi_io_some_ppm <= PPM_MAX &&
	       h->psi_io_full_ppm <= PPM_MAX;
}

bool km_check_loss(const void *raw, size_t len)
{
	const struct km_raw_loss *l = raw;

	(void)len;
	return l->type < KM_RAW_MAX_TYPE && l->ring <= 1 && l->lost <= l->seen;
}

bool km_check_outcome(const void *raw, size_t len)
{
	const struct km_raw_outcome *o = raw;

	(void)len;
	return o->state < KM_OUT_STATE_MAX && o->verb < KM_VERB_MAX && o->error <= 0 &&
	       o->error >= -ERRNO_MAX && o->recovered <= 1 && o->service[0] != 0;
}

bool km_check_command(const void *raw, size_t len)
{
	const struct km_raw_command *c = raw;

	(void)len;
	return c->command < KM_CMD_MAX;
}

bool km_check_probe(const void *raw, size_t len)
{
	const struct km_raw_probe *p = raw;

	(void)len;
	return p->type < KM_RAW_MAX_TYPE && p->available <= 1;
}

#define BELIEVE_MAX_NS (24 * 3600 * KM_NS_PER_S)
#define LIFE_MAX_S     (1000ULL * 366 * 86400)

bool km_check_health(const void *raw, size_t len)
{
	const struct km_raw_health *h = raw;

	(void)len;
	return h->health < KM_HEALTH_MAX && h->latency_ns <= BELIEVE_MAX_NS &&
	       h->believe_ns <= BELIEVE_MAX_NS && h->life_s <= LIFE_MAX_S && h->service[0] != 0 &&
	       h->check[0] != 0;
}

bool km_check_endpoint(const void *raw, size_t len)
{
	const struct km_raw_endpoint *e = raw;

	(void)len;
	return e->share <= KMEND_SHARE_ALL && e->standby <= KM_STANDBYS_MAX &&
	       (e->share == 0) == (e->standby == 0) && e->outlives <= 1 && e->service[0] != 0 &&
	       e->endpoint[0] != 0;
}

bool km_check_lease(const void *raw, size_t len)
{
	const struct km_raw_lease *l = raw;

	(void)len;
	return l->state < KM_LEASE_STATE_MAX && l->depths != 0 && !(l->depths & ~KM_DEPTH_ALL) &&
	       l->person <= 1 && l->until_ns <= LEVEL_MAX && l->service[0] != 0;
}

#define MAINTAIN_MAX_NS (30ULL * 86400 * KM_NS_PER_S)

bool km_check_operator(const void *raw, size_t len)
{
	const struct km_raw_operator *o = raw;

	(void)len;
	return o->operation < KM_OP_MAX && o->for_ns <= MAINTAIN_MAX_NS &&
	       (o->operation != KM_OP_MAINTAIN || o->service[0] != 0);
}

/* Slot and content are the table's to check: it knows its own rows. */
bool km_check_state(const void *raw, size_t len)
{
	const struct km_raw_state *s = raw;

	return s->table < STATE_TABLES_MAX && s->row_size > 0 && s->row_size % 8 == 0 &&
	       s->row_size <= KM_RAW_MAX - sizeof(*s) && len == sizeof(*s) + s->row_size;
}

bool km_check_said(const void *raw, size_t len)
{
	const struct km_raw_said *s = raw;

	return s->len > 0 && s->len <= KM_RAW_MAX - sizeof(*s) &&
	       len == padded(sizeof(*s) + s->len) && km_utf8_valid(s->text, s->len);
}

/* Limits are negative or in range; comparisons with a NaN are false. */
static bool value_ok(double v, double least)
{
	return v >= least && v <= VALUE_MAX;
}

/* What a name is about; services have theirs from their cgroup. */
static bool entity_ok(const struct km_raw_value *v)
{
	const struct km_catalogue_row *row = &km_catalogue[v->signal];
	bool named = v->entity != KM_ENTITY_SERVICE && v->entity != KM_ENTITY_HOST;

	if (v->entity >= KM_ENTITY_MAX || !(row->entities & 1U << v->entity))
		return false;
	if (named != (v->len > 0) || v->len >= KM_NAME_MAX || memchr(v->name, 0, v->len))
		return false;
	return v->hdr.cgroup_id != 0 ||
	       (v->entity != KM_ENTITY_SERVICE && v->entity != KM_ENTITY_ENDPOINT);
}

bool km_check_value(const void *raw, size_t len)
{
	const struct km_raw_value *v = raw;

	if (v->signal >= KM_SIG_MAX || len != padded(sizeof(*v) + v->len) || !entity_ok(v))
		return false;
	return value_ok(v->value, 0) && value_ok(v->limit, -1) && value_ok(v->error, 0) &&
	       v->window_ns <= v->period_ns && v->period_ns <= LEVEL_MAX &&
	       km_utf8_valid(v->name, v->len);
}
