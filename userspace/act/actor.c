// SPDX-License-Identifier: Apache-2.0
/* The actor: its two ends (engine socket, journal), its clock, and how an act is over. */
#include "act/internal.h"

/* What the engine does not take waits here; nothing waits for the engine. */
static int flush(struct km_actor *a)
{
	int r = km_message_flush(a->o.engine_sock, a->queue);

	if (r < 0 && r != -EAGAIN)
		return r;
	return km_loop_change(a->o.loop, a->o.engine_sock, EPOLLIN | (r < 0 ? EPOLLOUT : 0));
}

void km_actor_send(struct km_actor *a, const void *msg, size_t size)
{
	if (a->queue->len + size > a->queue->max)
		a->lost = true;
	else
		km_buf_add(a->queue, msg, size);
	flush(a);
}

void km_actor_say(struct km_actor *a, const struct km_journal_record *r, bool recovered)
{
	struct km_act_outcome m = {
		.hdr = { KM_ACT_OUTCOME, KM_ACT_VERSION, sizeof(m) },
		.outcome = { .hdr = { .type = KM_RAW_OUTCOME,
		                      .size = sizeof(m.outcome),
		                      .ktime_ns = km_now_ns(),
		                      .cgroup_id = r->cgroup_id },
		             .intent_id = r->intent_id,
		             .state = r->state,
		             .verb = r->verb,
		             .error = r->error,
		             .tgid = r->tgid,
		             .start_ns = r->start_ns,
		             .recovered = recovered },
	};

	memcpy(m.outcome.service, r->service, sizeof(m.outcome.service));
	memcpy(m.outcome.detail, r->detail, sizeof(m.outcome.detail));
	km_actor_send(a, &m, sizeof(m));
}

static bool has_room(const struct km_actor *a)
{
	for (const struct km_act *act = a->act; act < a->act + KM_ACTS_MAX; act++)
		if (act->phase == KM_ACT_FREE)
			return true;
	return false;
}

void km_actor_rearm(struct km_actor *a)
{
	uint64_t at = km_lents_next_ns(&a->lents);

	for (const struct km_act *act = a->act; act < a->act + KM_ACTS_MAX; act++) {
		if (act->phase != KM_ACT_FREE && act->deadline_ns < at)
			at = act->deadline_ns;
		if (act->phase != KM_ACT_FREE && act->look_ns && act->look_ns < at)
			at = act->look_ns;
	}
	if (a->waiting_count && has_room(a))
		at = 1;
	km_loop_timer_set(a->o.loop, a->timer_fd, at == UINT64_MAX ? 0 : at, 0);
}

void km_actor_ready(struct km_actor *a)
{
	struct km_act_plain m = {
		.hdr = { KM_ACT_READY, KM_ACT_VERSION, sizeof(m) },
		.t_ns = km_now_ns(),
		.intent_id = a->last_intent_id,
	};

	for (const struct km_act *act = a->act; act < a->act + KM_ACTS_MAX; act++)
		if (act->recovered)
			return;
	if (a->recovered && !a->ready)
		km_actor_send(a, &m, sizeof(m));
	a->ready = a->recovered;
}

static int intend(struct km_act *act, int r)
{
	if (r < 0)
		km_act_finish(act, KM_OUT_REFUSED, r, "the intent cannot be written");
	return r;
}

int km_act_intend_begin(struct km_act *act)
{
	act->rec.kind = KM_J_INTENT;
	return intend(act, km_journal_write(act->actor->journal, &act->rec));
}

int km_act_intend_end(struct km_act *act)
{
	int r = km_journal_sync(act->actor->journal, &act->rec);

	act->intended = r == 0;
	return intend(act, r);
}

int km_act_intend(struct km_act *act)
{
	return km_act_intend_begin(act) ?: km_act_intend_end(act);
}

void km_act_wait(struct km_act *act, int fd, uint32_t events, km_loop_cb cb)
{
	if (act->fd >= 0)
		km_loop_remove(act->actor->o.loop, act->fd);
	km_close(&act->fd);
	act->fd = fd;
	if (fd >= 0)
		km_loop_add(act->actor->o.loop, fd, events, cb, act);
}

static void release(struct km_act *act)
{
	km_act_wait(act, -1, 0, NULL);
	km_talk_end(act->actor->manager, &act->talk);
	if (act->phase == KM_ACT_WORKING && act->job.fd >= 0) {
		km_loop_remove(act->actor->o.loop, act->job.fd);
		km_job_end(&act->job);
	}
	if (act->child && act->child->act == act)
		act->child->act = NULL;
	act->phase = KM_ACT_FREE;
	act->recovered = false;
}

void km_act_finish(struct km_act *act, enum km_outcome_state state, int error, const char *detail)
{
	struct km_actor *a = act->actor;
	struct km_journal_record *r = &act->rec;
	int e;

	if (act->child && act->child->act == act) {
		km_spawn_drop(&act->child->next);
		r->tgid = act->child->tgid;
		r->start_ns = act->child->start_ns;
		r->cgroup_id = act->child->cgroup_id;
	}
	r->kind = act->intended ? KM_J_OUTCOME : KM_J_REFUSED;
	r->state = state;
	r->error = error;
	if (detail) {
		memset(r->detail, 0, sizeof(r->detail));
		km_copy(r->detail, sizeof(r->detail), detail);
	}
	/* Once written it outlives the actor; the engine need not wait for the disk. */
	e = act->quiet ? 0 : km_journal_write(a->journal, r);
	km_actor_say(a, r, act->recovered);
	if (!act->quiet && e == 0)
		e = km_journal_sync(a->journal, r);
	/* After a failed sync there is a new segment: the outcome is a new record there. */
	if (e < 0 && km_journal_add(a->journal, r) < 0)
		a->lost = true;
	release(act);
	km_actor_rearm(a);
	km_actor_ready(a);
	km_chain_prepare(a->journal);
}

/* What has waited for a free act, oldest first. */
static void serve_waiting(struct km_actor *a)
{
	while (a->waiting_count && has_room(a)) {
		const struct km_waiting *w = &a->waiting[a->waiting_at];

		a->waiting_at = (a->waiting_at + 1) % KM_WAITING_MAX;
		a->waiting_count--;
		km_request_receive(a, &w->request, sizeof(w->request),
		                   km_now_ns() - w->since_ns > KM_WAITING_NS);
	}
}

/* True: the message is a request, and it waits now. */
static bool wait_for_room(struct km_actor *a, const void *msg, size_t size)
{
	const struct km_message_hdr *h = msg;
	struct km_waiting *w;

	if (size != sizeof(w->request) || h->type != KM_ACT_REQUEST ||
	    a->waiting_count == KM_WAITING_MAX || (has_room(a) && !a->waiting_count))
		return false;
	w = &a->waiting[(a->waiting_at + a->waiting_count++) % KM_WAITING_MAX];
	memcpy(&w->request, msg, size);
	w->since_ns = km_now_ns();
	return true;
}

static int on_timer(void *userdata, int fd, uint32_t events)
{
	struct km_actor *a = userdata;

	(void)fd;
	(void)events;
	for (struct km_act *act = a->act; act < a->act + KM_ACTS_MAX; act++) {
		if (act->phase == KM_ACT_GONE || act->phase == KM_ACT_EXEC)
			km_command_advance(act);
		else if (act->phase != KM_ACT_FREE && km_now_ns() >= act->deadline_ns)
			(act->phase == KM_ACT_WORKING ? km_job_overdue : km_unit_overdue)(act);
	}
	km_lend_expire(a);
	serve_waiting(a);
	km_actor_rearm(a);
	km_actor_ready(a);
	return 0;
}

static int on_engine(void *userdata, int fd, uint32_t events)
{
	struct km_actor *a = userdata;
	/* Longer than the longest: what is too long is seen to be. */
	_Alignas(8) char msg[sizeof(struct km_act_request) + 8];
	ssize_t n = events & EPOLLOUT ? flush(a) : 0;

	if (n < 0 || !(events & ~(uint32_t)EPOLLOUT))
		return (int)n;
	n = km_message_recv(fd, msg, sizeof(msg), NULL);
	if (n > 0 && wait_for_room(a, msg, (size_t)n))
		return 0;
	if (n > 0 || n == -EBADMSG)
		km_request_receive(a, msg, n > 0 ? (size_t)n : 0, false);
	else if (n != -EAGAIN)
		return n ? (int)n : -EPIPE; /* nobody to act for: what runs goes on running */
	return 0;
}

static int make_children(struct km_actor *a)
{
	const struct km_config *c = a->o.config;
	/* A directory or three for each command must fit; the commands get the old limits. */
	const struct rlimit files = km_spawn_lift_files();

	a->child = calloc(c->service_count + 1, sizeof(*a->child));
	if (!a->child)
		return -ENOMEM;
	for (size_t i = 0; i < c->service_count; i++) {
		struct km_child *child = &a->child[a->child_count];

		if (c->services[i].kind != KM_BY_COMMAND)
			continue;
		a->child_count++;
		*child = (struct km_child){ .actor = a, .def = &c->services[i], .pidfd = -1 };
		km_spawn_init(&child->spawn, child->def, &files);
		/* Tried again, and its failure said, at the first start. */
		km_command_prepare(child);
	}
	return 0;
}

static void say_endpoint(void *userdata, const struct km_raw_endpoint *e)
{
	struct km_act_endpoint m = { { KM_ACT_ENDPOINT, KM_ACT_VERSION, sizeof(m) }, *e };

	km_actor_send(userdata, &m, sizeof(m));
}

int km_actor_new(const struct km_actor_opts *opts, struct km_actor **ret)
{
	km_autofree(km_actor_freep) struct km_actor *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->o = *opts;
	a->timer_fd = -1;
	for (struct km_act *act = a->act; act < a->act + KM_ACTS_MAX; act++)
		*act = (struct km_act){ .actor = a, .fd = -1 };
	r = km_buf_new(KM_ACT_QUEUE_BYTES, &a->queue);
	if (r == 0)
		r = km_manager_new(opts->loop, &a->manager);
	if (r == 0)
		r = make_children(a);
	if (r == 0)
		r = km_loop_timer(opts->loop, KM_NS_PER_S, on_timer, a, &a->timer_fd);
	if (r == 0)
		r = km_loop_add(opts->loop, opts->engine_sock, EPOLLIN, on_engine, a);
	if (r == 0)
		r = km_failovers_new(opts->config, opts->pin_dir, say_endpoint, a, &a->failovers);
	if (r == 0)
		r = km_recover(a);
	if (r == 0)
		*ret = km_take(a);
	return r;
}

struct km_actor *km_actor_free(struct km_actor *a)
{
	if (!a)
		return NULL;
	for (struct km_act *act = a->act; act < a->act + KM_ACTS_MAX; act++)
		release(act);
	km_manager_free(a->manager);
	km_failovers_free(a->failovers);
	for (size_t i = 0; i < a->child_count; i++)
		km_command_free(&a->child[i]);
	free(a->child);
	if (a->timer_fd >= 0)
		km_loop_remove(a->o.loop, a->timer_fd);
	km_loop_remove(a->o.loop, a->o.engine_sock);
	km_buf_free(a->queue);
	km_chain_close(a->journal);
	free(a);
	return NULL;
}

uint64_t km_actor_engine_seen_ns(const struct km_actor *a)
{
	return a->engine_seen_ns;
}

bool km_actor_wants_stats(const struct km_actor *a)
{
	return a->stats_wanted;
}

bool km_actor_degraded(const struct km_actor *a)
{
	return a->lost || km_chain_degraded(a->journal);
}

void km_actor_set_policy(struct km_actor *a, const struct km_policy *p)
{
	a->o.policy = p;
}
