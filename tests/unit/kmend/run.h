/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the built command as people do, and holds what it printed. */
#ifndef KM_TEST_RUN_H
#define KM_TEST_RUN_H

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/base.h"

struct run {
	pid_t pid;
	int out_fd, err_fd;
	int code; /* exit code, or -signal */
	char *out, *err;
};

/* O/tests/unit/kmend/X stands three folders below O/kmend; KMEND names another. */
static inline const char *run_program(char path[PATH_MAX])
{
	const char *given = getenv("KMEND");
	ssize_t n;

	if (given)
		return given;
	n = readlink("/proc/self/exe", path, PATH_MAX - 16);
	for (int i = 0; n > 0 && i < 4; i++) {
		path[n] = '\0';
		n = strrchr(path, '/') - path;
	}
	memcpy(path + (n > 0 ? n : 0), "/kmend", sizeof("/kmend"));
	return path;
}

static inline char *run_text(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = calloc(1, (size_t)size + 1);

	if (pread(fd, text, (size_t)size, 0) != size)
		text[0] = '\0';
	close(fd);
	return text;
}

/* ARGV[0] is the program; "kmend" stands for the one that was built. */
static inline void run_begin(struct run *r, char *const *argv)
{
	char path[PATH_MAX];
	const char *program = strcmp(argv[0], "kmend") == 0 ? run_program(path) : argv[0];

	r->out_fd = memfd_create("out", MFD_CLOEXEC);
	r->err_fd = memfd_create("err", MFD_CLOEXEC);
	fflush(NULL);
	r->pid = fork();
	if (r->pid == 0) {
		dup2(r->out_fd, 1);
		dup2(r->err_fd, 2);
		execvp(program, argv);
		_exit(127);
	}
}

static inline void run_end(struct run *r)
{
	int status = 0;

	while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
		;
	r->code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	r->out = run_text(r->out_fd);
	r->err = run_text(r->err_fd);
}

static inline void run_free(struct run *r)
{
	free(r->out);
	free(r->err);
	r->out = r->err = NULL;
}

#endif
