// SPDX-License-Identifier: Apache-2.0
/* What each signal says, as members of a JSON object. The writer escapes. */
#include "base/text.h"
#include "decode/kinds.h"

#define TERM_SIGNAL(status) ((status)&0x7f)
#define DUMPED(status)      (((status)&0x80) != 0)
#define EXIT_STATUS(status) (((status) >> 8) & 0xff)

static const char *const source_names[KM_PROCESS_SOURCE_MAX] = {
	[KM_FROM_SCAN] = "scan",
	[KM_FROM_PIDFILE] = "pidfile",
	[KM_FROM_EXIT_WATCH] = "exit_watch",
};

static const char *const text_names[KM_TEXT_KIND_MAX] = {
	[KM_TEXT_CONFIG] = "config", [KM_TEXT_POLICY] = "policy",     [KM_TEXT_RULE] = "rule",
	[KM_TEXT_COMMIT] = "commit", [KM_TEXT_SERVICES] = "services", [KM_TEXT_MODES] = "modes",
};

static const char *const outcome_names[KM_OUT_STATE_MAX] = {
	[KM_OUT_REFUSED] = "refused", [KM_OUT_DONE] = "done",         [KM_OUT_FAILED] = "failed",
	[KM_OUT_UNKNOWN] = "unknown", [KM_OUT_NOT_DONE] = "not_done", [KM_OUT_ADOPTED] = "adopted",
	[KM_OUT_ABSENT] = "absent",   [KM_OUT_RETURNED] = "returned",
};

static const char *const command_names[KM_CMD_MAX] = {
	[KM_CMD_APPROVE] = "approve",
	[KM_CMD_DENY] = "deny",
};

static void write_status(uint32_t status, struct km_json_writer *w)
{
	if (TERM_SIGNAL(status) != 0)
		km_jw_ku64(w, "exit_signal", TERM_SIGNAL(status));
	else
		km_jw_ku64(w, "exit_status", EXIT_STATUS(status));
	km_jw_kbool(w, "core_dumped", DUMPED(status));
}

void km_write_fork(const struct km_signal *s, struct km_json_writer *w)
{
	km_jw_ku64(w, "tgid", s->fork.tgid);
	km_jw_ku64(w, "ppid", s->fork.ppid);
	km_jw_ku64(w, "start_ns", s->fork.start_ns);
	km_jw_kstring(w, "comm", s->fork.comm);
}

void km_write_exec(const struct km_signal *s, struct km_json_writer *w)
{
	km_jw_ku64(w, "tgid", s->exec.tgid);
	km_jw_ku64(w, "ppid", s->exec.ppid);
	km_jw_ku64(w, "start_ns", s->exec.start_ns);
	km_jw_ku64(w, "uid", s->exec.uid);
	km_jw_ku64(w, "image", s->exec.image);
	km_jw_kstring(w, "comm", s->exec.comm);
	km_jw_kstring(w, "path", s->exec.path);
}

void km_write_exit(const struct km_signal *s, struct km_json_writer *w)
{
	km_jw_ku64(w, "tgid", s->exit.tgid);
	km_jw_ku64(w, "ppid", s->exit.ppid);
	km_jw_ku64(w, "start_ns", s->exit.start_ns);
	write_status(s->exit.exit_code, w);
	km_jw_kstring(w, "comm", s->exit.comm);
}

void km_write_signal(const struct km_signal *s, struct km_json_writer *w)
{
	const struct kmend_signal *g = &s->signal;

	km_jw_ku64(w, "signal", g->signal);
	km_jw_ki64(w, "code", g->code);
	km_jw_ku64(w, "result", g->result);
	km_jw_ku64(w, "tgid", g->tgid);
	km_jw_ku64(w, "start_ns", g->start_ns);
	km_jw_kstring(w, "comm", g->comm);
	km_jw_ku64(w, "sender_tgid", g->sender_tgid);
	km_jw_ku64(w, "sender_start_ns", g->sender_start_ns);
	km_jw_ku64(w, "sender_cgroup_id", g->sender_cgroup_id);
	km_jw_ku64(w, "sender_uid", g->sender_uid);
	km_jw_kstring(w, "sender_comm", g->sender_comm);
}

void km_write_oom(const struct km_signal *s, struct km_json_writer *w)
{
	km_jw_ku64(w, "tgid", s->oom.tgid);
	km_jw_ku64(w, "start_ns", s->oom.start_ns);
	km_jw_ku64(w, "trigger_tgid", s->oom.trigger_tgid);
	km_jw_ku64(w, "anon_bytes", s->oom.anon_bytes);
	km_jw_kstring(w, "comm", s->oom.comm);
}

void km_write_tcp_state(const struct km_signal *s, struct km_json_writer *w)
{
	const struct kmend_tcp_state *t = &s->tcp_state;
	size_t len = t->family == 2 ? 4 : sizeof(t->laddr); /* AF_INET */
	char address[2 * sizeof(t->laddr) + 1];

	km_jw_ku64(w, "family", t->family);
	km_jw_ku64(w, "from", t->from);
	km_jw_ku64(w, "to", t->to);
	km_jw_ki64(w, "error", t->error);
	km_hex(t->laddr, len, address);
	km_jw_kstring(w, "laddr", address);
	km_jw_ku64(w, "lport", t->lport);
	km_hex(t->raddr, len, address);
	km_jw_kstring(w, "raddr", address);
	km_jw_ku64(w, "rport", t->rport);
	km_jw_ku64(w, "in_a_row", t->in_a_row);
}

void km_write_connects(const struct km_signal *s, struct km_json_writer *w)
{
	const struct kmend_connects *c = &s->connects;
	char address[2 * sizeof(c->addr) + 1];

	km_hex(c->addr, c->family == 2 ? 4 : sizeof(c->addr), address); /* AF_INET */
	km_jw_kstring(w, "raddr", address);
	km_jw_ku64(w, "rport", c->port);
	km_jw_ku64(w, "established", c->established);
	km_jw_ku64(w, "failed", c->failed);
	km_jw_ku64(w, "unanswered", c->unanswered);
	km_jw_ku64(w, "reset", c->reset);
	km_jw_ku64(w, "retransmits", c->retransmits);
	km_jw_ku64(w, "latency_ns", c->latency_ns);
}

void km_write_retransmit(const struct km_signal *s, struct km_json_writer *w)
{
	km_jw_ku64(w, "count", s->retransmit.count);
}

static void write_if(struct km_json_writer *w, bool measured, const char *key, uint64_t v)
{
	if (measured)
		km_jw_kknown(w, key, v);
	else
		km_jw_kknown(w, key, KM_UNKNOWN);
}

void km_write_task(const struct km_signal *s, struct km_json_writer *w)
{
	const struct kmend_task *t = &s->task;
	char state[2] = { (char)t->state, 0 };

	km_jw_ku64(w, "tgid", t->tgid);
	km_jw_ku64(w, "ppid", t->ppid);
	km_jw_ku64(w, "start_ns", t->start_ns);
	km_jw_ku64(w, "uid", t->uid);
	km_jw_kstring(w, "state", state);
	write_if(w, t->has & KMEND_HAS_RSS, "anon_bytes", t->anon_bytes);
	write_if(w, t->has & KMEND_HAS_RSS, "file_bytes", t->file_bytes);
	write_if(w, t->has & KMEND_HAS_RSS, "shmem_bytes", t->shmem_bytes);
	write_if(w, t->has & KMEND_HAS_RSS, "swap_bytes", t->swap_bytes);
	write_if(w, t->has & KMEND_HAS_CPU, "cpu_ns", t->cpu_ns);
	write_if(w, t->has & KMEND_HAS_RUN_DELAY, "run_delay_ns", t->run_delay_ns);
	write_if(w, t->has & KMEND_HAS_FDS, "fds", t->fds);
	write_if(w, t->has & KMEND_HAS_LIMITS, "fds_limit", t->fds_limit);
	write_if(w, t->has & KMEND_HAS_THREADS, "threads", t->threads);
	km_jw_kstring(w, "comm", t->comm);
}

void km_write_listed(const struct km_signal *s, struct km_json_writer *w)
{
	km_jw_ku64(w, "processes", s->listed.processes);
	km_jw_ku64(w, "zombies", s->listed.zombies);
	km_jw_kbool(w, "partial", s->listed.partial);
}

void km_write_sched(const struct km_signal *s, struct km_json_writer *w)
{
	const struct kmend_sched *d = &s->sched;

	km_jw_ku64(w, "tgid", d->tgid);
	km_jw_ku64(w, "start_ns", d->start_ns);
	km_jw_kbool(w, "zombie", d->zombie);
	if (d->zombie)
		return;
	km_jw_ku64(w, "cpu_ns", d->cpu_ns);
	km_jw_ku64(w, "run_delay_ns", d->run_delay_ns);
	km_jw_ku64(w, "involuntary", d->involuntary);
	km_jw_ku64(w, "major_faults", d->major_faults);
	km_jw_ku64(w, "written_bytes", d->written_bytes);
	km_jw_ku64(w, "threads", d->threads);
	km_jw_ku64(w, "blocked", d->blocked);
	km_jw_ku64(w, "stopped", d->stopped);
}

void km_write_clock(const struct km_signal *s, struct km_json_writer *w)
{
	km_jw_ku64(w, "realtime_ns", s->clock.realtime_ns);
}

void km_write_text(const struct km_signal *s, struct km_json_writer *w)
{
	km_jw_kstring(w, "kind", text_names[s->text->kind]);
	km_jw_kstring(w, "file", s->text->file);
	km_jw_ku64(w, "total", s->text->total);
	km_jw_ku64(w, "offset", s->text->offset);
	km_jw_ku64(w, "len", s->text->len);
}

void km_write_cgroup(const struct km_signal *s, struct km_json_writer *w)
{
	km_jw_kbool(w, "gone", s->cgroup.gone != 0);
	km_jw_kstring(w, "path", s->cgroup.path);
}

void km_write_process(const struct km_signal *s, struct km_json_writer *w)
{
	const struct km_raw_process *p = &s->process;

	km_jw_kstring(w, "source", source_names[p->source]);
	km_jw_ku64(w, "tgid", p->tgid);
	km_jw_ku64(w, "ppid", p->ppid);
	km_jw_ku64(w, "start_ns", p->start_ns);
	km_jw_ku64(w, "uid", p->uid);
	if (p->source == KM_FROM_EXIT_WATCH && p->wait_status >= 0)
		write_status((uint32_t)p->wait_status, w);
	km_jw_ku64(w, "image", p->image);
	km_jw_kstring(w, "comm", p->comm);
	km_jw_kstring(w, "path", p->path);
	if (p->service[0] != 0)
		km_jw_kstring(w, "service", p->service);
}

void km_write_level(const struct km_signal *s, struct km_json_writer *w)
{
	km_jw_kstring(w, "resource", km_resource_names[s->level.resource]);
	km_jw_kknown(w, "level", s->level.level);
	km_jw_kknown(w, "limit", s->level.limit);
}

void km_write_host(const struct km_signal *s, struct km_json_writer *w)
{
	const struct km_raw_host *h = &s->host;
	bool psi = h->psi_measured != 0;

	km_jw_kknown(w, "memory_total_bytes", h->memory_total_bytes);
	km_jw_kknown(w, "memory_available_bytes", h->memory_available_bytes);
	km_jw_kknown(w, "swap_total_bytes", h->swap_total_bytes);
	km_jw_kknown(w, "swap_free_bytes", h->swap_free_bytes);
	km_jw_kknown(w, "files_open", h->files_open);
	km_jw_kknown(w, "files_max", h->files_max);
	km_jw_ku64(w, "processes", h->processes);
	write_if(w, psi, "psi_cpu_some_ppm", h->psi_cpu_some_ppm);
	write_if(w, psi, "psi_memory_some_ppm", h->psi_memory_some_ppm);
	write_if(w, psi, "psi_memory_full_ppm", h->psi_memory_full_ppm);
	write_if(w, psi, "psi_io_some_ppm", h->psi_io_some_ppm);
	write_if(w, psi, "psi_io_full_ppm", h->psi_io_full_ppm);
}

void km_write_loss(const struct km_signal *s, struct km_json_writer *w)
{
	km_jw_kstring(w, "of", km_signal_name((uint16_t)s->loss.type));
	km_jw_ku64(w, "ring", s->loss.ring);
	km_jw_ku64(w, "seen", s->loss.seen);
	km_jw_ku64(w, "lost", s->loss.lost);
}

void km_write_outcome(const struct km_signal *s, struct km_json_writer *w)
{
	const struct km_raw_outcome *o = &s->outcome;

	km_jw_ku64(w, "intent_id", o->intent_id);
	km_jw_kstring(w, "service", o->service);
	km_jw_kstring(w, "state", outcome_names[o->state]);
	km_jw_kstring(w, "verb", km_verb_names[o->verb]);
	km_jw_ki64(w, "error", o->error);
	km_jw_ku64(w, "tgid", o->tgid);
	km_jw_ku64(w, "start_ns", o->start_ns);
	km_jw_kbool(w, "recovered", o->recovered != 0);
	km_jw_kstring(w, "detail", o->detail);
}

void km_write_command(const struct km_signal *s, struct km_json_writer *w)
{
	km_jw_kstring(w, "command", command_names[s->command.command]);
	km_jw_ku64(w, "decision_id", s->command.decision_id);
	km_jw_ku64(w, "uid", s->command.uid);
	km_jw_ku64(w, "tgid", s->command.tgid);
}

void km_write_operator(const struct km_signal *s, struct km_json_writer *w)
{
	static const char *const names[KM_OP_MAX] = {
		"pause", "resume", "maintain", "forget", "pause_file", "resume_file",
	};
	const struct km_raw_operator *o = &s->operator;

	km_jw_kstring(w, "operation", names[o->operation]);
	km_jw_ku64(w, "uid", o->uid);
	km_jw_ku64(w, "tgid", o->tgid);
	if (o->operation != KM_OP_MAINTAIN)
		return;
	km_jw_kstring(w, "service", o->service);
	km_jw_ku64(w, "for_ns", o->for_ns);
}

void km_write_health(const struct km_signal *s, struct km_json_writer *w)
{
	const struct km_raw_health *h = &s->health;

	km_jw_kstring(w, "service", h->service);
	km_jw_kstring(w, "check", h->check);
	km_jw_kstring(w, "health", km_health_names[h->health]);
	km_jw_ku64(w, "latency_ns", h->latency_ns);
	km_jw_kstring(w, "reason", h->reason);
}

void km_write_endpoint(const struct km_signal *s, struct km_json_writer *w)
{
	km_jw_kstring(w, "service", s->endpoint.service);
	km_jw_kstring(w, "endpoint", s->endpoint.endpoint);
	km_jw_ku64(w, "share", s->endpoint.share);
	km_jw_ku64(w, "standby", s->endpoint.standby);
	km_jw_kbool(w, "outlives", s->endpoint.outlives != 0);
}

void km_write_probe(const struct km_signal *s, struct km_json_writer *w)
{
	km_jw_kstring(w, "of", km_signal_name((uint16_t)s->probe.type));
	km_jw_kbool(w, "available", s->probe.available != 0);
	km_jw_kstring(w, "reason", s->probe.reason);
}

void km_write_lease(const struct km_signal *s, struct km_json_writer *w)
{
	static const char *const states[KM_LEASE_STATE_MAX] = { "granted", "refused", "ended" };
	const struct km_raw_lease *l = &s->lease;

	km_jw_kstring(w, "service", l->service);
	km_jw_kstring(w, "state", states[l->state]);
	km_jw_key(w, "depths");
	km_jw_array(w);
	for (unsigned int i = 0; i < KM_DEPTHS; i++)
		if (l->depths & 1U << i)
			km_jw_string(w, km_depth_names[i]);
	km_jw_end_array(w);
	km_jw_kstring(w, "by", l->person ? "person" : "suspicion");
	km_jw_ku64(w, "until_ns", l->until_ns);
	km_jw_kstring(w, "reason", l->reason[0] ? l->reason : NULL);
}

void km_write_state(const struct km_signal *s, struct km_json_writer *w)
{
	km_jw_ku64(w, "table", s->state->table);
	km_jw_ku64(w, "slot", s->state->slot);
	km_jw_ku64(w, "row_size", s->state->row_size);
}

void km_write_value(const struct km_signal *s, struct km_json_writer *w)
{
	const struct km_raw_value *v = s->value;
	char name[KM_NAME_MAX] = "";

	memcpy(name, v->name, v->len);
	km_jw_kstring(w, "signal", km_catalogue[v->signal].name);
	km_jw_kstring(w, "entity", km_entity_names[v->entity]);
	if (name[0])
		km_jw_kstring(w, "name", name);
	km_jw_kdouble(w, "value", v->value);
	km_jw_kstring(w, "unit", km_catalogue[v->signal].unit);
	if (v->limit >= 0)
		km_jw_kdouble(w, "limit", v->limit);
	if (v->error > 0)
		km_jw_kdouble(w, "error", v->error);
	if (v->period_ns > 0) {
		km_jw_ku64(w, "period_ns", v->period_ns);
		km_jw_ku64(w, "window_ns", v->window_ns);
	}
}
