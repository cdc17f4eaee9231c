/* SPDX-License-Identifier: Apache-2.0 */
#include "report/client.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/buf.h"

struct client {
	struct km_clients *set;
	uint64_t id; /* 0: free */
	int fd;
	struct km_buf *queue;
	bool ending;      /* END or ERROR is queued */
	bool progressing; /* took something since the last look */
	bool writing;     /* EPOLLOUT is on */
};

struct km_clients {
	struct km_loop *loop;
	int timer;
	bool timer_on;
	uint64_t last_id;
	size_t queued; /* bytes of all */
	size_t count;
	struct client client[KM_CONTROL_CLIENTS_MAX];
};

static struct client *find(const struct km_clients *cs, uint64_t id)
{
	for (size_t i = 0; id && i < KM_CONTROL_CLIENTS_MAX; i++)
		if (cs->client[i].id == id)
			return (struct client *)&cs->client[i];
	return NULL;
}

static void drop(struct client *c)
{
	struct km_clients *cs = c->set;

	km_loop_remove(cs->loop, c->fd);
	km_close(&c->fd);
	cs->queued -= c->queue->len;
	c->queue = km_buf_free(c->queue);
	c->id = 0;
	cs->count--;
}

/* Sends what the socket takes. Drops the client when it is done or gone. */
static void push(struct client *c)
{
	bool want;

	while (c->queue->len) {
		ssize_t n = send(c->fd, c->queue->data, c->queue->len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			drop(c);
			return;
		}
		km_buf_eat(c->queue, (size_t)n);
		c->set->queued -= (size_t)n;
		c->progressing = true;
	}
	if (!c->queue->len && c->ending) {
		drop(c);
		return;
	}
	want = c->queue->len > 0;
	if (want != c->writing &&
	    km_loop_change(c->set->loop, c->fd, EPOLLRDHUP | (want ? EPOLLOUT : 0)) == 0)
		c->writing = want;
}

/* A half-closed peer has sent its request and still reads: only a full hang-up ends it. */
static int on_event(void *userdata, int fd, uint32_t events)
{
	struct client *c = userdata;

	(void)fd;
	if (!c->id)
		return 0;
	if (events & (EPOLLHUP | EPOLLERR))
		drop(c);
	else if (events & EPOLLOUT)
		push(c);
	else if (events & EPOLLRDHUP)
		km_loop_change(c->set->loop, c->fd, c->writing ? EPOLLOUT : 0);
	return 0;
}

/* Closes who took nothing since the last look. */
static int on_timer(void *userdata, int fd, uint32_t events)
{
	struct km_clients *cs = userdata;

	(void)events;
	for (size_t i = 0; i < KM_CONTROL_CLIENTS_MAX; i++) {
		struct client *c = &cs->client[i];

		if (c->id && c->queue->len && !c->progressing)
			drop(c);
		c->progressing = false;
	}
	if (!cs->count) {
		km_loop_timer_set(cs->loop, fd, 0, 0);
		cs->timer_on = false;
	}
	return 0;
}

static void watch_time(struct km_clients *cs)
{
	if (cs->timer_on)
		return;
	km_loop_timer_set(cs->loop, cs->timer, km_now_ns() + KM_CLIENT_PATIENCE_NS,
	                  KM_CLIENT_PATIENCE_NS);
	cs->timer_on = true;
}

int km_clients_new(struct km_loop *loop, struct km_clients **ret)
{
	km_autofree(km_clients_freep) struct km_clients *cs = calloc(1, sizeof(*cs));
	int r;

	if (!cs)
		return -ENOMEM;
	cs->timer = -1;
	cs->loop = loop;
	r = km_loop_timer(loop, KM_CLIENT_PATIENCE_NS, on_timer, cs, &cs->timer);
	if (r < 0)
		return r;
	cs->timer_on = true;
	*ret = km_take(cs);
	return 0;
}

struct km_clients *km_clients_free(struct km_clients *cs)
{
	if (!cs)
		return NULL;
	for (size_t i = 0; i < KM_CONTROL_CLIENTS_MAX; i++)
		if (cs->client[i].id)
			drop(&cs->client[i]);
	if (cs->timer >= 0)
		km_loop_remove(cs->loop, cs->timer);
	free(cs);
	return NULL;
}

static void tell_full(int fd)
{
	static const char body[] = "{\"version\":1,\"error\":\"too many clients\",\"remedy\":"
				   "\"end some streams, or try again\",\"code\":\"failed\"}";
	struct {
		struct km_frame_hdr hdr;
		char body[sizeof(body) - 1];
	} frame = { .hdr = { sizeof(body) - 1, KM_FRAME_ERROR } };

	memcpy(frame.body, body, sizeof(frame.body));
	if (send(fd, &frame, sizeof(frame), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
}

int km_clients_add(struct km_clients *cs, int fd, uint64_t *ret_id)
{
	km_autoclose int own = fd;
	struct client *c = NULL;
	int r;

	for (size_t i = 0; i < KM_CONTROL_CLIENTS_MAX && !c; i++)
		if (!cs->client[i].id)
			c = &cs->client[i];
	if (!c) {
		tell_full(fd);
		return -EMFILE;
	}
	*c = (struct client){ .set = cs, .fd = fd };
	r = km_buf_new(KM_CLIENT_BYTES_MAX, &c->queue);
	if (r < 0)
		return r;
	r = km_loop_add(cs->loop, fd, EPOLLRDHUP, on_event, c);
	if (r < 0) {
		c->queue = km_buf_free(c->queue);
		return r;
	}
	watch_time(cs);
	c->id = *ret_id = ++cs->last_id;
	c->progressing = true;
	cs->count++;
	own = -1;
	return 0;
}

static bool fits(const struct client *c, enum km_frame kind, size_t len)
{
	size_t max = kind == KM_FRAME_ITEM ? KM_CLIENT_ITEMS_MAX : KM_CLIENT_BYTES_MAX - 1024;
	size_t need = sizeof(struct km_frame_hdr) + len;

	return len <= KM_CONTROL_BODY_MAX && c->queue->len + need <= max &&
	       c->set->queued + need <= KM_CLIENTS_BYTES_MAX;
}

static void queue(struct client *c, enum km_frame kind, const void *body, size_t len)
{
	const struct km_frame_hdr hdr = { (uint32_t)len, kind };
	size_t before = c->queue->len;

	km_buf_add(c->queue, &hdr, sizeof(hdr));
	km_buf_add(c->queue, body, len);
	c->set->queued += c->queue->len - before;
	c->ending = kind == KM_FRAME_END || kind == KM_FRAME_ERROR;
}

int km_clients_frame(struct km_clients *cs, uint64_t id, enum km_frame kind, const void *body,
                     size_t len)
{
	static const char slow[] = "{\"version\":1,\"error\":\"cut off: this client reads too "
				   "slowly\",\"remedy\":\"read faster, or ask for less\","
				   "\"code\":\"failed\"}";
	struct client *c = find(cs, id);
	int r = 0;

	if (!c || c->ending)
		return -ENOENT;
	if (fits(c, kind, len)) {
		queue(c, kind, body, len);
	} else {
		queue(c, KM_FRAME_ERROR, slow, sizeof(slow) - 1);
		r = -ENOBUFS;
	}
	if (km_buf_error(c->queue) < 0) {
		drop(c); /* a frame may be half there: nothing more can be said */
		return -ENOBUFS;
	}
	push(c);
	return r;
}

bool km_clients_alive(const struct km_clients *cs, uint64_t id)
{
	const struct client *c = find(cs, id);

	return c && !c->ending;
}

size_t km_clients_count(const struct km_clients *cs)
{
	return cs->count;
}

void km_clients_drop(struct km_clients *cs, uint64_t id)
{
	struct client *c = find(cs, id);

	if (c)
		drop(c);
}
