/* SPDX-License-Identifier: Apache-2.0 */
/* The front process: accepts, reads one whole request a client, hands request and socket to the
 * engine, and forgets both. It never writes to a client but to say that it is full or too late. */
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "loop/loop.h"
#include "report/control.h"

/* So that request and header fit in one message between the processes. */
#define REQUEST_MAX (KM_CONTROL_REQUEST_MAX - 256)

struct front;

struct caller {
	struct front *front;
	int fd; /* -1: free */
	uint64_t deadline_ns;
	struct km_frame_hdr hdr;
	size_t have; /* bytes of hdr and body read */
	struct km_front_request *request;
	bool whole; /* waits for the engine to take it */
};

struct front {
	const struct km_front_opts *opts;
	struct km_loop *loop;
	int timer_fd; /* runs while there are callers */
	bool engine_busy;
	bool engine_gone;
	bool listening;
	size_t count;
	struct caller caller[KM_CONTROL_CLIENTS_MAX];
};

static void listen_again(struct front *f, bool on)
{
	if (on != f->listening &&
	    km_loop_change(f->loop, f->opts->listen_fd, on ? EPOLLIN : 0) == 0)
		f->listening = on;
}

static void forget(struct caller *c)
{
	if (!c->whole)
		km_loop_remove(c->front->loop, c->fd);
	km_close(&c->fd);
	free(c->request);
	c->request = NULL;
	if (--c->front->count == 0)
		km_loop_timer_set(c->front->loop, c->front->timer_fd, 0, 0);
	listen_again(c->front, true);
}

static void refuse(struct caller *c, const char *why)
{
	struct {
		struct km_frame_hdr hdr;
		char body[256];
	} frame = { .hdr = { 0, KM_FRAME_ERROR } };
	int n = snprintf(frame.body, sizeof(frame.body),
	                 "{\"version\":1,\"error\":\"%s\",\"remedy\":\"use kmend, or send one "
	                 "whole REQUEST frame\",\"code\":\"bad_request\"}",
	                 why);

	frame.hdr.length = (uint32_t)n;
	/* Best effort: whoever sent nonsense need not hear of it. */
	if (send(c->fd, &frame, sizeof(frame.hdr) + (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		n = 0;
	forget(c);
}

static void engine_wants(struct front *f, bool out)
{
	if (out != f->engine_busy &&
	    km_loop_change(f->loop, f->opts->engine_sock, EPOLLIN | (out ? EPOLLOUT : 0)) == 0)
		f->engine_busy = out;
}

static void hand_over(struct caller *c)
{
	struct front *f = c->front;
	int r = km_message_send(f->opts->engine_sock, c->request, c->request->hdr.size, c->fd);

	if (r == -EAGAIN) {
		engine_wants(f, true);
		return;
	}
	if (r < 0) {
		f->engine_gone = true;
		km_loop_stop(f->loop);
	}
	forget(c);
}

static int begin_body(struct caller *c)
{
	size_t size = sizeof(*c->request) + c->hdr.length;

	if (c->hdr.kind != KM_FRAME_REQUEST || c->hdr.length == 0 || c->hdr.length > REQUEST_MAX)
		return -EBADMSG;
	c->request = calloc(1, size);
	if (!c->request)
		return -ENOMEM;
	c->request->hdr = (struct km_message_hdr){ KM_FRONT_REQUEST, 1, (uint32_t)size };
	c->request->len = c->hdr.length;
	return 0;
}

/* 1: something came, 0: nothing for now, negative: the caller is gone. */
static int read_some(struct caller *c)
{
	const size_t hdr = sizeof(c->hdr);
	char *to = c->have < hdr ? (char *)&c->hdr + c->have : c->request->json + (c->have - hdr);
	size_t want = (c->have < hdr ? hdr : hdr + c->hdr.length) - c->have;
	ssize_t n = recv(c->fd, to, want, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	c->have += (size_t)n;
	return 1;
}

static int on_caller(void *userdata, int fd, uint32_t events)
{
	struct caller *c = userdata;
	int r;

	(void)fd;
	(void)events;
	while ((r = read_some(c)) > 0) {
		if (c->have == sizeof(c->hdr) && begin_body(c) < 0) {
			refuse(c, "not a request, or a request over 65280 bytes");
			return 0;
		}
		if (c->have < sizeof(c->hdr) + c->hdr.length || !c->request)
			continue;
		c->whole = true;
		km_loop_remove(c->front->loop, c->fd);
		hand_over(c);
		return 0;
	}
	if (r < 0)
		forget(c);
	return 0;
}

static int on_listen(void *userdata, int fd, uint32_t events)
{
	struct front *f = userdata;
	struct caller *c = NULL;
	int client;

	(void)events;
	for (size_t i = 0; i < KM_CONTROL_CLIENTS_MAX && !c; i++)
		if (f->caller[i].fd < 0)
			c = &f->caller[i];
	/* Whoever comes now waits in the backlog; time-outs make room. */
	if (!c) {
		listen_again(f, false);
		return 0;
	}
	client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (client < 0)
		return 0;
	*c = (struct caller){ .front = f,
		              .fd = client,
		              .deadline_ns = km_now_ns() + f->opts->request_timeout_ns };
	if (km_loop_add(f->loop, client, EPOLLIN, on_caller, c) < 0) {
		km_close(&c->fd);
		return 0;
	}
	/* Four looks in the time that a request may take. */
	if (f->count++ == 0)
		km_loop_timer_set(f->loop, f->timer_fd,
		                  km_now_ns() + f->opts->request_timeout_ns / 4,
		                  f->opts->request_timeout_ns / 4);
	return 0;
}

/* Nothing is ever sent to the front: readable means that the engine is gone. */
static int on_engine(void *userdata, int fd, uint32_t events)
{
	struct front *f = userdata;

	(void)fd;
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		f->engine_gone = true;
		km_loop_stop(f->loop);
		return 0;
	}
	engine_wants(f, false);
	for (size_t i = 0; i < KM_CONTROL_CLIENTS_MAX && !f->engine_busy; i++)
		if (f->caller[i].fd >= 0 && f->caller[i].whole)
			hand_over(&f->caller[i]);
	return 0;
}

static int on_time(void *userdata, int fd, uint32_t events)
{
	struct front *f = userdata;
	uint64_t now_ns = km_now_ns();

	(void)fd;
	(void)events;
	for (size_t i = 0; f->count && i < KM_CONTROL_CLIENTS_MAX; i++)
		if (f->caller[i].fd >= 0 && now_ns >= f->caller[i].deadline_ns)
			refuse(&f->caller[i], f->caller[i].whole ? "kmendd is too busy"
			                                         : "no whole request in time");
	return 0;
}

static int run(struct front *f)
{
	int r;

	r = km_loop_add(f->loop, f->opts->engine_sock, EPOLLIN, on_engine, f);
	if (r < 0)
		return r;
	r = km_loop_add(f->loop, f->opts->listen_fd, EPOLLIN, on_listen, f);
	if (r < 0)
		return r;
	f->listening = true;
	r = km_loop_timer(f->loop, 0, on_time, f, &f->timer_fd);
	return r < 0 ? r : km_loop_run(f->loop);
}

int km_front_run(const struct km_front_opts *opts)
{
	km_autofree(km_loop_freep) struct km_loop *loop = NULL;
	struct front *f;
	int r;

	r = km_loop_new(&loop);
	if (r < 0)
		return r;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->opts = opts;
	f->loop = loop;
	for (size_t i = 0; i < KM_CONTROL_CLIENTS_MAX; i++)
		f->caller[i].fd = -1;
	r = run(f);
	for (size_t i = 0; i < KM_CONTROL_CLIENTS_MAX; i++)
		if (f->caller[i].fd >= 0)
			forget(&f->caller[i]);
	if (f->engine_gone)
		r = 0;
	free(f);
	return r;
}
