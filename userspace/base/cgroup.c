// SPDX-License-Identifier: Apache-2.0
/* The mark is an extended attribute of the directory (user.* on cgroupfs: 5.7): it lives exactly as
 * long as what it tells of, over a kill of its writer and not over a boot, and needs no sync. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "base/cgroup.h"
#include "base/fs.h"
#include "base/identity.h"
#include "base/text.h"

#define MARK "user.kmend.intent"

static int write_at(int dir, const char *name, const char *text)
{
	km_autoclose int fd = openat(dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int km_cgroup_pids(int dir, uint32_t ret[KM_CGROUP_PIDS_MAX])
{
	int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	char line[32];
	int n = 0, r;

	if (!f) {
		r = -errno;
		km_close(&fd);
		return r;
	}
	while (n < KM_CGROUP_PIDS_MAX && fgets(line, sizeof(line), f)) {
		const char *p = line;
		uint64_t pid;

		if (km_text_u64(&p, &pid) < 0 || pid > UINT32_MAX)
			break;
		ret[n++] = (uint32_t)pid;
	}
	/* What was not read to its end must not look empty. */
	r = ferror(f) ? -errno : n;
	fclose(f);
	return r;
}

int km_cgroup_count(int dir)
{
	return km_cgroup_pids(dir, (uint32_t[KM_CGROUP_PIDS_MAX]){ 0 });
}

bool km_cgroup_has(int dir, uint64_t tgid)
{
	uint32_t pids[KM_CGROUP_PIDS_MAX];

	for (int i = km_cgroup_pids(dir, pids); i > 0; i--)
		if (pids[i - 1] == tgid)
			return true;
	return false;
}

bool km_cgroup_names(uint32_t tgid, const char *what, char before)
{
	size_t len = strlen(what);
	char path[32], text[8192];
	const char *p;

	snprintf(path, sizeof(path), "/proc/%u/cgroup", tgid);
	if (len == 0 || km_fs_read_small(AT_FDCWD, path, text, sizeof(text)) < 0)
		return false;
	for (p = text; (p = strstr(p, what)); p++)
		if (!before ||
		    (p > text && p[-1] == before && (p[len] == '\0' || strchr("/\n", p[len]))))
			return true;
	return false;
}

void km_cgroup_kill(int dir)
{
	uint32_t pids[KM_CGROUP_PIDS_MAX];

	for (int i = km_cgroup_pids(dir, pids); i > 0; i--) {
		km_autoclose int fd = (int)syscall(SYS_pidfd_open, pids[i - 1], 0);

		/* Listed while the pidfd holds it: it is that one. */
		if (fd >= 0 && km_cgroup_has(dir, pids[i - 1]))
			km_pidfd_kill(fd, SIGKILL);
	}
}

int km_cgroup_mark(int dir, struct km_cgroup_mark *ret)
{
	ssize_t n = fgetxattr(dir, MARK, ret, sizeof(*ret));

	return n < 0 ? -errno : n != sizeof(*ret) ? -ENODATA : 0;
}

int km_cgroup_mark_set(int dir, uint64_t intent_id)
{
	struct km_cgroup_mark m = { intent_id, (uint64_t)getpid() };

	return fsetxattr(dir, MARK, &m, sizeof(m), 0) < 0 ? -errno : 0;
}

void km_cgroup_mark_clear(int dir)
{
	fremovexattr(dir, MARK);
}

int km_cgroup_prepare(const char *root, const char *name, const char *file, uint64_t value,
                      int *ret_dir)
{
	char path[KM_PATH_MAX + KM_NAME_MAX + 2], text[32];
	km_autoclose int dir = -1;
	int r = 0;

	if (!root)
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/%s", root, name);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -errno;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return -errno;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	if (value != KM_UNKNOWN)
		r = write_at(dir, file, text);
	if (r == 0)
		*ret_dir = km_take_fd(&dir);
	return r;
}
