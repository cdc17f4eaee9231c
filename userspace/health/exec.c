// SPDX-License-Identifier: Apache-2.0
/* Checks by a program: in a cgroup of its own, as the prober's own user, with a deadline and the
 * first bytes of its output. What it leaves behind in its cgroup is killed. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cgroup.h"
#include "base/identity.h"
#include "base/spawn.h"
#include "health/internal.h"

/* Of the output: its first line is the reason that people see. */
#define OUTPUT_MAX 512
/* Descriptors of such a program. */
#define FILES_MAX 256

struct exec_probe {
	struct km_prober *prober;
	struct km_check *check;
	struct km_service_def def; /* what base/spawn runs */
	struct km_spawned child;
	int cgroup_dir;
	int out_fd;
	bool watched_out, watched_child;
	size_t len;
	char output[OUTPUT_MAX];
};

static void drop(struct exec_probe *e, int *fd, bool *watched)
{
	if (*watched)
		km_loop_remove(e->prober->loop, *fd);
	*watched = false;
	km_close(fd);
}

/* More than is kept is read and forgotten, so that nobody is stopped by a full pipe. */
static int on_output(void *userdata, int fd, uint32_t events)
{
	struct exec_probe *e = userdata;
	char rest[4096];
	ssize_t n;

	(void)events;
	if (e->len < sizeof(e->output) - 1)
		n = read(fd, e->output + e->len, sizeof(e->output) - 1 - e->len);
	else
		n = read(fd, rest, sizeof(rest));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		drop(e, &e->out_fd, &e->watched_out);
	else if (e->len < sizeof(e->output) - 1)
		e->len += (size_t)n;
	return 0;
}

/* The first line, cut to what fits. */
static const char *said(struct exec_probe *e)
{
	e->output[e->len] = '\0';
	e->output[strcspn(e->output, "\n")] = '\0';
	e->output[80] = '\0';
	return e->output;
}

static void judge(struct exec_probe *e, const siginfo_t *info)
{
	struct km_spawn_error error;

	if (read(e->child.exec_fd, &error, sizeof(error)) == sizeof(error)) {
		km_check_done(e->prober, e->check, KM_PROBE_NOT_MEASURED,
		              "cannot run it: %.27s: %s", error.step, strerror(-error.error));
		return;
	}
	if (e->out_fd >= 0)
		on_output(e, e->out_fd, 0);
	if (info->si_code == CLD_EXITED && info->si_status == 0)
		km_check_done(e->prober, e->check, KM_PROBE_GOOD, "%s",
		              e->len ? said(e) : "ended with 0");
	else
		km_check_done(e->prober, e->check, KM_PROBE_BAD, "%s %d%s%s",
		              info->si_code == CLD_EXITED ? "ended with" : "ended by signal",
		              info->si_status, e->len ? ": " : "", said(e));
}

static int on_child(void *userdata, int fd, uint32_t events)
{
	struct exec_probe *e = userdata;
	siginfo_t info = { 0 };

	(void)events;
	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
		return 0;
	drop(e, &e->child.pidfd, &e->watched_child);
	judge(e, &info);
	return 0;
}

/* One that was killed may take its time to go, in the kernel for ever: it is waited for without
 * waiting, and until then no other one is begun. */
static bool still_there(struct km_check *c)
{
	siginfo_t info = { 0 };

	if (c->leftover_fd < 0)
		return false;
	if (waitid(P_PIDFD, (id_t)c->leftover_fd, &info, WEXITED | WNOHANG) == 0 && !info.si_pid)
		return true;
	km_close(&c->leftover_fd);
	return false;
}

static int open_cgroup(const struct km_prober *p, const struct km_check *c)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "%zu", (size_t)(c - p->checks));
	if (mkdirat(p->opts->cgroup_dir, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(p->opts->cgroup_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int start(struct exec_probe *e)
{
	struct km_spawn s = { .def = &e->def,
		              .v1_dir = { -1, -1 },
		              .files = { FILES_MAX, FILES_MAX },
		              .group_count = -1 };
	int out[2], r;

	e->cgroup_dir = open_cgroup(e->prober, e->check);
	if (e->cgroup_dir < 0)
		return e->cgroup_dir;
	km_cgroup_kill(e->cgroup_dir); /* left behind by the last attempt */
	if (pipe2(out, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	e->out_fd = out[0];
	s.cgroup_dir = e->cgroup_dir;
	s.out_fd = out[1];
	r = km_spawn(&s, &e->child);
	km_close(&out[1]);
	if (r == 0)
		km_spawn_go(&e->child);
	return r;
}

static int watch(struct exec_probe *e)
{
	int r = km_loop_add(e->prober->loop, e->out_fd, EPOLLIN, on_output, e);

	e->watched_out = r == 0;
	if (r == 0)
		r = km_loop_add(e->prober->loop, e->child.pidfd, EPOLLIN, on_child, e);
	e->watched_child = r == 0;
	return r;
}

void km_exec_begin(struct km_prober *p, struct km_check *c)
{
	struct exec_probe *e = calloc(1, sizeof(*e));
	int r;

	if (!e || still_there(c)) {
		km_check_done(p, c, KM_PROBE_NOT_MEASURED, "%s",
		              e ? "the last one was killed and has not ended" : "no memory");
		free(e);
		return;
	}
	c->probe = e;
	e->prober = p;
	e->check = c;
	e->cgroup_dir = e->out_fd = e->child.pidfd = e->child.exec_fd = -1;
	km_copy(e->def.name, sizeof(e->def.name), c->service->name);
	km_copy(e->def.directory, sizeof(e->def.directory), "/");
	e->def.argv = c->def->argv;
	r = p->opts->cgroup_dir < 0 ? -ENOENT : start(e);
	if (r == 0)
		r = watch(e);
	if (r < 0)
		km_check_done(p, c, KM_PROBE_NOT_MEASURED,
		              "cannot run it in a cgroup of its own: %s", strerror(-r));
}

void km_exec_end(struct km_prober *p, struct km_check *c)
{
	struct exec_probe *e = c->probe;

	if (!e)
		return;
	if (e->cgroup_dir >= 0)
		km_cgroup_kill(e->cgroup_dir);
	drop(e, &e->out_fd, &e->watched_out);
	if (e->watched_child)
		km_loop_remove(p->loop, e->child.pidfd);
	if (e->child.pidfd >= 0) {
		km_pidfd_kill(e->child.pidfd, SIGKILL);
		c->leftover_fd = km_take_fd(&e->child.pidfd);
		still_there(c);
	}
	km_close(&e->child.exec_fd);
	km_close(&e->cgroup_dir);
	free(e);
	c->probe = NULL;
}
