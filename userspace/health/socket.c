// SPDX-License-Identifier: Apache-2.0
/* Checks over one plain socket: connect, perhaps say something, perhaps hear an answer. */
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "base/address.h"
#include "health/internal.h"

struct talk_probe {
	struct km_prober *prober;
	struct km_check *check;
	int fd;
	bool watched, connected;
	struct km_talk talk;
	size_t heard;
	unsigned char answer[KM_TALK_HEAR_MAX];
};

static bool hears(const struct km_health_check *def)
{
	return def->kind != KM_CHECK_TCP && def->kind != KM_CHECK_UNIX;
}

static bool is_datagram(const struct km_health_check *def)
{
	return def->kind == KM_CHECK_UDP || def->kind == KM_CHECK_DNS;
}

/* 0: not yet; 1: the check is over, and T with it. */
static int fail(struct talk_probe *t, const char *what, int error)
{
	km_check_done(t->prober, t->check, KM_PROBE_BAD, "%s: %s", what, strerror(error));
	return 1;
}

static int over(struct talk_probe *t, const struct km_probe_result *result)
{
	km_check_done(t->prober, t->check, result->end, "%s", result->reason);
	return 1;
}

static int watch(struct talk_probe *t, uint32_t events);

static int hear(struct talk_probe *t)
{
	const struct km_health_check *def = t->check->def;
	struct km_probe_result result;
	ssize_t n = recv(t->fd, t->answer + t->heard, sizeof(t->answer) - t->heard, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return watch(t, EPOLLIN);
	if (n < 0)
		return fail(t, "cannot read the answer", errno);
	if (n == 0 && !is_datagram(def)) {
		km_check_done(t->prober, t->check, KM_PROBE_BAD,
		              "closed the connection without an answer");
		return 1;
	}
	t->heard += (size_t)n;
	if (km_talk_hear(def, &t->talk, t->answer, t->heard, &result))
		return over(t, &result);
	return watch(t, EPOLLIN);
}

static int say(struct talk_probe *t)
{
	struct km_probe_result good = { .end = KM_PROBE_GOOD, .reason = "accepts connections" };
	ssize_t n;

	t->connected = true;
	if (!hears(t->check->def))
		return over(t, &good);
	km_talk_begin(t->check->def, &t->talk);
	/* Shorter than any socket buffer that is empty. */
	n = send(t->fd, t->talk.send, t->talk.send_len, MSG_NOSIGNAL);
	if (n != (ssize_t)t->talk.send_len)
		return fail(t, "cannot ask", n < 0 ? errno : EIO);
	return hear(t);
}

static int connected(struct talk_probe *t)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	return error ? fail(t, "cannot connect", error) : say(t);
}

static int on_ready(void *userdata, int fd, uint32_t events)
{
	struct talk_probe *t = userdata;

	(void)fd;
	(void)events;
	if (t->connected)
		hear(t);
	else
		connected(t);
	return 0;
}

static int watch(struct talk_probe *t, uint32_t events)
{
	int r = t->watched ? km_loop_change(t->prober->loop, t->fd, events)
	                   : km_loop_add(t->prober->loop, t->fd, events, on_ready, t);

	if (r < 0) {
		km_check_done(t->prober, t->check, KM_PROBE_NOT_MEASURED, "cannot wait: %s",
		              strerror(-r));
		return 1;
	}
	t->watched = true;
	return 0;
}

static int begin(struct talk_probe *t)
{
	const struct km_health_check *def = t->check->def;
	struct linger at_once = { .l_onoff = 1 };
	struct sockaddr_storage to;
	socklen_t len;

	if (km_address_parse(def->target, &to, &len) < 0)
		return fail(t, "no address", EINVAL);
	t->fd = socket(to.ss_family,
	               (is_datagram(def) ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC,
	               0);
	if (t->fd < 0) {
		km_check_done(t->prober, t->check, KM_PROBE_NOT_MEASURED, "no socket: %s",
		              strerror(errno));
		return 1;
	}
	/* Thousands of checks a second would leave as many connections in TIME-WAIT. */
	if (!is_datagram(def) && to.ss_family != AF_UNIX)
		setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	if (connect(t->fd, (struct sockaddr *)&to, len) == 0)
		return say(t);
	if (errno != EINPROGRESS && errno != EAGAIN)
		return fail(t, "cannot connect", errno);
	/* On this host the handshake is over by now, and asking again says so. */
	if (errno == EINPROGRESS && connect(t->fd, (struct sockaddr *)&to, len) == 0)
		return say(t);
	if (errno != EALREADY && errno != EINPROGRESS && errno != EAGAIN)
		return fail(t, "cannot connect", errno);
	return watch(t, EPOLLOUT);
}

void km_socket_begin(struct km_prober *p, struct km_check *c)
{
	struct talk_probe *t = malloc(sizeof(*t));

	c->probe = t;
	if (!t) {
		km_check_done(p, c, KM_PROBE_NOT_MEASURED, "no memory");
		return;
	}
	t->prober = p;
	t->check = c;
	t->fd = -1;
	t->watched = t->connected = false;
	t->heard = 0;
	begin(t);
}

void km_socket_end(struct km_prober *p, struct km_check *c)
{
	struct talk_probe *t = c->probe;

	if (!t)
		return;
	if (t->watched)
		km_loop_remove(p->loop, t->fd);
	km_close(&t->fd);
	free(t);
	c->probe = NULL;
}
