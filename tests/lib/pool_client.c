// SPDX-License-Identifier: Apache-2.0
/* pool_client redis|http ADDRESS PORT: 200 connections, each with a request and its answer again
 * and again, opened anew after some, and at once after a failure: a client that knows one address
 * and nothing else. Both protocols' answers hold the word "primary" or "standby". */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "pool_client.h"

#define PAUSE_NS   50000000ULL   /* between an answer and the next request */
#define AGAIN_NS   20000000ULL   /* behind a connect that failed */
#define PATIENT_NS 2000000000ULL /* for an answer */
#define REQUESTS   20            /* of one connection */

enum state { CLOSED, CONNECTING, WAITING, PAUSING };

struct client {
	enum state state;
	int fd, requests;
	uint64_t at_ns, sent_ns; /* what is next, at the latest */
	bool known;              /* who answers on this connection */
};

static struct client clients[POOL_CLIENTS];
static struct pool_stats *stats;
static struct sockaddr_in to;
static const char *request;
static int epoll_fd;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static void close_at(struct client *c, uint64_t again_ns)
{
	if (c->state == WAITING)
		stats->in_flight--;
	close(c->fd);
	c->state = CLOSED;
	c->at_ns = again_ns;
}

static void lose(struct client *c)
{
	if (c->state == WAITING) {
		stats->lost++;
		stats->lost_late += stats->switched_ns[c - clients] != 0;
	} else {
		stats->refused += c->state == CONNECTING;
	}
	close_at(c, now_ns() + (c->state == CONNECTING ? AGAIN_NS : 0));
}

static void send_request(struct client *c)
{
	ssize_t n = send(c->fd, request, strlen(request), MSG_NOSIGNAL);

	if (n != (ssize_t)strlen(request)) {
		close_at(c, now_ns()); /* nothing was lost: it was never sent */
		return;
	}
	c->state = WAITING;
	c->sent_ns = now_ns();
	c->at_ns = c->sent_ns + PATIENT_NS;
	stats->in_flight++;
}

static void open_one(struct client *c)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		                 .data.ptr = c };
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		exit(1);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->state = CONNECTING;
	c->requests = 0;
	c->known = false;
	c->at_ns = now_ns() + PATIENT_NS;
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS) {
		lose(c);
		return;
	}
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
}

static void answered(struct client *c, int server)
{
	uint64_t now = now_ns();

	stats->answered[server]++;
	stats->in_flight--;
	if (now - c->sent_ns > stats->slowest_ns)
		stats->slowest_ns = now - c->sent_ns;
	if (!c->known) {
		c->known = true;
		stats->opened[server]++;
		if (server == POOL_STANDBY && stats->mark_ns && !stats->switched_ns[c - clients])
			stats->switched_ns[c - clients] = now;
	}
	c->state = PAUSING;
	if (++c->requests == REQUESTS)
		close_at(c, now);
	else
		c->at_ns = now + PAUSE_NS;
}

static void on_event(struct client *c, uint32_t events)
{
	char text[1024];
	ssize_t n;

	if (c->state == CONNECTING && events & (EPOLLERR | EPOLLHUP)) {
		lose(c);
	} else if (c->state == CONNECTING && events & EPOLLOUT) {
		send_request(c);
	} else if (c->state != CLOSED && events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP)) {
		n = recv(c->fd, text, sizeof(text) - 1, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		text[n > 0 ? n : 0] = '\0';
		if (n > 0 && c->state == WAITING && strstr(text, "primary"))
			answered(c, POOL_PRIMARY);
		else if (n > 0 && c->state == WAITING && strstr(text, "standby"))
			answered(c, POOL_STANDBY);
		else if (n <= 0)
			lose(c);
	}
}

/* Whoever is due. */
static void look(void)
{
	uint64_t now = now_ns();

	for (struct client *c = clients; c < clients + POOL_CLIENTS; c++) {
		if (now < c->at_ns)
			continue;
		if (c->state == CLOSED)
			open_one(c);
		else if (c->state == PAUSING)
			send_request(c);
		else
			lose(c);
	}
}

static void map_stats(void)
{
	int fd = open(POOL_STATS, O_RDWR | O_CLOEXEC);

	stats = mmap(NULL, sizeof(*stats), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || stats == MAP_FAILED)
		exit(1);
	stats->in_flight = 0;
}

int main(int argc, char **argv)
{
	struct epoll_event events[POOL_CLIENTS];

	if (argc != 4)
		return 2;
	request = strcmp(argv[1], "redis") == 0 ? "GET who\r\n"
	                                        : "GET / HTTP/1.1\r\nHost: pool\r\n\r\n";
	to = (struct sockaddr_in){ .sin_family = AF_INET,
		                   .sin_addr.s_addr = inet_addr(argv[2]),
		                   .sin_port = htons((uint16_t)strtoul(argv[3], NULL, 10)) };
	map_stats();
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	/* Not all in one moment: each has its own rhythm. */
	for (int i = 0; i < POOL_CLIENTS; i++)
		clients[i].at_ns = now_ns() + (uint64_t)i * 5000000ULL;
	for (;;) {
		int n = epoll_wait(epoll_fd, events, POOL_CLIENTS, 2);

		for (int i = 0; i < n; i++)
			on_event(events[i].data.ptr, events[i].events);
		look();
	}
}
