// SPDX-License-Identifier: Apache-2.0
/* health [SECONDS]: what 2,000 health checks at 1 Hz cost the prober, in per cent of one core, by
 * kind. CPU time of the prober alone; the server is another process. Needs no root. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "health/prober.h"
#include "loop/loop.h"

#define CHECKS  2000
#define SECONDS 10

static int listener(int family, char *target, size_t size)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(in);
	int fd = socket(family, SOCK_STREAM, 0), r;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	snprintf(un.sun_path, sizeof(un.sun_path), "/tmp/kmend-bench-%d", getpid());
	unlink(un.sun_path);
	r = family == AF_UNIX ? bind(fd, (struct sockaddr *)&un, sizeof(un))
	                      : bind(fd, (struct sockaddr *)&in, sizeof(in));
	if (fd < 0 || r < 0 || listen(fd, 1024) < 0 ||
	    getsockname(fd, (struct sockaddr *)&in, &len) < 0) {
		perror("listen");
		exit(1);
	}
	if (family == AF_UNIX)
		snprintf(target, size, "%s", un.sun_path);
	else
		snprintf(target, size, "127.0.0.1:%u", ntohs(in.sin_port));
	return fd;
}

/* Answers everybody in the same way, until it is killed. */
static pid_t serve(int fd, const char *answer)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		char request[1024];
		int client = accept(fd, NULL, NULL);

		if (answer && read(client, request, sizeof(request)) > 0)
			(void)!send(client, answer, strlen(answer), MSG_NOSIGNAL);
		close(client);
	}
}

static struct km_config *configure(const char *check, const char *target)
{
	size_t size = CHECKS * 256, n;
	char *text = malloc(size);
	struct km_config *c = NULL;
	struct km_error err;

	if (!text)
		exit(1);
	n = (size_t)snprintf(text, size, "{\"version\":1,\"services\":[");
	for (int i = 0; i < CHECKS; i++) {
		n += (size_t)snprintf(text + n, size - n,
		                      "%s{\"name\":\"s%d\",\"cgroup\":\"/%d\",\"health\":[{",
		                      i ? "," : "", i, i);
		n += (size_t)snprintf(text + n, size - n, check, target);
		n += (size_t)snprintf(text + n, size - n, ",\"every\":\"1s\"}]}");
	}
	n += (size_t)snprintf(text + n, size - n, "]}");
	if (km_config_compile(text, n, "bench", &err, &c) < 0) {
		fprintf(stderr, "%s\n", err.what);
		exit(1);
	}
	free(text);
	return c;
}

/* How many of them are healthy by the end. */
static size_t listen_for(int sock, unsigned int seconds)
{
	static bool healthy[CHECKS];
	uint64_t until = km_now_ns() + seconds * KM_NS_PER_S;
	struct km_prober_result m;
	size_t n = 0;

	memset(healthy, 0, sizeof(healthy));
	while (km_now_ns() < until) {
		struct timespec pause = { .tv_nsec = 10000000 };

		while (km_message_recv(sock, &m, sizeof(m), NULL) == sizeof(m))
			healthy[strtoul(m.raw.service + 1, NULL, 10) % CHECKS] =
				m.raw.health == KM_HEALTHY;
		nanosleep(&pause, NULL);
	}
	for (size_t i = 0; i < CHECKS; i++)
		n += healthy[i];
	return n;
}

static void run(const char *name, const char *check, const char *answer, unsigned int seconds)
{
	struct rusage before, after;
	char target[128];
	int family = strstr(check, "unix") ? AF_UNIX : AF_INET, pair[2], status;
	int fd = listener(family, target, sizeof(target));
	pid_t server = serve(fd, answer), prober;
	struct km_config *config = configure(check, target);
	size_t healthy;
	double cpu;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) < 0)
		exit(1);
	getrusage(RUSAGE_CHILDREN, &before);
	prober = fork();
	if (prober == 0) {
		struct km_prober_opts opts = {
			.config = config, .engine_sock = pair[1], .notify_fd = -1, .cgroup_dir = -1
		};

		close(pair[0]);
		close(fd);
		_exit(km_prober_run(&opts) < 0);
	}
	close(pair[1]);
	healthy = listen_for(pair[0], seconds);
	close(pair[0]);
	waitpid(prober, &status, 0);
	getrusage(RUSAGE_CHILDREN, &after);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	close(fd);
	if (family == AF_UNIX)
		unlink(target);
	km_config_free(config);
	cpu = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec) +
	      (double)(after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
	      (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec) / 1e6 +
	      (double)(after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
	printf("%-6s %zu of %d healthy, %5.2f %% of a core, %5.1f us a check\n", name, healthy,
	       CHECKS, 100 * cpu / seconds, 1e6 * cpu / seconds / CHECKS);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : SECONDS;

	run("tcp", "\"tcp\":\"%s\"", NULL, seconds);
	run("unix", "\"unix\":\"%s\"", NULL, seconds);
	run("redis", "\"redis\":\"%s\"", "+PONG\r\n", seconds);
	run("http", "\"http\":\"http://%s/\"",
	    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", seconds);
	return 0;
}
