// SPDX-License-Identifier: Apache-2.0
/* What is attached for short windows only: system calls that fail, one way each, and requests to a
 * disk. Each is made over and over until a window has seen it. */
#include "vm/guest/guest.h"

#include <arpa/inet.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#define NOBODY 65534

static void limit(int what, rlim_t n)
{
	struct rlimit l = { n, n };

	setrlimit(what, &l);
}

static void be_nobody(void)
{
	if (setresuid(NOBODY, NOBODY, NOBODY) < 0)
		_exit(1);
}

static void no_descriptors(void)
{
	limit(RLIMIT_NOFILE, 3);
	if (dup(0) >= 0)
		_exit(1);
}

/* Root may have more files than there may be. */
static void no_files(void)
{
	be_nobody();
	open("/proc/version", O_RDONLY | O_CLOEXEC);
}

static void no_memory(void)
{
	limit(RLIMIT_AS, 0);
	mmap(NULL, 1UL << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void no_room(void)
{
	int fd = open("/dev/full", O_WRONLY);

	if (write(fd, "x", 1) >= 0)
		_exit(1);
	close(fd);
}

/* Keys have a quota, too. */
static void no_quota(void)
{
	static char payload[32000];

	be_nobody();
	syscall(SYS_add_key, "user", "case", payload, sizeof(payload), -3 /* session */);
}

static void no_task(void)
{
	limit(RLIMIT_NPROC, 0);
	be_nobody();
	if (fork() == 0)
		_exit(0);
}

static void no_storage(void)
{
	static char block[4096];
	int fd = open("/dev/vdc", O_RDONLY);

	if (pread(fd, block, sizeof(block), 1 << 20) >= 0)
		_exit(1);
	close(fd);
}

static void no_writing(void)
{
	open("/readonly/file", O_WRONLY | O_CREAT, 0600);
}

static void nobody_there(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(1) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	connect(fd, (void *)&a, sizeof(a));
	close(fd);
}

static void no_answer(void)
{
	static int word;
	struct timespec soon = { 0, 1000000 };

	syscall(SYS_futex, &word, FUTEX_WAIT, 0, &soon, NULL, 0);
}

static void no_permission(void)
{
	be_nobody();
	open("/proc/1/mem", O_RDONLY);
}

static void any_call(void)
{
	getppid();
}

/* As the service, over and over, in a child, until the signal is told. */
static bool again_and_again(struct guest *g, const char *signal, void (*fails)(void))
{
	const struct km_raw_value *v;
	uint32_t pid;

	pid = GUEST_CHILD(guest_enter_group(); for (;;) fails());
	v = guest_count(g, signal, NULL, 1);
	guest_end(pid);
	WANT_RECORD(g, v);
	WANT(g, v->window_ns > 0 && v->window_ns < v->period_ns);
	return true;
}

#define CASE(name, signal, fails)                         \
	static bool name(struct guest *g)                 \
	{                                                 \
		return again_and_again(g, signal, fails); \
	}

CASE(calls, "syscall.calls", any_call)
CASE(emfile, "syscall.errors.emfile", no_descriptors)
CASE(enomem, "syscall.errors.enomem", no_memory)
CASE(enospc, "syscall.errors.enospc", no_room)
CASE(edquot, "syscall.errors.edquot", no_quota)
CASE(fork_eagain, "syscall.errors.fork_eagain", no_task)
CASE(eio, "syscall.errors.eio", no_storage)
CASE(econnrefused, "syscall.errors.econnrefused", nobody_there)
CASE(etimedout, "syscall.errors.etimedout", no_answer)
CASE(eacces, "syscall.errors.eacces", no_permission)

static bool enfile(struct guest *g)
{
	char before[32] = "";
	bool ok;

	WANT(g, km_fs_read_small(AT_FDCWD, "/proc/sys/fs/file-max", before, sizeof(before)) > 0);
	WANT(g, guest_write("/proc/sys/fs/file-max", "1"));
	ok = again_and_again(g, "syscall.errors.enfile", no_files);
	guest_write("/proc/sys/fs/file-max", before);
	return ok;
}

static bool erofs(struct guest *g)
{
	bool ok;

	mkdir("/readonly", 0755);
	WANT_IS(g, mount("tmpfs", "/readonly", "tmpfs", MS_RDONLY, NULL), 0);
	ok = again_and_again(g, "syscall.errors.erofs", no_writing);
	umount("/readonly");
	return ok;
}

static void read_disk(void)
{
	int fd = open("/dev/vdb", O_RDONLY | O_DIRECT);
	void *block;

	if (fd < 0 || posix_memalign(&block, 4096, 4096))
		_exit(1);
	for (off_t at = 0;; at += 4096)
		if (pread(fd, block, 4096, at % (64 << 20)) < 0)
			_exit(1);
}

static bool disk(struct guest *g, const char *signal, double from)
{
	const struct km_raw_value *v;
	uint32_t pid = GUEST_CHILD(read_disk());

	v = guest_count(g, signal, "vdb", from);
	guest_end(pid);
	WANT_RECORD(g, v);
	WANT_IS(g, v->entity, KM_ENTITY_DEVICE);
	WANT(g, v->value < 10e6);
	return true;
}

static bool requests(struct guest *g)
{
	return disk(g, "block.requests", 1);
}

/* 200 a second: 5 ms each. */
static bool request_latency(struct guest *g)
{
	return disk(g, "block.latency", 1000);
}

static bool cost(struct guest *g)
{
	return guest_count(g, "kmend.window_cost", "", 0.001);
}

const struct guest_case guest_windows[] = {
	{ "syscall.calls", calls },
	{ "syscall.errors.emfile", emfile },
	{ "syscall.errors.enfile", enfile },
	{ "syscall.errors.enomem", enomem },
	{ "syscall.errors.enospc", enospc },
	{ "syscall.errors.edquot", edquot },
	{ "syscall.errors.fork_eagain", fork_eagain },
	{ "syscall.errors.eio", eio },
	{ "syscall.errors.erofs", erofs },
	{ "syscall.errors.econnrefused", econnrefused },
	{ "syscall.errors.etimedout", etimedout },
	{ "syscall.errors.eacces", eacces },
	{ "block.requests", requests },
	{ "block.latency", request_latency },
	{ "kmend.window_cost", cost },
	{ NULL, NULL },
};
