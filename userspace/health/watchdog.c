// SPDX-License-Identifier: Apache-2.0
/* Services that say by themselves that they live: WATCHDOG=1 by sd_notify(3). A datagram counts for
 * the service in whose cgroup its sender is, as the kernel says; what it says of itself does not.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fs.h"
#include "health/internal.h"

/* Datagrams taken in one go: a service that floods must not keep the others from their checks. */
#define BURST        64
#define DATAGRAM_MAX 1024

const char *km_watchdog_service(const char *cgroup_text, char *ret, size_t size)
{
	const char *line = cgroup_text, *at;
	size_t len;

	/* The v2 line: "0::/path", of which ".../kmend/<service>/..." is ours. */
	if (strncmp(line, "0::", 3) != 0) {
		line = strstr(cgroup_text, "\n0::");
		if (!line)
			return NULL;
		line++;
	}
	at = strstr(line, "/kmend/");
	if (!at || at > line + strcspn(line, "\n"))
		return NULL;
	at += strlen("/kmend/");
	len = strcspn(at, "/\n");
	if (len == 0 || len >= size)
		return NULL;
	memcpy(ret, at, len);
	ret[len] = '\0';
	return ret;
}

static void note(struct km_prober *p, const char *service, bool trigger)
{
	for (size_t i = 0; i < p->check_count; i++) {
		struct km_check *c = &p->checks[i];

		if (c->def->kind != KM_CHECK_WATCHDOG || strcmp(c->service->name, service) != 0)
			continue;
		c->beat_ns = km_now_ns();
		c->trigger = trigger;
	}
}

/* Whether one of the lines of TEXT is WORD. */
static bool says(const char *text, const char *word)
{
	const char *at = strstr(text, word);
	size_t len = strlen(word);

	while (at && !((at == text || at[-1] == '\n') && (at[len] == '\n' || !at[len])))
		at = strstr(at + 1, word);
	return at != NULL;
}

static void hear(struct km_prober *p, const char *text, pid_t pid)
{
	char path[64], cgroup[4096], service[KM_NAME_MAX];
	bool alive = says(text, "WATCHDOG=1"), trigger = says(text, "WATCHDOG=trigger");

	if (!alive && !trigger)
		return;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	if (km_fs_read_small(AT_FDCWD, path, cgroup, sizeof(cgroup)) >= 0 &&
	    km_watchdog_service(cgroup, service, sizeof(service)))
		note(p, service, trigger);
}

static int on_notify(void *userdata, int fd, uint32_t events)
{
	struct km_prober *p = userdata;

	(void)events;
	for (int i = 0; i < BURST; i++) {
		char text[DATAGRAM_MAX + 1];
		union {
			struct cmsghdr first;
			char room[CMSG_SPACE(sizeof(struct ucred))];
		} control;
		struct iovec iov = { text, DATAGRAM_MAX };
		struct msghdr m = { .msg_iov = &iov,
			            .msg_iovlen = 1,
			            .msg_control = &control,
			            .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m);
		struct ucred from;

		if (n < 0)
			return 0;
		text[n] = '\0';
		if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&from, CMSG_DATA(c), sizeof(from));
		hear(p, text, from.pid);
	}
	return 0;
}

int km_watchdog_listen(struct km_prober *p)
{
	if (p->opts->notify_fd < 0)
		return 0;
	return km_loop_add(p->loop, p->opts->notify_fd, EPOLLIN, on_notify, p);
}

void km_watchdog_begin(struct km_prober *p, struct km_check *c)
{
	uint64_t age = km_now_ns() - c->beat_ns;

	if (p->opts->notify_fd < 0)
		km_check_done(p, c, KM_PROBE_NOT_MEASURED, "there is no socket to notify");
	else if (c->trigger)
		km_check_done(p, c, KM_PROBE_BAD, "says itself that it failed");
	else if (age > c->def->within_ns)
		km_check_done(p, c, KM_PROBE_BAD, "silent for %llu s",
		              (unsigned long long)(age / KM_NS_PER_S));
	else
		km_check_done(p, c, KM_PROBE_GOOD, "was heard %llu s ago",
		              (unsigned long long)(age / KM_NS_PER_S));
}
