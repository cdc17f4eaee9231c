// SPDX-License-Identifier: Apache-2.0
/* Readers of /proc. Everything in it can be chosen by the process that it is about. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "collect/procfs.h"

#define KERNEL_THREAD 0x00200000 /* PF_KTHREAD */
#define STATUS_MAX    4096
#define LIMITS_MAX    4096

/* Fields of /proc/PID/stat by number in proc(5). */
enum { STATE = 3, PPID = 4, FLAGS = 9, UTIME = 14, STIME = 15, THREADS = 20, START = 22 };

int km_proc_stat_parse(const char *text, struct km_proc_stat *ret)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	struct km_proc_stat s = { 0 };
	uint64_t field[START + 1] = { 0 };
	const char *at;
	char *end;
	size_t n;

	if (!open || !close || close < open || close[1] != ' ' || !close[2])
		return -EBADMSG;
	s.pid = (uint32_t)strtoul(text, &end, 10);
	if (end == text || !s.pid)
		return -EBADMSG;
	n = (size_t)(close - open - 1);
	memcpy(s.comm, open + 1, n < sizeof(s.comm) - 1 ? n : sizeof(s.comm) - 1);
	s.state = close[2];
	at = close + 3;
	for (int i = PPID; i <= START; i++) {
		field[i] = (uint64_t)strtoll(at, &end, 10); /* some are negative */
		if (end == at)
			return -EBADMSG;
		at = end;
	}
	s.ppid = (uint32_t)field[PPID];
	s.flags = field[FLAGS];
	s.cpu_ns = (field[UTIME] + field[STIME]) * KMEND_START_NS;
	s.threads = (uint32_t)field[THREADS];
	s.start_ns = field[START] * KMEND_START_NS;
	*ret = s;
	return 0;
}

int km_proc_cgroup_parse(const char *text, char *path, size_t size)
{
	const char *p = text;
	size_t n;

	while (strncmp(p, "0::/", 4) != 0) {
		p = strchr(p, '\n');
		if (!p)
			return -ENOENT;
		p++;
	}
	p += 3;
	n = strcspn(p, "\n");
	if (n >= size)
		return -ENAMETOOLONG;
	memcpy(path, p, n);
	path[n] = '\0';
	return 0;
}

int km_proc_limits_parse(const char *text, uint64_t *ret)
{
	static const char key[] = "Max open files";
	const char *p = strstr(text, key);
	char *end;
	uint64_t n;

	if (!p || (p != text && p[-1] != '\n'))
		return -ENOENT;
	p += sizeof(key) - 1;
	p += strspn(p, " ");
	if (strncmp(p, "unlimited", 9) == 0) {
		*ret = KM_UNKNOWN;
		return 0;
	}
	n = strtoull(p, &end, 10);
	if (end == p)
		return -ENOENT;
	*ret = n;
	return 0;
}

int km_proc_key_parse(const char *text, const char *key, uint64_t *ret)
{
	size_t n = strlen(key);

	/* Only at the start of a line: "Name:" holds what the process likes. */
	for (const char *p = text; p; p = (p = strchr(p, '\n')) ? p + 1 : NULL)
		if (strncmp(p, key, n) == 0 && p[n] == ':') {
			char *end;
			uint64_t v = strtoull(p + n + 1, &end, 10);

			if (end == p + n + 1)
				return -ENOENT;
			*ret = v;
			return 0;
		}
	return -ENOENT;
}

static int read_of(int proc_fd, uint32_t pid, const char *file, char *buf, size_t size)
{
	char name[64];

	snprintf(name, sizeof(name), "%u/%s", pid, file);
	return km_fs_read_small(proc_fd, name, buf, size);
}

int km_procfs_stat(int proc_fd, uint32_t pid, struct km_proc_stat *ret)
{
	char text[1024];
	int r = read_of(proc_fd, pid, "stat", text, sizeof(text));

	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	return km_proc_stat_parse(text, ret);
}

static void add_status(int proc_fd, struct kmend_task *t)
{
	static const char *const keys[] = { "RssAnon", "RssFile", "RssShmem", "VmSwap" };
	uint64_t kib[KM_ARRAY_SIZE(keys)], uid;
	char text[STATUS_MAX];

	if (read_of(proc_fd, t->tgid, "status", text, sizeof(text)) < 0)
		return;
	if (km_proc_key_parse(text, "Uid", &uid) == 0)
		t->uid = (uint32_t)uid;
	for (size_t i = 0; i < KM_ARRAY_SIZE(keys); i++)
		if (km_proc_key_parse(text, keys[i], &kib[i]) < 0)
			return; /* a zombie has no memory */
	t->anon_bytes = kib[0] * 1024;
	t->file_bytes = kib[1] * 1024;
	t->shmem_bytes = kib[2] * 1024;
	t->swap_bytes = kib[3] * 1024;
	t->has |= KMEND_HAS_RSS;
}

static void add_fds(int proc_fd, struct kmend_task *t)
{
	char name[64];
	DIR *dir;
	int fd;

	snprintf(name, sizeof(name), "%u/fd", t->tgid);
	fd = openat(proc_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		km_close(&fd);
		return;
	}
	while (readdir(dir))
		t->fds++;
	closedir(dir);
	t->fds -= t->fds < 2 ? t->fds : 2; /* "." and ".." */
	t->has |= KMEND_HAS_FDS;
}

static void add_cgroup(int proc_fd, const char *mount, struct kmend_task *t)
{
	char text[4096], path[KM_PATH_MAX], full[2 * KM_PATH_MAX];
	struct stat st;

	if (!mount[0] || read_of(proc_fd, t->tgid, "cgroup", text, sizeof(text)) < 0 ||
	    km_proc_cgroup_parse(text, path, sizeof(path)) < 0)
		return;
	snprintf(full, sizeof(full), "%s%s", mount, path);
	if (stat(full, &st) == 0)
		t->hdr.cgroup_id = st.st_ino;
}

static void add_limits(int proc_fd, struct kmend_task *t)
{
	char text[LIMITS_MAX];
	uint64_t limit;

	if (read_of(proc_fd, t->tgid, "limits", text, sizeof(text)) > 0 &&
	    km_proc_limits_parse(text, &limit) == 0) {
		t->fds_limit = limit;
		t->has |= KMEND_HAS_LIMITS;
	}
	if (read_of(proc_fd, t->tgid, "schedstat", text, sizeof(text)) > 0) {
		char *second = strchr(text, ' '); /* time on CPU, time waiting, slices */

		if (!second)
			return;
		t->run_delay_ns = strtoull(second + 1, NULL, 10);
		t->has |= KMEND_HAS_RUN_DELAY;
	}
}

int km_procfs_task(int proc_fd, const char *cgroup_mount, uint32_t pid, struct kmend_task *ret)
{
	struct kmend_task t = { .hdr = { .type = KMEND_TASK, .size = sizeof(t) } };
	struct km_proc_stat s;
	int r;

	r = km_procfs_stat(proc_fd, pid, &s);
	if (r < 0)
		return r;
	if (s.flags & KERNEL_THREAD)
		return -ENOTSUP;
	t.tgid = pid;
	t.ppid = s.ppid;
	t.start_ns = s.start_ns;
	t.cpu_ns = s.cpu_ns;
	t.threads = s.threads;
	t.state = (uint32_t)s.state;
	t.has = KMEND_HAS_CPU | KMEND_HAS_THREADS;
	memcpy(t.comm, s.comm, sizeof(t.comm));
	add_status(proc_fd, &t);
	add_cgroup(proc_fd, cgroup_mount, &t);
	add_limits(proc_fd, &t);
	add_fds(proc_fd, &t);
	*ret = t;
	return 0;
}

int km_procfs_each(int proc_fd, const char *cgroup_mount, km_task_cb cb, void *userdata)
{
	int fd = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		r = -errno;
		km_close(&fd);
		return r;
	}
	while (r == 0 && (e = readdir(dir))) {
		struct kmend_task t;
		char *end;
		unsigned long pid = strtoul(e->d_name, &end, 10);

		if (*end || !pid || pid > UINT32_MAX)
			continue;
		if (km_procfs_task(proc_fd, cgroup_mount, (uint32_t)pid, &t) == 0)
			r = cb(userdata, &t);
	}
	closedir(dir);
	return r;
}

void km_procfs_exe(int proc_fd, uint32_t pid, char *path_out)
{
	static const char gone[] = " (deleted)";
	char name[64], target[4096 + sizeof(gone)];
	ssize_t n;

	snprintf(name, sizeof(name), "%u/exe", pid);
	n = readlinkat(proc_fd, name, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	/* The kernel adds this when the file was replaced, as an update does. */
	if (n >= (ssize_t)sizeof(gone) && !strcmp(target + n - sizeof(gone) + 1, gone))
		n -= (ssize_t)sizeof(gone) - 1;
	n = n > 0 ? n : 0;
	target[n] = '\0';
	km_copy(path_out, KMEND_PATH_LEN,
	        target + (n >= KMEND_PATH_LEN ? n - KMEND_PATH_LEN + 1 : 0));
}

uint32_t km_procfs_image(int proc_fd, uint32_t pid)
{
	char name[64];
	struct stat st;

	snprintf(name, sizeof(name), "%u/exe", pid);
	if (fstatat(proc_fd, name, &st, 0) < 0)
		return 0;
	return kmend_image((uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec,
	                   (uint64_t)st.st_mtim.tv_nsec);
}
