/* SPDX-License-Identifier: Apache-2.0 */
/* A server on loopback that behaves as its path says; each connection has a process. */
#ifndef TEST_HEALTH_SERVER_H
#define TEST_HEALTH_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/base.h"

struct server {
	int pid;
	in_port_t port;
	unsigned int *requests; /* shared */
};

static void server_say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		_exit(0);
}

static void server_endless(int fd, const char *head)
{
	static char zeros[65536];

	server_say(fd, head);
	while (write(fd, zeros, sizeof(zeros)) > 0)
		;
}

static void server_slow(int fd)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready";

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		if (write(fd, text + i, 1) < 0)
			return;
		usleep(20000);
	}
}

static void server_headers(int fd)
{
	server_say(fd, "HTTP/1.1 200 OK\r\n");
	for (;;)
		server_say(
			fd,
			"X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
}

static void server_answer(int fd)
{
	char request[2048] = "";

	if (read(fd, request, sizeof(request) - 1) <= 0)
		return;
	if (strstr(request, " /ok "))
		server_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready");
	else if (strstr(request, " /sick "))
		server_say(fd, "HTTP/1.1 503 Sick\r\nContent-Length: 0\r\n\r\n");
	else if (strstr(request, " /redirect "))
		server_say(fd, "HTTP/1.1 302 Found\r\nLocation: /redirect\r\n"
		               "Content-Length: 0\r\n\r\n");
	else if (strstr(request, " /slow "))
		server_slow(fd);
	else if (strstr(request, " /endless "))
		server_endless(fd, "HTTP/1.1 200 OK\r\n\r\n");
	else if (strstr(request, " /bomb "))
		server_endless(fd, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08");
	else if (strstr(request, " /headers "))
		server_headers(fd);
	else if (strstr(request, "PING"))
		server_say(fd, "+PONG\r\n");
	else
		pause(); /* hears, and never answers */
}

static void server_run(int fd, unsigned int *requests)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int client = accept(fd, NULL, NULL);

		if (client < 0)
			continue;
		__atomic_add_fetch(requests, 1, __ATOMIC_SEQ_CST);
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			server_answer(client);
			_exit(0);
		}
		close(client);
	}
}

static int server_start(struct server *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 128) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		return -errno;
	s->port = ntohs(a.sin_port);
	s->requests = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	s->pid = fork();
	if (s->pid == 0)
		server_run(fd, s->requests);
	close(fd);
	return 0;
}

static void server_stop(struct server *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	munmap(s->requests, 4096);
}

#endif
