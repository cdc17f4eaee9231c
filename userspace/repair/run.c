// SPDX-License-Identifier: Apache-2.0
/* A reviewed program: judged on its opened descriptor and executed by it, in a cgroup of its own,
 * as its user; the first line of its output is what people see. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/cgroup.h"
#include "base/fs.h"
#include "base/spawn.h"
#include "base/text.h"
#include "repair/works.h"

/* Of the output; the rest is read and forgotten, so that nobody is stopped by a full pipe. */
#define OUTPUT_MAX 128
/* Descriptors of such a program. */
#define FILES_MAX 256

struct run {
	struct km_service_def def;
	struct km_spawn spawn;
	struct km_spawned child;
	int out_fd;
	char output[OUTPUT_MAX];
	size_t len;
};

/* No service's name begins with a dash. */
static void cgroup_name(const char *name, char *ret, size_t size)
{
	snprintf(ret, size, "-run.%s", name);
}

static int plan(void *arg, char *detail, size_t size)
{
	struct km_work_run *work = arg;
	struct km_error err = { 0 };
	struct run *k = calloc(1, sizeof(*k));
	int r;

	work->run = k;
	if (!k)
		return -ENOMEM;
	cgroup_name(work->name, k->def.name, sizeof(k->def.name));
	km_copy(k->def.user, sizeof(k->def.user), work->user);
	km_copy(k->def.directory, sizeof(k->def.directory), "/");
	k->def.argv = work->argv;
	k->spawn = (struct km_spawn){ .def = &k->def,
		                      .intent_id = work->id,
		                      .cgroup_dir = -1,
		                      .v1_dir = { -1, -1 },
		                      .by_fork = true,
		                      .files = { FILES_MAX, FILES_MAX } };
	snprintf(detail, size, "run %.100s", work->argv[0]);
	r = km_spawn_user(&k->spawn);
	if (r < 0) {
		snprintf(detail, size, "no user \"%s\"", work->user);
		return r;
	}
	k->spawn.program_fd = km_fs_open_trusted_file(work->argv[0], &err);
	if (k->spawn.program_fd < 0) {
		snprintf(detail, size, "%.200s", err.what);
		return k->spawn.program_fd;
	}
	r = km_cgroup_prepare(work->cgroup_root, k->def.name, NULL, KM_UNKNOWN,
	                      &k->spawn.cgroup_dir);
	if (r < 0)
		snprintf(detail, size, "it gets no cgroup of its own");
	return r;
}

static int start(struct run *k)
{
	int out[2], r;

	if (pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	k->spawn.out_fd = out[1];
	r = km_spawn(&k->spawn, &k->child);
	close(out[1]);
	if (r < 0) {
		close(out[0]);
		return r;
	}
	k->out_fd = out[0];
	km_spawn_go(&k->child);
	return 0;
}

static void take_output(struct run *k, const char *text, size_t len)
{
	size_t room = sizeof(k->output) - 1 - k->len;

	if (len > room)
		len = room;
	memcpy(k->output + k->len, text, len);
	k->len += len;
}

/* Until the program ends; a child that it leaves behind may hold the pipe. */
static void listen_to(struct run *k)
{
	struct pollfd p[] = { { .fd = k->child.pidfd, .events = POLLIN },
		              { .fd = k->out_fd, .events = POLLIN } };
	char text[4096];

	do {
		ssize_t n = 0;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return;
		if (p[1].revents && (n = read(k->out_fd, text, sizeof(text))) > 0)
			take_output(k, text, (size_t)n);
		else if (p[1].revents)
			p[1].fd = -1;
		if (n > 0)
			continue;
	} while (!(p[0].revents & POLLIN));
}

static int apply(void *arg, char *detail, size_t size)
{
	struct km_spawn_error e;
	siginfo_t info = { 0 };
	struct run *k = ((struct km_work_run *)arg)->run;
	char said[4 * OUTPUT_MAX];
	int r;

	km_cgroup_kill(k->spawn.cgroup_dir); /* left behind by the last one */
	r = start(k);
	if (r < 0)
		return r;
	listen_to(k);
	waitid(P_PIDFD, (id_t)k->child.pidfd, &info, WEXITED);
	km_cgroup_kill(k->spawn.cgroup_dir);
	if (read(k->child.exec_fd, &e, sizeof(e)) == sizeof(e)) {
		snprintf(detail, size, "not run: %.27s: %s", e.step, strerror(-e.error));
		return e.error;
	}
	k->output[strcspn(k->output, "\n")] = '\0';
	snprintf(detail, size, "%s %d%s%.120s",
	         info.si_code == CLD_EXITED ? "ended with" : "ended by signal", info.si_status,
	         k->len ? ": " : "", km_text_escape(k->output, said, sizeof(said)));
	return info.si_code == CLD_EXITED && info.si_status == 0 ? 0 : -EIO;
}

void km_work_run_kill(const char *cgroup_root, const char *name)
{
	km_autoclose int dir = -1;
	char cgroup[KM_NAME_MAX];

	cgroup_name(name, cgroup, sizeof(cgroup));
	if (km_cgroup_prepare(cgroup_root, cgroup, NULL, KM_UNKNOWN, &dir) == 0)
		km_cgroup_kill(dir);
}

const struct km_job_work km_work_run = { plan, apply };
