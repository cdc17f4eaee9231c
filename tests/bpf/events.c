// SPDX-License-Identifier: Apache-2.0
/* Life and death of processes, as the kernel programs tell them. */
#include "bpf/world.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static bool fork_of(const void *raw, const void *arg)
{
	return ((const struct kmend_fork *)raw)->tgid == *(const uint32_t *)arg;
}

static bool exec_of(const void *raw, const void *arg)
{
	return ((const struct kmend_exec *)raw)->tgid == *(const uint32_t *)arg;
}

static bool signal_to(const void *raw, const void *arg)
{
	return ((const struct kmend_signal *)raw)->tgid == *(const uint32_t *)arg;
}

static bool connect_to(const void *raw, const void *arg)
{
	return ((const struct kmend_tcp_state *)raw)->rport == *(const uint16_t *)arg;
}

static int start(void **state)
{
	struct km_collect_opts opts = { 0 };

	world_enter(state);
	world_start(*state, &opts);
	return 0;
}

/* Connections are tracked only where something asked for it; a virtual machine knows no heat. */
static bool may_lack(const char *signal)
{
	return strcmp(signal, "net.conntrack.used") == 0 ||
	       strcmp(signal, "host.thermal.throttles") == 0;
}

static void every_program_is_in_place(void **state)
{
	struct world *w = *state;
	struct km_bpf_object objects[64];
	size_t n = km_collect_bpf_objects(w->collect, objects, 64);

	assert_int_equal(n, KM_PROG_MAX + KM_MAP_MAX);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(objects[i].state, "failed") || !strcmp(objects[i].state, "absent"))
			fail_msg("%s: %s", objects[i].name, objects[i].reason);
	/* Without a configuration there is no budget for windows. */
	for (const struct km_source *s = km_collect_sources(w->collect); s->name; s++)
		if (!s->available && !s->off && !may_lack(s->name))
			fail_msg("%s: %s", s->name, s->reason);
}

static void a_child_is_told_from_fork_to_exit_code(void **state)
{
	struct world *w = *state;
	uint32_t pid = CHILD(execl("/bin/sh", "sh", "-c", "exit 7", NULL));
	const struct kmend_fork *f;
	const struct kmend_exec *e;
	const struct kmend_exit *x;

	reap(pid);
	x = world_wait(w, KMEND_EXIT, exit_of, &pid);
	assert_non_null(x);
	assert_int_equal(x->exit_code, 7 << 8);
	assert_string_equal(x->comm, "sh");
	f = world_wait(w, KMEND_FORK, fork_of, &pid);
	assert_non_null(f);
	assert_int_equal(f->ppid, getpid());
	assert_true(f->start_ns == x->start_ns);
	assert_true(f->start_ns % KMEND_START_NS == 0);
	assert_true(f->start_ns <= f->hdr.ktime_ns);
	assert_true(f->hdr.cgroup_id == world_cgroup());
	e = world_wait(w, KMEND_EXEC, exec_of, &pid);
	assert_non_null(e);
	assert_string_equal(e->path, "/bin/sh");
	assert_int_equal(e->uid, 0);
}

static void check_end(struct world *w, uint32_t pid)
{
	int status = reap(pid);
	const struct kmend_exit *x = world_wait(w, KMEND_EXIT, exit_of, &pid);

	assert_non_null(x);
	assert_int_equal(x->exit_code, status);
}

static void every_way_to_end_has_its_code(void **state)
{
	static const int signals[] = { SIGTERM, SIGKILL, SIGUSR1, SIGALRM };
	struct rlimit none = { 0, 0 };
	struct world *w = *state;

	for (size_t i = 0; i < KM_ARRAY_SIZE(signals); i++)
		check_end(w, CHILD(kill(getpid(), signals[i]); pause()));
	for (int code = 0; code < 256; code += 51)
		check_end(w, CHILD(_exit(code)));
	check_end(w, CHILD(setrlimit(RLIMIT_CORE, &none); abort()));
}

static int last_thread(void *arg)
{
	(void)arg;
	usleep(20000);
	return 0;
}

/* The leader goes first, the other thread ends the group 20 ms later. */
static void leave_a_thread_behind(void)
{
	static char stack[65536];

	clone(last_thread, stack + sizeof(stack),
	      CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
	      NULL);
	syscall(SYS_exit, 3); /* not exit_group */
}

static void a_group_ends_once_and_with_its_last_thread(void **state)
{
	struct world *w = *state;
	uint32_t pid = CHILD(leave_a_thread_behind());
	size_t times = 0;

	check_end(w, pid);
	world_pass(w);
	for (size_t i = 0; i < w->count; i++)
		times += world_record(w, i)->type == KMEND_EXIT && exit_of(w->records[i], &pid);
	assert_int_equal(times, 1);
}

static void the_sender_of_sigkill_is_named(void **state)
{
	struct world *w = *state;
	uint32_t victim = CHILD(pause());
	uint32_t killer = CHILD(kill((pid_t)victim, SIGKILL));
	const struct kmend_signal *s;

	assert_int_equal(reap(victim), SIGKILL);
	reap(killer);
	s = world_wait(w, KMEND_SIGNAL, signal_to, &victim);
	assert_non_null(s);
	assert_int_equal(s->signal, SIGKILL);
	assert_int_equal(s->code, 0);
	assert_int_equal(s->sender_tgid, killer);
	assert_int_equal(s->sender_uid, 0);
	assert_int_equal(s->result, 0);
	assert_string_equal(s->sender_comm, s->comm);
	assert_true(s->sender_cgroup_id == world_cgroup());
	assert_true(s->sender_start_ns >= s->start_ns);
}

static void a_fault_has_no_sender(void **state)
{
	struct world *w = *state;
	struct rlimit none = { 0, 0 };
	volatile int *nobody = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t pid = CHILD(signal(SIGSEGV, SIG_DFL); setrlimit(RLIMIT_CORE, &none); *nobody = 1);
	const struct kmend_signal *s;

	assert_int_equal(reap(pid) & 0x7f, SIGSEGV);
	s = world_wait(w, KMEND_SIGNAL, signal_to, &pid);
	assert_non_null(s);
	assert_int_equal(s->signal, SIGSEGV);
	assert_int_equal(s->sender_tgid, 0);
	assert_string_equal(s->sender_comm, "");
}

static void a_long_path_keeps_its_end(void **state)
{
	struct world *w = *state;
	char path[1024] = "/tmp", *end = path + 4;
	const struct kmend_exec *e;
	uint32_t pid;

	for (int i = 0; i < 200; i++)
		end = stpcpy(end, "/.");
	stpcpy(end, "/../bin/true");
	pid = CHILD(execl(path, "true", NULL));
	assert_int_equal(reap(pid), 0);
	e = world_wait(w, KMEND_EXEC, exec_of, &pid);
	assert_non_null(e);
	assert_int_equal(strlen(e->path), KMEND_PATH_LEN - 1);
	assert_string_equal(e->path, path + strlen(path) - KMEND_PATH_LEN + 1);
}

/* As stat(2) sees the file, so that who was there before is comparable with who comes. */
static void an_exec_says_which_version_it_runs(void **state)
{
	struct world *w = *state;
	const struct kmend_exec *e;
	struct stat st;
	uint32_t pid = CHILD(execl("/bin/true", "true", NULL));

	assert_int_equal(reap(pid), 0);
	e = world_wait(w, KMEND_EXEC, exec_of, &pid);
	assert_non_null(e);
	assert_int_equal(stat("/bin/true", &st), 0);
	assert_int_equal(e->image, kmend_image((uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec,
	                                       (uint64_t)st.st_mtim.tv_nsec));
}

static void a_refused_connect_is_told(void **state)
{
	struct world *w = *state;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int held = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
	const struct kmend_tcp_state *t;
	socklen_t len = sizeof(a);
	uint16_t port;

	/* Bound and not listening: nobody else can answer there. */
	assert_int_equal(bind(held, (void *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(held, (void *)&a, &len), 0);
	port = ntohs(a.sin_port);
	assert_int_equal(connect(fd, (void *)&a, sizeof(a)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
	close(held);
	t = world_wait(w, KMEND_TCP_STATE, connect_to, &port);
	assert_non_null(t);
	assert_int_equal(t->family, AF_INET);
	assert_int_equal(t->from, 2);
	assert_int_equal(t->to, 7);
	assert_int_equal(t->error, ECONNREFUSED);
	assert_memory_equal(t->raddr, "\x7f\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_true(t->hdr.cgroup_id == world_cgroup());
}

static bool own_retransmit(const void *raw, const void *arg)
{
	return ((const struct kmend_hdr *)raw)->cgroup_id == *(const uint64_t *)arg;
}

/* Nobody accepts: the queue holds one, further SYNs are dropped and sent again after 1 s. */
static void retransmits_are_counted_for_the_cgroup(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fds[4], listener = socket(AF_INET, SOCK_STREAM, 0);
	const struct kmend_retransmit *r;
	uint64_t id = world_cgroup();
	socklen_t len = sizeof(a);

	assert_int_equal(bind(listener, (void *)&a, sizeof(a)), 0);
	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(getsockname(listener, (void *)&a, &len), 0);
	for (size_t i = 0; i < KM_ARRAY_SIZE(fds); i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		assert_true(connect(fds[i], (void *)&a, sizeof(a)) == 0 || errno == EINPROGRESS);
	}
	r = world_wait(*state, KMEND_RETRANSMIT, own_retransmit, &id);
	assert_non_null(r);
	assert_in_range(r->count, 1, 100);
	for (size_t i = 0; i < KM_ARRAY_SIZE(fds); i++)
		close(fds[i]);
	close(listener);
}

static void a_watched_cgroup_wakes_at_once(void **state)
{
	struct world *w = *state;
	uint64_t before = km_bpf_count(&w->collect->bpf, KMEND_MUST, KMEND_EXIT).seen;
	uint64_t id = world_cgroup();
	const struct kmend_exit *x;
	uint32_t pid;

	assert_int_equal(km_collect_watch(w->collect, id, true), 0);
	pid = CHILD(_exit(0));
	reap(pid);
	x = world_wait(w, KMEND_EXIT, exit_of, &pid);
	assert_non_null(x);
	/* Generous, for a busy machine; without the wake-up it is 100 ms on average. */
	assert_true(km_now_ns() - x->hdr.ktime_ns < 60 * KM_NS_PER_MS);
	assert_true(km_bpf_count(&w->collect->bpf, KMEND_MUST, KMEND_EXIT).seen > before);
	assert_int_equal(km_collect_watch(w->collect, id, false), 0);
}

/* As after the actor made a cgroup: its number is known before its directory was seen. */
static void a_cgroup_can_be_watched_before_it_is_known(void **state)
{
	struct world *w = *state;
	char path[KM_PATH_MAX + 64];
	uint64_t id, one;
	struct stat st;

	snprintf(path, sizeof(path), "%s/kmend-test-%d", w->collect->mounts.unified, getpid());
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(stat(path, &st), 0);
	id = st.st_ino;
	assert_int_equal(km_collect_watch(w->collect, id, true), -ENOENT);
	for (int i = 0; i < 50 && !km_cgroups_path(w->collect->cgroups, id); i++)
		km_loop_once(w->loop, 100);
	assert_int_equal(bpf_map_lookup_elem(w->collect->bpf.maps[KM_MAP_WATCH], &id, &one), 0);
	assert_int_equal(rmdir(path), 0);
	for (int i = 0; i < 50 && km_cgroups_path(w->collect->cgroups, id); i++)
		km_loop_once(w->loop, 100);
	assert_true(bpf_map_lookup_elem(w->collect->bpf.maps[KM_MAP_WATCH], &id, &one) != 0);
}

static void a_canary_comes_back(void **state)
{
	struct world *w = *state;

	world_forget(w);
	assert_int_equal(km_bpf_canary(&w->collect->bpf), 0);
	assert_non_null(world_wait(w, KMEND_CANARY, NULL, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_program_is_in_place),
		cmocka_unit_test(a_child_is_told_from_fork_to_exit_code),
		cmocka_unit_test(every_way_to_end_has_its_code),
		cmocka_unit_test(a_group_ends_once_and_with_its_last_thread),
		cmocka_unit_test(the_sender_of_sigkill_is_named),
		cmocka_unit_test(a_fault_has_no_sender),
		cmocka_unit_test(a_long_path_keeps_its_end),
		cmocka_unit_test(an_exec_says_which_version_it_runs),
		cmocka_unit_test(a_refused_connect_is_told),
		cmocka_unit_test(retransmits_are_counted_for_the_cgroup),
		cmocka_unit_test(a_watched_cgroup_wakes_at_once),
		cmocka_unit_test(a_cgroup_can_be_watched_before_it_is_known),
		cmocka_unit_test(a_canary_comes_back),
	};

	if (!world_possible())
		return 0;
	return cmocka_run_group_tests(tests, start, world_leave);
}
