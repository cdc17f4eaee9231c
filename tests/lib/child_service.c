// SPDX-License-Identifier: Apache-2.0
/* child_service FILE MODE: a supervised command for the actor's tests. At main()'s first line it
 * appends "NS PID\n" to FILE (NS of CLOCK_MONOTONIC), then
 *
 *   wait       until it is killed; SIGTERM ends it
 *   stubborn   the same, but SIGTERM is ignored
 *   family     three more processes of its own that ignore SIGTERM
 *   linger     its first thread ends, another one stays
 *   exit N     exit status N at once
 *   tell       appends what it was given: identity, limits, signals, descriptors, environment */
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/base.h"

/* Read by AddressSanitizer, which would else handle these three before main(); what a command is
 * given has no ASAN_OPTIONS. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "handle_segv=0:handle_sigbus=0:handle_sigfpe=0";
}

static void tell_signals(int out)
{
	struct sigaction act;
	sigset_t mask;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	for (int i = 1; i < NSIG; i++) {
		if (sigismember(&mask, i) == 1)
			dprintf(out, "blocked %d\n", i);
		if (sigaction(i, NULL, &act) == 0 && act.sa_handler != SIG_DFL)
			dprintf(out, "handled %d\n", i);
	}
}

static void tell_descriptors(int out)
{
	DIR *dir = opendir("/proc/self/fd");
	char link[KM_PATH_MAX];
	struct dirent *e;
	ssize_t n;
	int fd;

	while (dir && (e = readdir(dir))) {
		n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);
		fd = (int)strtol(e->d_name, NULL, 10);
		if (n <= 0 || fd == out || fd == dirfd(dir))
			continue;
		link[n] = '\0';
		dprintf(out, "fd %s %s\n", e->d_name, link);
	}
	if (dir)
		closedir(dir);
}

static void tell(int out)
{
	struct rlimit files;
	char cwd[KM_PATH_MAX];
	mode_t mask = umask(0);

	getrlimit(RLIMIT_NOFILE, &files);
	dprintf(out, "uid %u gid %u groups %d\n", geteuid(), getegid(), getgroups(0, NULL));
	dprintf(out, "files %llu %llu\n", (unsigned long long)files.rlim_cur,
	        (unsigned long long)files.rlim_max);
	dprintf(out, "session %d umask %03o cwd %s\n", getsid(0) == getpid(), mask,
	        getcwd(cwd, sizeof(cwd)) ? cwd : "?");
	tell_signals(out);
	tell_descriptors(out);
	for (char **e = environ; *e; e++)
		dprintf(out, "env %s\n", *e);
	dprintf(out, "end\n");
}

static void wait_for_ever(void)
{
	while (pause() < 0)
		;
}

static void *stay(void *userdata)
{
	wait_for_ever();
	return userdata;
}

static void linger(void)
{
	pthread_t other;

	if (pthread_create(&other, NULL, stay, NULL) == 0)
		syscall(SYS_exit, 0);
}

int main(int argc, char **argv)
{
	struct timespec t;
	int out;

	clock_gettime(CLOCK_MONOTONIC, &t);
	if (argc < 3)
		return 2;
	out = open(argv[1], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (out < 0)
		return 1;
	dprintf(out, "%llu %d\n", (unsigned long long)t.tv_sec * KM_NS_PER_S + t.tv_nsec, getpid());
	if (strcmp(argv[2], "exit") == 0)
		return argc > 3 ? (int)strtol(argv[3], NULL, 10) : 0;
	if (strcmp(argv[2], "tell") == 0)
		tell(out);
	if (strcmp(argv[2], "stubborn") == 0)
		signal(SIGTERM, SIG_IGN);
	for (int i = 0; i < 3 && strcmp(argv[2], "family") == 0; i++)
		if (fork() == 0) {
			signal(SIGTERM, SIG_IGN);
			wait_for_ever();
		}
	if (strcmp(argv[2], "linger") == 0)
		linger();
	wait_for_ever();
	return 0;
}
