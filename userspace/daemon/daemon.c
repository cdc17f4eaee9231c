/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include "base/log.h"
#include "base/urgency.h"
#include "daemon/engine.h"
#include "daemon/guardian.h"
#include "daemon/privilege.h"
#include "daemon/setup.h"
#include "health/prober.h"
#include "report/front.h"

/* A client must send its whole request within this. */
#define REQUEST_TIMEOUT_NS (10 * KM_NS_PER_S)

/* Who must act at once does not queue behind what fails, nor the actor behind the engine that has
 * just asked it. A plain user may not ask for it, and goes without. */
#define NICE_ACTOR  (-15)
#define NICE_ENGINE (-10)

struct sockets {
	int actor[2]; /* actor's end, engine's end */
	int front[2]; /* front's end, engine's end */
	int probe[2]; /* prober's end, engine's end */
};

static int make_sockets(struct sockets *s)
{
	int type = SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC;

	if (socketpair(AF_UNIX, type, 0, s->actor) < 0 ||
	    socketpair(AF_UNIX, type, 0, s->front) < 0 ||
	    socketpair(AF_UNIX, type, 0, s->probe) < 0)
		return -errno;
	return 0;
}

static void rename_process(const char *name)
{
	prctl(PR_SET_NAME, name);
	km_log_open(name, KM_INFO);
}

/* Descriptors of the other two do not outlive the fork: a closed socket is how an end is seen. */
static void close_ours(int *fd, size_t count)
{
	for (size_t i = 0; i < count; i++)
		km_close(&fd[i]);
}

static int run_front(struct km_daemon *d, struct sockets *s)
{
	struct km_front_opts opts = {
		.listen_fd = d->listen_fd,
		.engine_sock = s->front[0],
		.request_timeout_ns = REQUEST_TIMEOUT_NS,
	};
	int r;

	rename_process("kmendd-front");
	close_ours(s->actor, 2);
	close_ours(s->probe, 2);
	close_ours(&d->notify_fd, 1);
	close_ours(&s->front[1], 1);
	close_ours(&d->engine_fd, 1);
	close_ours(&d->journal_fd, 1);
	close_ours(&d->lock_fd, 1);
	r = chdir("/") < 0 ? -errno : 0;
	if (r == 0 && d->root)
		r = km_privilege_drop(&d->front, false);
	if (r == 0)
		r = km_front_confine();
	if (r == 0)
		r = km_front_run(&opts);
	if (r < 0)
		km_log(KM_ERR, "front ends: %s", strerror(-r));
	return r < 0;
}

/* Leaks are looked for at exit(); a forked process ends by _exit(). Not for the front: confined, it
 * can start no process that looks. */
static int check_leaks(int r)
{
#ifdef __SANITIZE_ADDRESS__
	prctl(PR_SET_DUMPABLE, 1); /* the leak check traces us; another user could not be traced */
	if (__lsan_do_recoverable_leak_check())
		r = 1;
#endif
	return r;
}

static int read_config(void *userdata, struct km_config **ret)
{
	km_autofree(km_texts_clear) struct km_texts texts = { 0 };
	km_autofree(km_set_clear) struct km_set set = { 0 };
	struct km_daemon *d = userdata;
	struct km_error err;
	int r = km_setup_read_texts(&d->opts, &texts, &err);

	if (r == 0)
		r = km_texts_compile(&texts, &err, &set);
	if (r == 0)
		*ret = km_take(set.config);
	return r;
}

static int run_prober(struct km_daemon *d, struct sockets *s)
{
	struct km_prober_opts opts = {
		.config = d->set.config,
		.engine_sock = s->probe[0],
		.notify_fd = d->notify_fd,
		.read_config = read_config,
		.userdata = d,
	};
	int r;

	rename_process("kmendd-prober");
	close_ours(s->actor, 2);
	close_ours(s->front, 2);
	close_ours(&s->probe[1], 1);
	close_ours(&d->listen_fd, 1);
	close_ours(&d->engine_fd, 1);
	close_ours(&d->journal_fd, 1);
	close_ours(&d->lock_fd, 1);
	opts.cgroup_dir = km_setup_probe_join(d);
	r = d->root ? km_privilege_drop(&d->prober, false) : 0;
	if (r == 0)
		r = km_prober_run(&opts);
	if (r < 0)
		km_log(KM_ERR, "prober ends: %s", strerror(-r));
	return check_leaks(r < 0);
}

static int run_engine(struct km_daemon *d, struct sockets *s)
{
	rename_process("kmendd-engine");
	km_urgency_raise(NICE_ENGINE);
	close_ours(&s->actor[0], 1);
	close_ours(&s->front[0], 1);
	close_ours(&s->probe[0], 1);
	close_ours(&d->notify_fd, 1);
	close_ours(&d->listen_fd, 1);
	close_ours(&d->journal_fd, 1);
	close_ours(&d->lock_fd, 1);
	return check_leaks(km_engine_run(d, s->actor[1], s->front[1], s->probe[1]));
}

static int spawn(struct km_daemon *d, struct sockets *s,
                 int (*run)(struct km_daemon *, struct sockets *))
{
	int parent = getpid();
	int pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(km_privilege_die_with(parent) < 0 ? 1 : run(d, s));
	return pid;
}

int km_daemon_run(const struct km_daemon_opts *opts)
{
	struct km_daemon d;
	struct sockets s = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	struct km_guardian g = { .d = &d, .engine_pid = -1, .front_pid = -1, .prober_pid = -1 };
	int r;

	km_log_open("kmendd", KM_INFO);
	signal(SIGPIPE, SIG_IGN);
	r = km_setup_begin(opts, &d);
	if (r)
		return r;
	r = make_sockets(&s);
	if (r == 0)
		g.front_pid = spawn(&d, &s, run_front);
	if (g.front_pid > 0 && km_prober_needed(d.set.config))
		g.prober_pid = spawn(&d, &s, run_prober);
	if (g.front_pid > 0)
		g.engine_pid = spawn(&d, &s, run_engine);
	if (g.engine_pid > 0) {
		close_ours(s.front, 2);
		close_ours(s.probe, 2);
		close_ours(&s.actor[1], 1);
		g.engine_sock = s.actor[0];
		km_urgency_raise(NICE_ACTOR);
		r = km_guardian_run(&g);
	} else {
		km_log(KM_ERR, "cannot start the engine and the front");
		r = 1;
	}
	km_guardian_end(&g);
	km_setup_end(&d);
	close_ours(s.actor, 2);
	return r;
}
