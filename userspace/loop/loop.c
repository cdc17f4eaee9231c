// SPDX-License-Identifier: Apache-2.0
/* Sources lie in one array in the order of adding. The kernel holds only a source's id, never a
 * pointer: an event for one that was removed meanwhile finds nothing and is dropped. */
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>

#include "loop/loop.h"

struct source {
	uint64_t id; /* never used again */
	int fd;
	bool owned; /* timers and signals: closed by the loop */
	int (*serve)(const struct source *s, uint32_t events);
	km_loop_cb cb;
	void *userdata;
};

struct km_loop {
	int epoll;
	uint64_t next_id;
	struct source *sources; /* by id */
	size_t count;
	size_t size;
	struct epoll_event *ready; /* one for each source, so that one wait sees all of them */
	size_t ready_size;
	bool stop;
};

uint64_t km_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * KM_NS_PER_S + t.tv_nsec;
}

int km_loop_new(struct km_loop **ret)
{
	struct km_loop *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		r = -errno;
		free(l);
		return r;
	}
	*ret = l;
	return 0;
}

struct km_loop *km_loop_free(struct km_loop *l)
{
	size_t i;

	if (!l)
		return NULL;
	for (i = 0; i < l->count; i++)
		if (l->sources[i].owned)
			close(l->sources[i].fd);
	close(l->epoll);
	free(l->sources);
	free(l->ready);
	free(l);
	return NULL;
}

static int serve_plain(const struct source *s, uint32_t events)
{
	return s->cb(s->userdata, s->fd, events);
}

static int serve_timer(const struct source *s, uint32_t events)
{
	uint64_t expirations;

	(void)events;
	/* Nothing to read: it was set anew after it had fired. */
	if (read(s->fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		return 0;
	return s->cb(s->userdata, s->fd, expirations > UINT32_MAX ? UINT32_MAX : expirations);
}

/* One signal at a time: epoll reports the next one again. */
static int serve_signal(const struct source *s, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(s->fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	return s->cb(s->userdata, s->fd, info.ssi_signo);
}

static int make_room(struct km_loop *l)
{
	size_t size = l->size ? l->size * 2 : 16;
	struct source *bigger;

	if (l->count == KM_LOOP_SOURCES_MAX)
		return -ENOSPC;
	if (l->count < l->size)
		return 0;
	bigger = reallocarray(l->sources, size, sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	l->sources = bigger;
	l->size = size;
	return 0;
}

static int add_source(struct km_loop *l, const struct source *s, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u64 = l->next_id };
	int r = make_room(l);

	if (r < 0)
		return r;
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, s->fd, &e) < 0)
		return -errno;
	l->sources[l->count] = *s;
	l->sources[l->count++].id = l->next_id++;
	return 0;
}

int km_loop_add(struct km_loop *l, int fd, uint32_t events, km_loop_cb cb, void *userdata)
{
	struct source s = { .fd = fd, .serve = serve_plain, .cb = cb, .userdata = userdata };

	return add_source(l, &s, events);
}

static struct source *by_fd(const struct km_loop *l, int fd)
{
	size_t i;

	for (i = l->count; i > 0; i--)
		if (l->sources[i - 1].fd == fd)
			return &l->sources[i - 1];
	return NULL;
}

int km_loop_change(struct km_loop *l, int fd, uint32_t events)
{
	const struct source *s = by_fd(l, fd);
	struct epoll_event e = { .events = events };

	if (!s)
		return -ENOENT;
	e.data.u64 = s->id;
	return epoll_ctl(l->epoll, EPOLL_CTL_MOD, fd, &e) < 0 ? -errno : 0;
}

int km_loop_remove(struct km_loop *l, int fd)
{
	struct source *s = by_fd(l, fd);

	if (!s)
		return -ENOENT;
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
	if (s->owned)
		close(fd);
	memmove(s, s + 1, (char *)(l->sources + l->count) - (char *)(s + 1));
	l->count--;
	return 0;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = ns / KM_NS_PER_S, .tv_nsec = ns % KM_NS_PER_S };
}

/* Adds the descriptor of a timer or of signals, which is the loop's from now on. */
static int add_owned(struct km_loop *l, struct source *s)
{
	int r;

	if (s->fd < 0)
		return -errno;
	s->owned = true;
	r = add_source(l, s, EPOLLIN);
	if (r < 0)
		close(s->fd);
	return r;
}

int km_loop_timer(struct km_loop *l, uint64_t period_ns, km_loop_cb cb, void *userdata, int *ret_fd)
{
	uint64_t now_ns = km_now_ns();
	struct itimerspec when = {
		.it_value = timespec_of(period_ns ? now_ns - now_ns % period_ns + period_ns : 0),
		.it_interval = timespec_of(period_ns),
	};
	struct source s = { .serve = serve_timer, .cb = cb, .userdata = userdata };
	int r;

	s.fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	r = add_owned(l, &s);
	if (r < 0)
		return r;
	if (timerfd_settime(s.fd, TFD_TIMER_ABSTIME, &when, NULL) < 0) {
		r = -errno;
		km_loop_remove(l, s.fd);
		return r;
	}
	*ret_fd = s.fd;
	return 0;
}

int km_loop_timer_set(struct km_loop *l, int timer_fd, uint64_t at_ns, uint64_t period_ns)
{
	struct itimerspec when = {
		.it_value = timespec_of(at_ns),
		.it_interval = timespec_of(period_ns),
	};
	const struct source *s = by_fd(l, timer_fd);

	if (!s || s->serve != serve_timer)
		return -ENOENT;
	return timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0 ? -errno : 0;
}

int km_loop_signals(struct km_loop *l, const int *signals, size_t count, km_loop_cb cb,
                    void *userdata)
{
	struct source s = { .serve = serve_signal, .cb = cb, .userdata = userdata };
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < count; i++)
		if (sigaddset(&set, signals[i]) < 0)
			return -EINVAL;
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	s.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return add_owned(l, &s);
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct epoll_event *)a)->data.u64;
	uint64_t y = ((const struct epoll_event *)b)->data.u64;

	return (x > y) - (x < y);
}

static const struct source *find(const struct km_loop *l, uint64_t id)
{
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (l->sources[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < l->count && l->sources[low].id == id ? &l->sources[low] : NULL;
}

/* Callbacks may add and remove: each source is looked up when its turn comes. */
static int serve_ready(struct km_loop *l, int count)
{
	int i, served = 0, r;

	qsort(l->ready, count, sizeof(*l->ready), by_id);
	for (i = 0; i < count && !l->stop; i++) {
		const struct source *s = find(l, l->ready[i].data.u64);
		struct source copy;

		if (!s)
			continue;
		copy = *s;
		r = copy.serve(&copy, l->ready[i].events);
		if (r < 0)
			return r;
		served++;
	}
	return served;
}

int km_loop_once(struct km_loop *l, int timeout_ms)
{
	int n;

	if (l->ready_size < l->size || l->ready_size == 0) {
		size_t size = l->size ? l->size : 1;
		struct epoll_event *bigger = reallocarray(l->ready, size, sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		l->ready = bigger;
		l->ready_size = size;
	}
	n = epoll_wait(l->epoll, l->ready, l->ready_size, timeout_ms);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return serve_ready(l, n);
}

int km_loop_run(struct km_loop *l)
{
	int r = 0;

	while (!l->stop && r >= 0)
		r = km_loop_once(l, -1);
	l->stop = false;
	return r < 0 ? r : 0;
}

void km_loop_stop(struct km_loop *l)
{
	l->stop = true;
}
