/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/guardian.h"

#include <bpf/bpf.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"

/* The engine says that it is alive each second; silent for so long, it hangs. */
#define ENGINE_SILENT_NS (15 * KM_NS_PER_S)
/* Looked at rarely, each wake-up costs; until the engine is heard, soon. */
#define CHECK_PERIOD_NS (4 * KM_NS_PER_S)
#define READY_PERIOD_NS (50 * KM_NS_PER_MS)
/* Engine and front get so long to end in order. */
#define END_TIMEOUT_MS 10000

/* One of the others ended? Their exit is looked at here, services are the actor's to reap. */
static void check_children(struct km_guardian *g)
{
	static const char *const name[] = { "engine", "front", "prober" };
	int *const pid[] = { &g->engine_pid, &g->front_pid, &g->prober_pid };

	for (size_t i = 0; i < KM_ARRAY_SIZE(pid); i++) {
		int status;

		if (*pid[i] <= 0 || waitpid(*pid[i], &status, WNOHANG) != *pid[i])
			continue;
		*pid[i] = -1;
		if (g->stopping)
			continue;
		if (WIFSIGNALED(status))
			km_log(KM_ERR, "the %s was ended by signal %d", name[i], WTERMSIG(status));
		else
			km_log(KM_ERR, "the %s ended with status %d", name[i], WEXITSTATUS(status));
		g->status = 1;
		km_loop_stop(g->loop);
	}
}

static int on_child(void *userdata, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	check_children(userdata);
	return 0;
}

static int on_signal(void *userdata, int fd, uint32_t signo)
{
	struct km_guardian *g = userdata;

	(void)fd;
	if (signo == SIGHUP) {
		if (g->engine_pid > 0)
			kill(g->engine_pid, SIGHUP);
		if (g->prober_pid > 0)
			kill(g->prober_pid, SIGHUP);
		return 0;
	}
	g->stopping = true;
	km_loop_stop(g->loop);
	return 0;
}

/* Each run of each BPF program on this host costs some 50 ns more meanwhile: only while asked
 * for. */
static void switch_stats(struct km_guardian *g, bool wanted)
{
	if (wanted && g->stats_fd <= 0)
		g->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (!wanted && g->stats_fd > 0) {
		close(g->stats_fd);
		g->stats_fd = 0;
	}
}

static int on_check(void *userdata, int fd, uint32_t events)
{
	struct km_guardian *g = userdata;
	uint64_t seen = g->actor ? km_actor_engine_seen_ns(g->actor) : g->engine_seen_ns;

	(void)fd;
	(void)events;
	switch_stats(g, g->actor && km_actor_wants_stats(g->actor));
	if (seen && !g->ready) {
		g->ready = true;
		sd_notify(0, "READY=1");
		km_loop_remove(g->loop, g->check_fd);
		return km_loop_timer(g->loop, CHECK_PERIOD_NS, on_check, g, &g->check_fd);
	}
	if (seen && km_now_ns() - seen > ENGINE_SILENT_NS) {
		km_log(KM_ERR, "the engine has been silent for %llu s: ending",
		       ENGINE_SILENT_NS / KM_NS_PER_S);
		kill(g->engine_pid, SIGKILL); /* it would not hear a SIGTERM either */
		g->status = 1;
		km_loop_stop(g->loop);
	} else if (seen) {
		sd_notify(0, "WATCHDOG=1");
	}
	return 0;
}

/* Without an actor (no journal, no acts): only that the engine lives is heard. */
static int on_engine(void *userdata, int fd, uint32_t events)
{
	struct km_guardian *g = userdata;
	struct km_act_request m;
	ssize_t n = km_message_recv(fd, &m, sizeof(m), NULL);

	(void)events;
	if (n == -EAGAIN)
		return 0;
	if (n <= 0)
		return n ? (int)n : -EPIPE;
	g->engine_seen_ns = km_now_ns();
	return 0;
}

/* Nothing may be acted on: a policy that pauses everything, whatever the files say. */
static int pause_policy(struct km_guardian *g)
{
	static const char text[] = "{\"version\":1,\"pause\":true}";
	struct km_error err;

	return km_policy_compile(text, sizeof(text) - 1, "(observe only)", &err, &g->paused);
}

/* The journal was damaged: its good prefix is kept, but who knows what was lost behind it. */
static int pause_actor(struct km_guardian *g)
{
	int r = g->paused ? 0 : pause_policy(g);

	if (r < 0)
		return r;
	km_log(KM_ERR, "the action journal was damaged: all acts are refused until kmendd is "
	               "started again; look at it with kmend action verify");
	km_actor_set_policy(g->actor, g->paused);
	return 0;
}

static int start_actor(struct km_guardian *g)
{
	struct km_daemon *d = g->d;
	struct km_actor_opts opts = {
		.loop = g->loop,
		.config = d->set.config,
		.policy = d->set.policy,
		.journal_dir_fd = d->journal_fd,
		.engine_sock = g->engine_sock,
		.cgroup_root = d->cgroup_root[0] ? d->cgroup_root : NULL,
		.memory_root = d->memory_root[0] ? d->memory_root : NULL,
		.pids_root = d->pids_root[0] ? d->pids_root : NULL,
		.pause_file = d->pause_file,
		.cpu_root = d->cpu_root[0] ? d->cpu_root : NULL,
		.pin_dir = d->pin_dir[0] ? d->pin_dir : NULL,
		.notify_path = d->notify_path[0] ? d->notify_path : NULL,
	};
	int r = 0;

	if (d->journal_fd < 0)
		return km_loop_add(g->loop, g->engine_sock, EPOLLIN, on_engine, g);
	if (d->observe_only) {
		r = pause_policy(g);
		opts.policy = g->paused;
	}
	if (r == 0)
		r = km_actor_new(&opts, &g->actor);
	if (r == 0)
		return km_actor_degraded(g->actor) ? pause_actor(g) : 0;
	km_log(KM_ERR, "nothing is acted on, the actor cannot start: %s", strerror(-r));
	return km_loop_add(g->loop, g->engine_sock, EPOLLIN, on_engine, g);
}

static int wire(struct km_guardian *g)
{
	static const int ends[] = { SIGTERM, SIGINT, SIGHUP };
	static const int child[] = { SIGCHLD };
	int r;

	r = km_loop_new(&g->loop);
	if (r == 0)
		r = km_loop_signals(g->loop, ends, KM_ARRAY_SIZE(ends), on_signal, g);
	if (r == 0)
		r = km_loop_signals(g->loop, child, KM_ARRAY_SIZE(child), on_child, g);
	if (r == 0)
		r = km_loop_timer(g->loop, READY_PERIOD_NS, on_check, g, &g->check_fd);
	return r;
}

/* Asks PID to end and waits for it by pidfd; kills it where it does not. Its wait status, 0 where
 * it had ended before. */
static int end_child(int *pid)
{
	struct pollfd p = { .events = POLLIN };
	int status = 0;

	if (*pid <= 0)
		return 0;
	p.fd = (int)syscall(SYS_pidfd_open, *pid, 0);
	kill(*pid, SIGTERM);
	if (p.fd < 0 || poll(&p, 1, END_TIMEOUT_MS) == 0)
		kill(*pid, SIGKILL);
	waitpid(*pid, &status, 0);
	km_close(&p.fd);
	*pid = -1;
	return status;
}

int km_guardian_run(struct km_guardian *g)
{
	int status, r = wire(g);

	if (r == 0)
		r = start_actor(g);
	if (r < 0)
		return 1;
	check_children(g); /* one that ended before its SIGCHLD was blocked */
	r = km_loop_run(g->loop);
	if (r < 0 && r != -EPIPE) {
		km_log(KM_ERR, "the actor ends: %s", strerror(-r));
		g->status = 1;
	}
	if (r == -EPIPE && !g->stopping)
		g->status = 1;
	g->stopping = true;
	sd_notify(0, "STOPPING=1");
	/* The engine first: it would take the end of a service for a failure. */
	status = end_child(&g->engine_pid);
	if (g->d->opts.stop_services && g->status == 0 && g->actor)
		km_actor_stop_all(g->actor);
	if (status) {
		km_log(KM_ERR, "the engine did not end in order: wait status %d", status);
		g->status = 1;
	}
	return g->status;
}

void km_guardian_end(struct km_guardian *g)
{
	switch_stats(g, false);
	end_child(&g->engine_pid);
	end_child(&g->front_pid);
	end_child(&g->prober_pid);
	g->actor = km_actor_free(g->actor);
	g->paused = km_policy_free(g->paused);
	g->loop = km_loop_free(g->loop);
}
