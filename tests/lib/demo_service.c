/* SPDX-License-Identifier: Apache-2.0 */
/* demo_service MODE...: services that go wrong in one way each, for demo, scenarios and benches.
 *
 *   leak-memory BYTES_A_SECOND [STEPS_A_SECOND]  touched pages, never given back (10 steps)
 *   leak-files COUNT_A_SECOND                    descriptors of /dev/null, never closed
 *   crash MILLISECONDS                           exit 3 after that time
 *   victim                                       waits until somebody kills it
 *   noisy LIMIT_BYTES [SEED]                     healthy: bursts of memory (30 to 60 % of the limit
 *                                                for 2 s), CPU and forks, in a fixed order
 *   stamp PATH                                   "NS PID" to a Unix datagram socket or file, NS of
 *                                                CLOCK_MONOTONIC at main()'s first line; waits
 *
 * A load generator: it sleeps by the clock, to absolute times, so that the rates hold. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "base/base.h"

#define FORKS_A_BURST 20
#define PAGE          4096 /* or a divisor of it: each page is touched */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * KM_NS_PER_S + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	struct timespec t = { (time_t)(ns / KM_NS_PER_S), (long)(ns % KM_NS_PER_S) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static int wait_for_ever(void)
{
	while (pause() < 0)
		;
	return 0;
}

/* SIZE bytes of touched, anonymous memory; NULL: there is none. */
static char *touch(size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	if (p == MAP_FAILED)
		return NULL;
	for (i = 0; i < size; i += PAGE)
		p[i] = 1;
	return p;
}

static int leak_memory(uint64_t rate, uint64_t steps)
{
	uint64_t at = now_ns();

	if (!rate || !steps || steps > 1000)
		return 2;
	for (;; sleep_until(at += KM_NS_PER_S / steps))
		if (!touch(rate / steps))
			return 1;
}

static int leak_files(uint64_t rate)
{
	uint64_t at = now_ns();

	if (!rate || rate > 100000)
		return 2;
	for (;; sleep_until(at += KM_NS_PER_S / rate))
		if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
			return 1;
}

static int crash(uint64_t ms)
{
	sleep_until(now_ns() + ms * KM_NS_PER_MS);
	return 3;
}

/* xorshift64: the same bursts in every run. In [LOW, HIGH). */
static uint64_t draw(uint64_t *seed, uint64_t low, uint64_t high)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return low + *seed % (high - low);
}

/* SIZE bytes taken within NS in 20 parts, held for 2 s, given back. */
static int burst_memory(size_t size, uint64_t ns)
{
	char *part[20];
	uint64_t at = now_ns();
	size_t i, one = size / KM_ARRAY_SIZE(part) / PAGE * PAGE + PAGE;

	for (i = 0; i < KM_ARRAY_SIZE(part); i++) {
		part[i] = touch(one);
		if (!part[i])
			return 1;
		sleep_until(at += ns / KM_ARRAY_SIZE(part));
	}
	sleep_until(at + 2 * KM_NS_PER_S);
	for (i = 0; i < KM_ARRAY_SIZE(part); i++)
		munmap(part[i], one);
	return 0;
}

static void burst_cpu(uint64_t ns)
{
	uint64_t end = now_ns() + ns;
	volatile uint64_t x = 1;

	while (now_ns() < end)
		x = x * 3 + 1;
}

static int burst_forks(void)
{
	uint64_t at = now_ns();
	int i;

	for (i = 0; i < FORKS_A_BURST; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			return 1;
		sleep_until(at += KM_NS_PER_S / FORKS_A_BURST);
	}
	return 0;
}

static int noisy(uint64_t limit, uint64_t seed)
{
	int r = 0;

	if (limit < 100 * PAGE)
		return 2;
	seed |= 1;
	while (r == 0) {
		uint64_t share = draw(&seed, 30, 60);

		r = burst_memory(limit / 100 * share, draw(&seed, 1000, 2000) * KM_NS_PER_MS);
		burst_cpu(draw(&seed, 200, 800) * KM_NS_PER_MS);
		if (r == 0)
			r = burst_forks();
		sleep_until(now_ns() + draw(&seed, 100, 1000) * KM_NS_PER_MS);
	}
	return r;
}

static int stamp(const char *path, uint64_t begun_ns)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char text[64];
	struct stat st;
	int fd, n = snprintf(text, sizeof(text), "%lu %d\n", begun_ns, getpid());

	if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (!km_copy(to.sun_path, sizeof(to.sun_path), path) ||
		    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
			return 1;
	} else {
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	}
	if (write(fd, text, (size_t)n) != n)
		return 1;
	return wait_for_ever();
}

/* Argument I as a number, or OTHERWISE if there is none. */
static uint64_t number(char **argv, int i, uint64_t otherwise)
{
	return argv[i] ? strtoull(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	uint64_t begun_ns = now_ns();
	const char *mode = argc > 1 ? argv[1] : "";

	if (strcmp(mode, "victim") == 0)
		return wait_for_ever();
	if (argc < 3)
		mode = "";
	if (strcmp(mode, "stamp") == 0)
		return stamp(argv[2], begun_ns);
	if (strcmp(mode, "leak-memory") == 0)
		return leak_memory(number(argv, 2, 0), number(argv, 3, 10));
	if (strcmp(mode, "leak-files") == 0)
		return leak_files(number(argv, 2, 0));
	if (strcmp(mode, "crash") == 0)
		return crash(number(argv, 2, 0));
	if (strcmp(mode, "noisy") == 0)
		return noisy(number(argv, 2, 0), number(argv, 3, 1));
	fputs("usage: demo_service leak-memory|leak-files|crash|victim|noisy|stamp ...\n", stderr);
	return 2;
}
