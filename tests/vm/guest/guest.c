// SPDX-License-Identifier: Apache-2.0
#include "vm/guest/guest.h"

#include <arpa/inet.h>
#include <sys/prctl.h>

static const void *wait_from(struct guest *g, uint64_t from_ns, uint16_t type, guest_match match,
                             uint64_t key)
{
	uint64_t end = km_now_ns() + GUEST_PATIENCE_NS;
	size_t seen = 0;

	for (;;) {
		for (; seen < g->count; seen++) {
			const struct kmend_hdr *h = g->records[seen];

			if (h->type == type && h->ktime_ns >= from_ns && (!match || match(h, key)))
				return h;
		}
		km_tasks_doubt(g->collect); /* who sleeps is listed as well */
		if (km_now_ns() > end || km_loop_once(g->loop, 100) < 0)
			break;
	}
	snprintf(g->why, sizeof(g->why), "no such record of type %u came", type);
	return NULL;
}

const void *guest_wait(struct guest *g, uint16_t type, guest_match match, uint64_t key)
{
	return wait_from(g, 0, type, match, key);
}

const void *guest_wait_settled(struct guest *g, uint16_t type, guest_match match, uint64_t key)
{
	return wait_from(g, km_now_ns() + 2 * KM_NS_PER_S, type, match, key);
}

struct wanted {
	struct guest *g;
	const char *where;
	enum km_sig sig;
	double from, to;
	double last;
	bool seen;
};

static bool value_is(const void *raw, uint64_t key)
{
	struct wanted *w = (void *)(uintptr_t)key;
	const struct km_raw_value *v = raw;

	if (v->signal != w->sig)
		return false;
	if (w->where ? v->len != strlen(w->where) || memcmp(v->name, w->where, v->len) != 0 ||
	                       v->entity == KM_ENTITY_SERVICE
	             : v->hdr.cgroup_id != w->g->group || v->entity != KM_ENTITY_SERVICE)
		return false;
	w->seen = true;
	w->last = v->value;
	return v->value >= w->from && v->value <= w->to;
}

static const struct km_raw_value *wait_value(struct guest *g, struct wanted *w, const char *name,
                                             uint64_t from_ns)
{
	const char *where = w->where ? w->where : "of the service";
	const void *raw;

	w->g = g;
	w->sig = km_catalogue_find(name);
	raw = wait_from(g, from_ns, KM_RAW_VALUE, value_is, (uintptr_t)w);
	if (!raw && w->seen)
		snprintf(g->why, sizeof(g->why), "%s %s is %g, not %g to %g", name, where, w->last,
		         w->from, w->to);
	else if (!raw)
		snprintf(g->why, sizeof(g->why), "no value of %s %s", name, where);
	return raw;
}

const struct km_raw_value *guest_value(struct guest *g, const char *name, const char *where,
                                       double from, double to)
{
	struct wanted w = { .where = where, .from = from, .to = to };

	return wait_value(g, &w, name, km_now_ns() + 2 * KM_NS_PER_S);
}

const struct km_raw_value *guest_count(struct guest *g, const char *name, const char *where,
                                       double from)
{
	struct wanted w = { .where = where, .from = from, .to = 1e18 };

	return wait_value(g, &w, name, 0);
}

bool guest_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text);
}

void guest_enter_group(void)
{
	if (!guest_write(GUEST_GROUP "/cgroup.procs", "0"))
		_exit(99);
}

void guest_leave_group(void)
{
	if (!guest_write("/sys/fs/cgroup/cgroup.procs", "0"))
		_exit(99);
}

pid_t guest_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

uint32_t guest_idle(void)
{
	int entered[2];
	uint32_t pid;
	char c;

	if (pipe(entered) < 0)
		_exit(99);
	pid = GUEST_CHILD(guest_enter_group(); close(entered[0]); close(entered[1]); pause());
	close(entered[1]);
	/* its end of the pipe is closed once it is in */
	if (read(entered[0], &c, 1) < 0)
		_exit(99);
	close(entered[0]);
	return pid;
}

int guest_reap(uint32_t pid)
{
	int status = -1;

	waitpid((pid_t)pid, &status, 0);
	return status;
}

void guest_end(uint32_t pid)
{
	kill((pid_t)pid, SIGKILL);
	guest_reap(pid);
}

int guest_bound(struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(*a);

	*a = (struct sockaddr_in){ .sin_family = AF_INET,
		                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (bind(fd, (void *)a, sizeof(*a)) < 0 || getsockname(fd, (void *)a, &len) < 0)
		return -1;
	return fd;
}

void guest_connect(const struct sockaddr_in *a, int n)
{
	guest_enter_group();
	for (int i = 0; i < n; i++)
		connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), (const void *)a,
		        sizeof(*a));
	pause();
}
