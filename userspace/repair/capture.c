// SPDX-License-Identifier: Apache-2.0
/* What a process is at just before something is done to it: small files of /proc, what its
 * descriptors are, what its threads wait for; into one file of bounded size, for root alone. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/identity.h"
#include "repair/works.h"

/* Of one file, of one part, threads and descriptors that are listed, captures that are kept. */
#define CAPTURE_MAX (1024 * 1024)
#define PART_MAX    (128 * 1024)
#define LISTED_MAX  256
#define KEPT_MAX    32
#define PREFIX      "capture-"

struct out {
	int fd;
	size_t len;
};

static void put(struct out *o, const char *text, size_t len)
{
	if (len > CAPTURE_MAX - o->len)
		len = CAPTURE_MAX - o->len;
	while (len > 0) {
		ssize_t n = write(o->fd, text, len);

		if (n <= 0)
			return;
		o->len += (size_t)n;
		text += n;
		len -= (size_t)n;
	}
}

static void put_title(struct out *o, const char *title)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "\n== %s ==\n", title);

	put(o, line, (size_t)n);
}

static void put_file(struct out *o, int dir, const char *name)
{
	km_autoclose int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[4096];
	size_t left = PART_MAX;
	ssize_t n;

	put_title(o, name);
	if (fd < 0)
		put(o, strerror(errno), strlen(strerror(errno)));
	while (fd >= 0 && left > 0 &&
	       (n = read(fd, text, left < sizeof(text) ? left : sizeof(text))) > 0) {
		put(o, text, (size_t)n);
		left -= (size_t)n;
	}
}

/* Each descriptor and what it is: files, sockets by their inodes, which net/ tells more of. */
static void put_descriptors(struct out *o, int proc)
{
	int fd = openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), count = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	char target[KM_PATH_MAX], line[KM_PATH_MAX + 32];
	struct dirent *e;

	put_title(o, "fd");
	while (d && (e = readdir(d)) && count < LISTED_MAX) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);

		if (n <= 0)
			continue;
		n = snprintf(line, sizeof(line), "%.16s %.*s\n", e->d_name, (int)n, target);
		put(o, line, (size_t)n);
		count++;
	}
	if (d)
		closedir(d);
}

/* What each thread is in: name, system call, and the kernel's stack where it is to be had. */
static void put_threads(struct out *o, int proc)
{
	static const char *const files[] = { "comm", "wchan", "syscall", "stack" };
	int fd = openat(proc, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC), count = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	char name[64];
	struct dirent *e;

	while (d && (e = readdir(d)) && count < LISTED_MAX) {
		if (e->d_name[0] == '.')
			continue;
		for (size_t i = 0; i < KM_ARRAY_SIZE(files); i++) {
			snprintf(name, sizeof(name), "task/%.16s/%s", e->d_name, files[i]);
			put_file(o, proc, name);
		}
		count++;
	}
	if (d)
		closedir(d);
}

/* The oldest goes where there are as many as are kept: names hold numbers that rise. */
static void make_room(int dir)
{
	char oldest[64] = "";
	unsigned long long least = 0;
	struct dirent *e;
	int count = 0, fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	while (d && (e = readdir(d))) {
		unsigned long long id;

		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) != 0 || strlen(e->d_name) > 40)
			continue;
		id = strtoull(e->d_name + strlen(PREFIX), NULL, 10);
		if (!count++ || id < least) {
			least = id;
			km_copy(oldest, sizeof(oldest), e->d_name);
		}
	}
	if (d)
		closedir(d);
	if (count >= KEPT_MAX)
		unlinkat(dir, oldest, 0);
}

static int plan(void *arg, char *detail, size_t size)
{
	const struct km_work_capture *work = arg;

	snprintf(detail, size, "capture of pid %u", work->tgid);
	return 0;
}

static int apply(void *arg, char *detail, size_t size)
{
	static const char *const files[] = { "status",   "limits",       "io",      "cgroup",
		                             "sched",    "smaps_rollup", "maps",    "net/tcp",
		                             "net/tcp6", "net/udp",      "net/unix" };
	const struct km_work_capture *work = arg;
	char name[64], path[32];
	struct out o = { 0 };
	km_autoclose int proc = -1;
	int r;

	make_room(work->dir);
	snprintf(name, sizeof(name), PREFIX "%llu.txt", (unsigned long long)work->id);
	snprintf(path, sizeof(path), "/proc/%u", work->tgid);
	proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* The directory is of that process: it was there when it was opened, and still is. */
	r = proc < 0 ? -errno : km_pidfd_kill(work->pidfd, 0);
	if (r < 0)
		return r;
	o.fd = openat(work->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (o.fd < 0)
		return -errno;
	put(&o, work->service, strlen(work->service));
	for (size_t i = 0; i < KM_ARRAY_SIZE(files); i++)
		put_file(&o, proc, files[i]);
	put_descriptors(&o, proc);
	put_threads(&o, proc);
	r = fsync(o.fd) < 0 ? -errno : 0;
	close(o.fd);
	snprintf(detail, size, "captured into %s, %zu bytes", name, o.len);
	return r;
}

const struct km_job_work km_work_capture = { plan, apply };
