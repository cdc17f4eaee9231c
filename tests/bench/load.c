/* SPDX-License-Identifier: Apache-2.0 */
/* load WORK COUNT: does WORK COUNT times and prints "CPU_NS WALL_NS" for all of it, the CPU time of
 * all processes that did it.
 *
 *   fork     fork, exec and wait for a program that does nothing
 *   pipe     a byte to another process on the same CPU and back
 *   getppid  the cheapest system call
 *   read     a byte of /dev/zero
 *   connect  to itself over the loopback device, and closed
 *   nothing  exit */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/base.h"

#define ADDRESSES 200

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * KM_NS_PER_S + (uint64_t)t.tv_nsec;
}

static uint64_t children_ns(void)
{
	struct rusage r;

	getrusage(RUSAGE_CHILDREN, &r);
	return ((uint64_t)r.ru_utime.tv_sec + (uint64_t)r.ru_stime.tv_sec) * KM_NS_PER_S +
	       ((uint64_t)r.ru_utime.tv_usec + (uint64_t)r.ru_stime.tv_usec) * KM_NS_PER_US;
}

static int fork_exec(char *self)
{
	char *const argv[] = { self, "nothing", "1", NULL };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execv(self, argv);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

static int echo(int in, int out)
{
	char c;

	while (read(in, &c, 1) == 1)
		if (write(out, &c, 1) != 1)
			return 1;
	return 0;
}

static int ping_pong(uint64_t count)
{
	int there[2], back[2], status;
	cpu_set_t one;
	char c = 'x';
	pid_t pid;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0 || pipe(there) < 0 || pipe(back) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(there[1]);
		_exit(echo(there[0], back[1]));
	}
	for (; pid > 0 && count; count--)
		if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
			break;
	close(there[1]);
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status && !count ? 0 : -1;
}

static int read_zero(uint64_t count)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	char c;

	while (count && read(fd, &c, 1) == 1)
		count--;
	return count ? -1 : 0;
}

/* In good order: a reset is told of, which is another price. */
static int connect_once(int listener, const struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), peer;

	if (connect(fd, (const void *)a, sizeof(*a)) < 0)
		return -1;
	peer = accept(listener, NULL, NULL);
	close(fd);
	close(peer);
	return peer < 0 ? -1 : 0;
}

static int connect_often(uint64_t count)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r = 0;
	socklen_t len = sizeof(a);

	if (bind(listener, (void *)&a, sizeof(a)) < 0 || listen(listener, 16) < 0 ||
	    getsockname(listener, (void *)&a, &len) < 0)
		return -1;
	/* Many addresses: what is closed holds its pair of ports for a minute. */
	for (; count && r == 0; count--) {
		a.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)count % ADDRESSES * 256);
		r = connect_once(listener, &a);
	}
	return r;
}

static int work(char *self, const char *what, uint64_t count)
{
	int r = 0;

	if (strcmp(what, "pipe") == 0)
		return ping_pong(count);
	if (strcmp(what, "fork") == 0) {
		for (; count && r == 0; count--)
			r = fork_exec(self);
		return r;
	}
	if (strcmp(what, "read") == 0)
		return read_zero(count);
	if (strcmp(what, "connect") == 0)
		return connect_often(count);
	if (strcmp(what, "getppid") != 0)
		return -1;
	for (; count; count--)
		syscall(SYS_getppid); /* not the C library's: no cache */
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t wall = clock_ns(CLOCK_MONOTONIC);

	if (argc == 3 && strcmp(argv[1], "nothing") == 0)
		return 0;
	if (argc != 3 || work(argv[0], argv[1], strtoull(argv[2], NULL, 10)) < 0) {
		fputs("usage: load fork|pipe|getppid|read|connect|nothing COUNT\n", stderr);
		return 2;
	}
	printf("%lu %lu\n", clock_ns(CLOCK_PROCESS_CPUTIME_ID) + children_ns(),
	       clock_ns(CLOCK_MONOTONIC) - wall);
	return 0;
}
