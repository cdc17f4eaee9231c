// SPDX-License-Identifier: Apache-2.0
/* A real OOM kill in a cgroup of our own. */
#include "bpf/world.h"

#include <stdarg.h>
#include <sys/mman.h>

#define LIMIT (32UL << 20)

struct oom {
	struct world *world;
	char group[KM_PATH_MAX + 64]; /* directory of the memory controller */
};

static bool put(const char *dir, const char *file, const char *text)
{
	char path[KM_PATH_MAX + 128];
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text);
}

/* False: this host has no memory controller that a test may use. */
static bool make_group(struct oom *o)
{
	struct km_cgroup_mounts m = { 0 };
	char text[32];
	bool v1;

	km_cgroup_mounts_read(&m);
	v1 = m.memory[0];
	snprintf(o->group, sizeof(o->group), "%s/kmend-test-oom-%d", v1 ? m.memory : m.unified,
	         getpid());
	snprintf(text, sizeof(text), "%lu", LIMIT);
	if (mkdir(o->group, 0755) < 0)
		return false;
	return put(o->group, v1 ? "memory.limit_in_bytes" : "memory.max", text);
}

static int start(void **state)
{
	static struct oom o;
	struct km_collect_opts opts = { 0 };
	void *w;

	world_enter(&w);
	o.world = w;
	world_start(o.world, &opts);
	*state = &o;
	return 0;
}

static int leave(void **state)
{
	struct oom *o = *state;
	void *w = o->world;

	rmdir(o->group);
	return world_leave(&w);
}

static void eat(const char *group)
{
	volatile char *p;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	if (!put(group, "cgroup.procs", pid))
		_exit(1);
	p = mmap(NULL, 4 * LIMIT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < 4 * LIMIT; i += 4096)
		p[i] = 1;
}

static bool oom_of(const void *raw, const void *arg)
{
	return ((const struct kmend_oom *)raw)->tgid == *(const uint32_t *)arg;
}

static void the_victim_of_the_oom_killer_is_told(void **state)
{
	struct oom *o = *state;
	const struct kmend_oom *e;
	const struct kmend_exit *x;
	uint32_t pid;

	if (!make_group(o)) {
		print_message("skipped: no memory controller for a cgroup of our own\n");
		skip();
	}
	pid = CHILD(eat(o->group));
	assert_int_equal(reap(pid), SIGKILL);
	e = world_wait(o->world, KMEND_OOM, oom_of, &pid);
	assert_non_null(e);
	x = world_wait(o->world, KMEND_EXIT, exit_of, &pid);
	assert_non_null(x);
	assert_int_equal(x->exit_code, SIGKILL);
	assert_true(e->start_ns == x->start_ns);
	assert_int_equal(e->trigger_tgid, pid);
	assert_true(e->anon_bytes > LIMIT / 2);
	assert_string_equal(e->comm, x->comm);
	assert_true(e->hdr.cgroup_id == x->hdr.cgroup_id);
	assert_int_equal(km_bpf_count(&o->world->collect->bpf, KMEND_BULK, KMEND_OOM).seen, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_victim_of_the_oom_killer_is_told),
	};

	if (!world_possible())
		return 0;
	return cmocka_run_group_tests(tests, start, leave);
}
