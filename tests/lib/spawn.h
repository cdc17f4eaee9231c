/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: running a program that was built beside them, and reading what it says. */
#ifndef KM_TEST_SPAWN_H
#define KM_TEST_SPAWN_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct test_child {
	pid_t pid;
	int out; /* its standard output, and its standard error */
};

/* NAME below the build folder ("tests/lib/enclose", "kmendd"): found from this program's own path,
 * O/tests/FOLDER.../PROGRAM. Valid until the next call. */
static inline char *test_built(const char *name)
{
	static char path[2 * PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *p, *last = NULL;

	path[n > 0 ? n : 0] = '\0';
	for (p = path; (p = strstr(p, "/tests/")); p++)
		last = p;
	if (last)
		snprintf(last, PATH_MAX, "/%s", name);
	return path;
}

/* main() goes on inside of enclose: this program is run again there, with OPTION if it is not NULL.
 */
static inline void test_enclose(char **argv, char *option)
{
	char *again[5] = { test_built("tests/lib/enclose") };
	size_t n = 1;

	if (getenv("KMEND_ENCLOSED"))
		return;
	if (option)
		again[n++] = option;
	again[n++] = "--";
	again[n] = argv[0];
	setenv("KMEND_ENCLOSED", "1", 1);
	execv(again[0], again);
	perror(again[0]);
	_exit(1);
}

/* Starts ARGV with nothing to read; it dies with this process. -1: could not. */
static inline int test_spawn(char *const argv[], struct test_child *ret)
{
	int p[2];

	*ret = (struct test_child){ -1, -1 };
	if (pipe2(p, O_CLOEXEC) < 0)
		return -1;
	ret->out = p[0];
	ret->pid = fork();
	if (ret->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (dup2(open("/dev/null", O_RDONLY), 0) == 0 && dup2(p[1], 1) == 1 &&
		    dup2(p[1], 2) == 2)
			execvp(argv[0], argv);
		_exit(127);
	}
	close(p[1]);
	return ret->pid < 0 ? -1 : 0;
}

static inline long test_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Reads until UNTIL has been said (NULL: until all who hold the other end are gone) into TEXT of
 * SIZE, of which the latest stays, for at most MS. 0, or -1 if it was not said in that time. */
static inline int test_read(const struct test_child *c, const char *until, char *text, size_t size,
                            int ms)
{
	struct pollfd p = { .fd = c->out, .events = POLLIN };
	long left, end = test_now_ms() + ms;
	size_t len = 0;

	text[0] = '\0';
	while ((left = end - test_now_ms()) > 0 && poll(&p, 1, (int)left) >= 0) {
		ssize_t n = p.revents ? read(c->out, text + len, size - 1 - len) : 0;

		if (p.revents && n <= 0)
			return until ? -1 : 0;
		len += (size_t)n;
		text[len] = '\0';
		if (until && strstr(text, until))
			return 0;
		if (until && len == size - 1) { /* only what comes is of interest */
			len = size / 2;
			memmove(text, text + size - 1 - len, len);
		}
	}
	return -1;
}

/* Exit status as the shell has it: 128 + signal. */
static inline int test_wait(struct test_child *c)
{
	int status;

	if (waitpid(c->pid, &status, 0) != c->pid)
		return -1;
	close(c->out);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Runs ARGV to its end, and that of all who hold its output; its exit status, or -1 if that took
 * more than MS. */
static inline int test_run(char *const argv[], char *text, size_t size, int ms)
{
	struct test_child c;
	int r, status;

	if (test_spawn(argv, &c) < 0)
		return -1;
	r = test_read(&c, NULL, text, size, ms);
	if (r < 0)
		kill(c.pid, SIGKILL);
	status = test_wait(&c);
	return r < 0 ? -1 : status;
}

#endif
