// SPDX-License-Identifier: Apache-2.0
/* Supervised commands: prepared at start, then stopped and started by events alone. */
#include <sys/socket.h>
#include <sys/wait.h>

#include "act/internal.h"

/* Until a new process is looked at: on the CPU that it starts on, and on the disk, the records of
 * its start would be in its way (0.5 ms before its main()). */
#define EXEC_NS (3 * KM_NS_PER_MS)

struct km_child *km_command_child(struct km_actor *a, const char *service)
{
	for (struct km_child *c = a->child; c < a->child + a->child_count; c++)
		if (strcmp(c->def->name, service) == 0)
			return c;
	return NULL;
}

int km_command_prepare(struct km_child *c)
{
	const struct km_actor_opts *o = &c->actor->o;
	const struct km_spawn_roots roots = { o->cgroup_root, { o->memory_root, o->pids_root } };
	int r = km_spawn_prepare(&c->spawn, &roots);

	if (km_service_has_check(c->def, KM_CHECK_WATCHDOG))
		c->spawn.notify = o->notify_path;
	c->cgroup_id = r == 0 ? km_place_id(c->spawn.cgroup_dir) : 0;
	c->prepared = r == 0;
	return r;
}

static void say_child(const struct km_child *c, int status)
{
	struct km_act_child m = {
		.hdr = { KM_ACT_CHILD, KM_ACT_VERSION, sizeof(m) },
		.process = { .hdr = { .type = KM_RAW_PROCESS,
		                      .size = sizeof(m.process),
		                      .ktime_ns = km_now_ns(),
		                      .cgroup_id = c->cgroup_id },
		             .tgid = c->tgid,
		             .start_ns = c->start_ns,
		             .source = KM_FROM_EXIT_WATCH,
		             .wait_status = status },
	};

	km_copy(m.process.service, sizeof(m.process.service), c->def->name);
	km_actor_send(c->actor, &m, sizeof(m));
}

void km_command_started(struct km_child *c, uint64_t intent_id)
{
	struct km_journal_record r = {
		.kind = KM_J_STARTED,
		.intent_id = intent_id,
		.tgid = c->tgid,
		.start_ns = c->start_ns,
		.cgroup_id = c->cgroup_id,
	};

	km_copy(r.service, sizeof(r.service), c->def->name);
	if (km_journal_add(c->actor->journal, &r) < 0)
		c->actor->lost = true;
}

static int forget(struct km_child *c)
{
	int status = km_spawn_reap(c->pidfd);

	km_loop_remove(c->actor->o.loop, c->pidfd);
	km_close(&c->pidfd);
	return status;
}

/* The process before, if any, has given back what it had, its ports too. */
static bool is_gone(struct km_child *c)
{
	if (c->tgid && poll(&(struct pollfd){ .fd = c->pidfd, .events = POLLIN }, 1, 0) > 0) {
		say_child(c, forget(c));
		c->tgid = 0;
	}
	return !c->tgid;
}

/* The child gets ready while the disk is at work on the intent and the process before is exiting,
 * and does nothing until both are through. */
static void start(struct km_act *act)
{
	struct km_child *c = act->child;
	int r = 0;

	c->spawn.intent_id = act->rec.intent_id;
	if (!c->next.tgid)
		r = km_spawn(&c->spawn, &c->next);
	if (!act->intended && km_act_intend_end(act) < 0)
		return;
	if (r < 0) {
		km_act_finish(act, KM_OUT_FAILED, r, "not started: no new process");
		return;
	}
	if (!is_gone(c))
		return; /* its pidfd leads back to here */
	if (km_cgroup_count(c->spawn.cgroup_dir) > 1) {
		km_command_advance(act);
		return;
	}
	km_spawn_go(&c->next);
	act->phase = KM_ACT_EXEC;
	act->look_ns = km_now_ns() + EXEC_NS;
	km_command_watch(c, c->next.tgid, 0, c->next.pidfd);
	km_act_wait(act, -1, 0, NULL);
	act->fd = c->next.exec_fd;
	c->next.tgid = 0;
	km_actor_rearm(c->actor);
}

/* The child reached its execve(), or said why not. */
static int on_exec(void *userdata, int fd, uint32_t events)
{
	struct km_act *act = userdata;
	struct km_child *c = act->child;
	struct km_spawn_error e = { .error = -EINTR, .step = "killed" };
	struct km_identity id = { .before_exec = true };
	uint64_t intent;
	char detail[128];
	ssize_t n = recv(fd, &e, sizeof(e), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return 0;
	/* The socket also closes when it is killed on the way; it is not reaped, so the number is
	 * still its own. */
	if (n <= 0)
		km_identity_read(c->tgid, &id);
	if (!id.before_exec) {
		intent = act->rec.intent_id;
		c->start_ns = id.start_ns;
		c->running = true;
		km_act_finish(act, KM_OUT_DONE, 0, "started");
		km_command_started(c, intent);
		return 0;
	}
	forget(c); /* it ends by itself, at once */
	c->tgid = 0;
	if (n <= 0 && !c->spawn.by_fork) {
		/* Nothing has run yet: once more, in the way that a killed cgroup allows. */
		c->spawn.by_fork = true;
		start(act);
		return 0;
	}
	snprintf(detail, sizeof(detail), "not started: %.27s: %s", e.step, strerror(-e.error));
	km_act_finish(act, KM_OUT_FAILED, e.error, detail);
	return 0;
}

static int on_exit_of_main(void *userdata, int fd, uint32_t events)
{
	struct km_child *c = userdata;
	uint32_t tgid = c->tgid;

	(void)fd;
	(void)events;
	if (c->act && c->act->phase == KM_ACT_EXEC)
		on_exec(c->act, c->act->fd, EPOLLIN);
	/* Else it was never the main process; another may be on its way. */
	if (c->tgid == tgid && is_gone(c) && c->act)
		km_command_advance(c->act);
	return 0;
}

int km_command_watch(struct km_child *c, uint32_t tgid, uint64_t start_ns, int pidfd)
{
	c->tgid = tgid;
	c->start_ns = start_ns;
	c->pidfd = pidfd;
	c->running = false;
	return km_loop_add(c->actor->o.loop, pidfd, EPOLLIN, on_exit_of_main, c);
}

static int on_cgroup_event(void *userdata, int fd, uint32_t events)
{
	(void)events;
	(void)!pread(fd, (char[128]){ 0 }, 128, 0); /* arms the next notification */
	km_command_advance(userdata);
	return 0;
}

static void watch_cgroup(struct km_act *act)
{
	int fd = openat(act->child->spawn.cgroup_dir, "cgroup.events", O_RDONLY | O_CLOEXEC);

	km_act_wait(act, fd, EPOLLPRI, on_cgroup_event);
	(void)!pread(fd, (char[128]){ 0 }, 128, 0);
}

/* Whoever is still there when patience is over, or without its main process, is killed. */
static void kill_rest(struct km_act *act)
{
	struct km_child *c = act->child;

	if (c->tgid && km_now_ns() < act->look_ns)
		return;
	act->look_ns = km_now_ns() + KM_KILL_PERIOD_NS;
	km_spawn_drop(&c->next);
	km_pidfd_kill(c->pidfd, SIGKILL); /* -1: there is none */
	km_cgroup_kill(c->spawn.cgroup_dir);
}

void km_command_advance(struct km_act *act)
{
	struct km_child *c = act->child;
	bool overdue = km_now_ns() >= act->deadline_ns;
	int n = km_cgroup_count(c->spawn.cgroup_dir);

	if (act->phase == KM_ACT_EXEC) {
		if (!overdue) {
			/* Looked at once, and then heard. */
			if (act->look_ns)
				km_loop_add(act->actor->o.loop, act->fd, EPOLLIN, on_exec, act);
			act->look_ns = 0;
			return;
		}
		km_pidfd_kill(c->pidfd, SIGKILL); /* not later, when nobody waits for it */
		km_act_finish(act, KM_OUT_FAILED, -ETIMEDOUT, "did not reach its execve in time");
		return;
	}
	if (act->fd < 0)
		watch_cgroup(act);
	if (c->tgid || n < 0 || n > (c->next.tgid ? 1 : 0)) {
		kill_rest(act);
		if (overdue)
			km_act_finish(act, KM_OUT_FAILED, -ETIMEDOUT, "did not end in time");
	} else if (act->rec.verb == KM_STOP || act->rec.verb == KM_KILL) {
		km_act_finish(act, KM_OUT_DONE, 0, "stopped");
	} else {
		start(act);
	}
}

static void terminate(const struct km_child *c)
{
	km_pidfd_kill(c->pidfd, c->def->stop_signal);
	km_pidfd_kill(c->pidfd, SIGCONT); /* a stopped one could not end */
}

/* START, STOP and RESTART: the old one ends (START: only if it is ending already), its cgroup is
 * emptied, the new one starts. */
void km_command_begin(struct km_act *act)
{
	struct km_child *c = act->child;
	struct km_identity id = { .dying = true };
	int r;

	c->act = act;
	c->started = true;
	act->rec.tgid = c->tgid;
	act->rec.start_ns = c->start_ns;
	act->rec.cgroup_id = c->cgroup_id;
	if (km_act_intend_begin(act) < 0)
		return;
	act->phase = KM_ACT_GONE;
	act->look_ns = km_now_ns() + (act->rec.verb == KM_KILL ? 0 : c->def->stop_timeout_ns);
	if (act->rec.verb != KM_STOP && act->rec.verb != KM_KILL && c->prepared &&
	    !(c->tgid && c->spawn.by_fork) && km_spawn_is_over(c->spawn.cgroup_dir, c->tgid)) {
		start(act);
		return;
	}
	if (km_act_intend_end(act) < 0)
		return;
	r = c->prepared ? 0 : km_command_prepare(c);
	if (r < 0) {
		km_act_finish(act, KM_OUT_FAILED, r,
		              "its user, limits or cgroup cannot be prepared");
		return;
	}
	if (act->rec.verb == KM_START && c->tgid) {
		/* The kernel tells of an exit before it has given the ports back. */
		km_identity_read(c->tgid, &id);
		if (c->running && !id.dying) {
			km_act_finish(act, KM_OUT_DONE, 0, "was running already");
			return;
		}
	} else if (c->tgid && act->rec.verb != KM_KILL) {
		terminate(c);
	}
	km_command_advance(act);
}

void km_command_free(struct km_child *c)
{
	if (c->pidfd >= 0)
		km_loop_remove(c->actor->o.loop, c->pidfd);
	km_close(&c->pidfd);
	km_spawn_drop(&c->next);
	km_spawn_close(&c->spawn);
}

int km_actor_stop_all(struct km_actor *a)
{
	uint64_t begun = km_now_ns(), longest = 0;
	struct km_child *c, *end = a->child + a->child_count;
	bool left = true;

	km_loop_remove(a->o.loop, a->o.engine_sock); /* no new acts meanwhile */
	for (c = a->child; c < end; c++) {
		if (c->tgid)
			terminate(c);
		if (c->def->stop_timeout_ns > longest)
			longest = c->def->stop_timeout_ns;
	}
	while (left && km_now_ns() < begun + longest + KM_RECOVER_NS) {
		left = false;
		for (c = a->child; c < end; c++) {
			if (!c->tgid && (!c->prepared || !km_cgroup_count(c->spawn.cgroup_dir)))
				continue;
			left = true;
			if (!c->tgid || km_now_ns() >= begun + c->def->stop_timeout_ns)
				km_cgroup_kill(c->spawn.cgroup_dir);
		}
		/* Exits wake it at once; every 10 ms the kernel says that a cgroup is empty. */
		if (left && km_loop_once(a->o.loop, 10) < 0)
			break;
	}
	return left ? -ETIMEDOUT : 0;
}
