// SPDX-License-Identifier: Apache-2.0
/* What each record tells of services and processes. */
#include "attribute/state.h"

#define SIGSTOP_NUMBER 19 /* on x86 and arm64 */

/* TRACE_SIGNAL_*: the signal reached its receiver. */
#define RESULT_DELIVERED 0
#define RESULT_LOSE_INFO 4

#define TCP_SYN_SENT     2

typedef void (*handler)(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret);

static struct km_service *service_of(const struct km_attribute *a, const struct km_process_row *p)
{
	struct km_service_row *s = p && p->service_id ? km_service_row(a, p->service_id) : NULL;

	return s ? &s->pub : NULL;
}

static struct km_service *by_cgroup(struct km_attribute *a, uint64_t cgroup_id)
{
	struct km_service_row *s = km_cgroup_service(a, cgroup_id, false);

	return s ? &s->pub : NULL;
}

static void on_fork(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	const struct km_process_seen seen = {
		.t_ns = s->t_ns,
		.cgroup_id = s->cgroup_id,
		.start_ns = s->fork.start_ns,
		.tgid = s->fork.tgid,
		.ppid = s->fork.ppid,
		.fresh = true,
		.born = true,
	};

	ret->service = service_of(a, km_process_see(a, &seen));
	if (ret->service)
		ret->service->forks++;
}

static void on_exec(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	const struct km_process_seen seen = {
		.t_ns = s->t_ns,
		.cgroup_id = s->cgroup_id,
		.start_ns = s->exec.start_ns,
		.tgid = s->exec.tgid,
		.ppid = s->exec.ppid,
		.path = s->exec.path,
		.image = s->exec.image,
		.fresh = true,
	};
	const struct km_process_row *p = km_process_see(a, &seen);
	struct km_service_row *row = p && p->service_id ? km_service_row(a, p->service_id) : NULL;

	if (row && row->pub.main_tgid == p->tgid)
		km_image_runs(a, row, p);
	ret->service = row ? &row->pub : NULL;
}

/* A zombie is no sign of life: only its parent still knows it. */
static void on_task(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	const struct km_process_seen seen = {
		.t_ns = s->t_ns,
		.cgroup_id = s->cgroup_id,
		.start_ns = s->task.start_ns,
		.tgid = s->task.tgid,
		.ppid = s->task.ppid,
	};

	km_attribute_misc(a)->tasks++;
	if (s->task.state == 'Z' || s->task.state == 'X' || s->task.state == 'x')
		return;
	ret->service = service_of(a, km_process_see(a, &seen));
}

static void on_listed(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	(void)ret;
	km_attribute_misc(a)->partial = s->listed.partial;
}

/* Sums over live threads fall when one ends: then nothing is said rather than nonsense. */
static uint64_t grown(uint64_t before, uint64_t now)
{
	return now > before ? now - before : 0;
}

static void on_sched(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	const struct kmend_sched *d = &s->sched;
	const struct km_use now = { d->cpu_ns, d->run_delay_ns, d->involuntary, d->major_faults,
		                    d->written_bytes };
	struct km_process_row *p = km_process_find(a, d->tgid, d->start_ns);

	ret->service = p ? service_of(a, p) : by_cgroup(a, s->cgroup_id);
	if (!p || d->zombie)
		return;
	if (p->looked)
		ret->use = (struct km_use){
			.cpu_ns = grown(p->use.cpu_ns, now.cpu_ns),
			.run_delay_ns = grown(p->use.run_delay_ns, now.run_delay_ns),
			.involuntary = grown(p->use.involuntary, now.involuntary),
			.major_faults = grown(p->use.major_faults, now.major_faults),
			.written_bytes = grown(p->use.written_bytes, now.written_bytes),
		};
	p->use = now;
	p->looked = 1;
}

/* The same end seen a second time, or the end of a process that was never seen: no event, but it
 * may tell what the first evidence could not. */
static void end_known(struct km_attribute *a, const struct km_ending *end, uint64_t cgroup_id,
                      struct km_subject *ret)
{
	struct km_ended_row *e = km_process_find_ended(a, end->tgid, end->start_ns);
	struct km_service_row *s;

	if (!e) {
		ret->service = by_cgroup(a, cgroup_id);
		if (end->tgid)
			km_process_note_end(a, ret->service ? ret->service->id : 0, end);
		return;
	}
	if (!e->end.known && end->known) {
		e->end.known = 1;
		e->end.exit_code = end->exit_code;
		km_service_fill_in(a, e);
	}
	s = e->service_id ? km_service_row(a, e->service_id) : NULL;
	ret->service = s ? &s->pub : NULL;
}

static void on_end(struct km_attribute *a, const struct km_ending *end, uint64_t cgroup_id,
                   struct km_subject *ret)
{
	struct km_process_row *p = km_process_find(a, end->tgid, end->start_ns);

	if (!p) {
		end_known(a, end, cgroup_id, ret);
		return;
	}
	ret->service = service_of(a, p);
	km_process_end(a, p, end->t_ns, end->known ? (int)end->exit_code : -1);
}

static void on_exit_record(struct km_attribute *a, const struct km_signal *s,
                           struct km_subject *ret)
{
	const struct km_ending end = {
		.t_ns = s->t_ns,
		.tgid = s->exit.tgid,
		.start_ns = s->exit.start_ns,
		.exit_code = s->exit.exit_code,
		.known = 1,
	};

	on_end(a, &end, s->cgroup_id, ret);
}

static void on_gone(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	const struct km_raw_process *p = &s->process;
	const struct km_ending end = {
		.t_ns = s->t_ns,
		.tgid = p->tgid,
		.start_ns = p->start_ns,
		.exit_code = p->wait_status < 0 ? 0 : (uint32_t)p->wait_status,
		.known = p->wait_status >= 0,
	};

	on_end(a, &end, s->cgroup_id, ret);
}

static struct km_service_row *defined_service(const struct km_attribute *a, const char *name,
                                              enum km_service_kind kind)
{
	struct km_service_row *s = km_service_row(a, km_service_id(kind, name));

	return s && s->pub.defined ? s : NULL;
}

static void on_process(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	const struct km_raw_process *p = &s->process;
	const struct km_process_seen seen = {
		.t_ns = s->t_ns,
		.cgroup_id = s->cgroup_id,
		.start_ns = p->start_ns,
		.tgid = p->tgid,
		.ppid = p->ppid,
		.path = p->path[0] ? p->path : NULL,
		.image = p->image,
	};
	struct km_service_row *row;
	struct km_process_row *found;

	if (p->source == KM_FROM_EXIT_WATCH) {
		on_gone(a, s, ret);
		return;
	}
	found = km_process_see(a, &seen);
	if (!found || p->source != KM_FROM_PIDFILE) {
		ret->service = service_of(a, found);
		return;
	}
	row = defined_service(a, p->service, KM_BY_PIDFILE);
	if (!row)
		return;
	km_service_next_main(a, row, p->tgid, p->start_ns);
	ret->service = &row->pub;
}

static bool delivered(const struct kmend_signal *g)
{
	return g->result == RESULT_DELIVERED || g->result == RESULT_LOSE_INFO;
}

/* The signal's record may come behind the end that it caused, when the two took different rings. */
static void signal_after_end(struct km_attribute *a, const struct km_signal *s,
                             struct km_subject *ret)
{
	const struct kmend_signal *g = &s->signal;
	struct km_ended_row *e = km_process_find_ended(a, g->tgid, g->start_ns);
	uint32_t killed_by = e ? e->end.exit_code & 0x7f : 0;

	ret->service = by_cgroup(a, s->cgroup_id);
	if (!e || e->end.signal || s->t_ns > e->end.t_ns || (killed_by && killed_by != g->signal))
		return;
	e->end.signal = g->signal;
	e->end.sender_tgid = g->sender_tgid;
	e->end.sender_uid = g->sender_uid;
	e->end.sender = km_sender_of(a, NULL, g->sender_tgid);
	memcpy(e->end.sender_comm, g->sender_comm, sizeof(e->end.sender_comm));
	km_service_fill_in(a, e);
}

static void on_signal(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	const struct kmend_signal *g = &s->signal;
	struct km_process_row *p = km_process_find(a, g->tgid, g->start_ns);

	if (!p && delivered(g))
		signal_after_end(a, s, ret);
	if (!p)
		return;
	ret->service = service_of(a, p);
	if (!delivered(g) || g->signal == SIGSTOP_NUMBER)
		return;
	p->signal = g->signal;
	p->signal_ns = s->t_ns;
	p->sender_tgid = g->sender_tgid;
	p->sender_uid = g->sender_uid;
	p->sender = km_sender_of(a, p, g->sender_tgid);
	memcpy(p->sender_comm, g->sender_comm, sizeof(p->sender_comm));
	if (ret->service && ret->service->main_tgid == p->tgid)
		ret->event = KM_EV_SIGNALED;
}

static void on_oom(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	struct km_process_row *p = km_process_find(a, s->oom.tgid, s->oom.start_ns);
	struct km_ended_row *e;

	ret->service = p ? service_of(a, p) : by_cgroup(a, s->cgroup_id);
	if (p)
		p->oom = 1;
	e = p ? NULL : km_process_find_ended(a, s->oom.tgid, s->oom.start_ns);
	if (e) {
		e->end.oom = 1;
		km_service_fill_in(a, e);
	}
	if (!ret->service)
		return;
	ret->service->oom_kills++;
	ret->event = KM_EV_OOM;
}

static void on_tcp_state(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	ret->service = by_cgroup(a, s->cgroup_id);
	if (!ret->service || s->tcp_state.from != TCP_SYN_SENT || s->tcp_state.to == TCP_SYN_SENT)
		return;
	ret->service->connect_failures++;
	ret->event = KM_EV_CONNECT_FAILED;
}

static void on_retransmit(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	ret->service = by_cgroup(a, s->cgroup_id);
	if (ret->service)
		ret->service->retransmits += s->retransmit.count;
}

static void on_level(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	ret->service = by_cgroup(a, s->cgroup_id);
}

static void on_cgroup(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	if (s->cgroup.gone)
		km_cgroup_gone(a, s->cgroup_id);
	else
		km_cgroup_seen(a, s->cgroup_id, s->cgroup.path);
	ret->service = by_cgroup(a, s->cgroup_id);
}

/* A supervised command's own word on itself. */
static void on_command(struct km_attribute *a, const struct km_signal *s,
                       struct km_service_row *row)
{
	const struct km_raw_outcome *o = &s->outcome;
	bool done = o->state == KM_OUT_DONE;

	if (o->state == KM_OUT_ABSENT || (done && (o->verb == KM_STOP || o->verb == KM_KILL))) {
		km_service_down(a, row, s->t_ns);
		return;
	}
	if (o->state == KM_OUT_ADOPTED ||
	    (done && (o->verb == KM_START || o->verb == KM_RESTART))) {
		km_cgroup_bind(a, s->cgroup_id, row);
		km_service_next_main(a, row, o->tgid, o->start_ns);
	}
}

static void on_outcome(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	const struct km_raw_outcome *o = &s->outcome;
	struct km_service *any = km_attribute_service_by_name(a, o->service);
	struct km_service_row *row = defined_service(a, o->service, KM_BY_COMMAND);

	ret->service = any;
	/* Nothing was done, so what ends now does not end because of us. */
	if (any && (o->state == KM_OUT_REFUSED || o->state == KM_OUT_NOT_DONE))
		km_attribute_expect_end(a, any->id, 0);
	if (row)
		on_command(a, s, row);
}

static void on_tick(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	(void)ret;
	km_process_pass(a, s->t_ns);
	km_health_pass(a, s->t_ns);
	km_endpoint_pass(a, s->t_ns);
	km_service_forget_old(a, s->t_ns);
}

static const struct {
	uint16_t type;
	handler handle;
} handlers[] = {
	/* most of a stream first */
	{ KM_RAW_VALUE, km_entity_value },
	{ KMEND_SCHED, on_sched },
	{ KMEND_TASK, on_task },
	{ KMEND_LISTED, on_listed },
	{ KMEND_FORK, on_fork },
	{ KMEND_EXEC, on_exec },
	{ KMEND_EXIT, on_exit_record },
	{ KMEND_SIGNAL, on_signal },
	{ KMEND_OOM, on_oom },
	{ KMEND_TCP_STATE, on_tcp_state },
	{ KMEND_RETRANSMIT, on_retransmit },
	{ KMEND_CONNECTS, km_endpoint_connects },
	{ KM_RAW_LEVEL, on_level },
	{ KM_RAW_TICK, on_tick },
	{ KM_RAW_CGROUP, on_cgroup },
	{ KM_RAW_PROCESS, on_process },
	{ KM_RAW_OUTCOME, on_outcome },
	{ KM_RAW_HOST, km_entity_host },
	{ KM_RAW_HEALTH, km_health_result },
	{ KM_RAW_ENDPOINT, km_endpoint_route },
};

/* A record's own event goes with it; the change of state that it caused, if it caused one as well,
 * waits for km_attribute_more(). */
int km_attribute_signal(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	struct km_attribute_misc *m = km_attribute_misc(a);
	uint64_t refused = m->refused;
	struct km_subject subject = { 0 };
	size_t i = 0;

	if (s->t_ns > m->now_ns)
		m->now_ns = s->t_ns;
	while (i < KM_ARRAY_SIZE(handlers) && handlers[i].type != s->type)
		i++;
	if (i < KM_ARRAY_SIZE(handlers))
		handlers[i].handle(a, s, &subject);
	if (subject.service && subject.event == KM_EV_NONE)
		subject.event = km_service_settle(a, (struct km_service_row *)subject.service);
	*ret = subject;
	return m->refused > refused ? -ENOSPC : 0;
}

int km_attribute_more(struct km_attribute *a, struct km_subject *ret)
{
	struct km_attribute_misc *m = km_attribute_misc(a);
	struct km_service_row *s;
	uint32_t slot = 0;

	while (m->dirty > 0 && (s = km_table_next(a->services, &slot))) {
		enum km_event event = km_service_settle(a, s);

		if (event == KM_EV_NONE)
			continue;
		ret->service = &s->pub;
		ret->event = event;
		return 1;
	}
	return 0;
}
