// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <mntent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/cgroup.h"
#include "base/fs.h"
#include "base/identity.h"
#include "repair/place.h"

/* Processes that are forked while others are moved: passes until none is left behind. */
#define PASSES_MAX 8
/* Cgroups within each other: more than anything nests, and few enough descriptors to be open. */
#define DEPTH_MAX 64

const char *km_place_fault(int error)
{
	return error == -EOPNOTSUPP ? "nothing here can do that"
	       : error == -ENOTUNIQ ? "it shares its cgroup with others"
	                            : "not that process, or not the service's";
}

/* What names the service within a path, and the character before it; NULL: nothing does. */
static const char *name_of(const struct km_place *p, char *ret_before)
{
	*ret_before = '/';
	if (p->unit)
		return p->unit;
	*ret_before = p->def && p->def->kind == KM_BY_CGROUP ? ':' : 0;
	if (p->def && (p->def->kind == KM_BY_CGROUP || p->def->kind == KM_BY_CONTAINER))
		return p->def->match;
	return NULL;
}

bool km_place_has(const struct km_place *p, uint32_t tgid)
{
	char path[32], exe[KM_PATH_MAX] = "", before;
	const char *name = name_of(p, &before);
	uint64_t number;

	if (tgid <= 1 || tgid == (uint32_t)getpid())
		return false;
	if (p->command_dir >= 0)
		return km_cgroup_has(p->command_dir, tgid);
	if (name)
		return km_cgroup_names(tgid, name, before);
	if (p->def && p->def->kind == KM_BY_PIDFILE)
		return km_fs_read_u64(AT_FDCWD, p->def->match, &number) == 0 && number == tgid;
	snprintf(path, sizeof(path), "/proc/%u/exe", tgid);
	return p->def && p->def->kind == KM_BY_EXECUTABLE &&
	       readlink(path, exe, sizeof(exe) - 1) > 0 && strcmp(exe, p->def->match) == 0;
}

int km_place_process(const struct km_place *p, uint32_t tgid, uint64_t start_ns, int *ret_pidfd)
{
	km_autoclose int fd = -1;
	int r = tgid ? km_identity_open(tgid, start_ns, &fd) : -ESRCH;

	if (r == 0 && !km_place_has(p, tgid))
		r = -EPERM;
	if (r == 0)
		*ret_pidfd = km_take_fd(&fd);
	return r;
}

/* Mount point of v1's CONTROLLER, or of v2 (""). */
static bool find_mount(const char *controller, char *ret, size_t size)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent m;
	char line[4096];
	bool found = false;

	while (f && !found && getmntent_r(f, &m, line, sizeof(line))) {
		bool v1 = strcmp(m.mnt_type, "cgroup") == 0 && hasmntopt(&m, controller);

		found = *controller ? v1 : strcmp(m.mnt_type, "cgroup2") == 0;
		if (found)
			found = km_copy(ret, size, m.mnt_dir);
	}
	if (f)
		endmntent(f);
	return found;
}

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = text; (p = strstr(p, word)); p += len)
		if ((p == text || p[-1] == ' ') && (!p[len] || p[len] == ' '))
			return true;
	return false;
}

/* v2 where it has the controller, else v1's own hierarchy of it. */
static int find_hierarchy(const char *controller, char *ret, size_t size, bool *ret_v2)
{
	char file[KM_PATH_MAX + 32], offered[256] = "";

	*ret_v2 = true;
	if (find_mount("", ret, size)) {
		snprintf(file, sizeof(file), "%s/cgroup.controllers", ret);
		km_fs_read_small(AT_FDCWD, file, offered, sizeof(offered));
		if (!*controller || has_word(offered, controller))
			return 0;
	}
	*ret_v2 = false;
	return *controller && find_mount(controller, ret, size) ? 0 : -EOPNOTSUPP;
}

/* TGID's path in the hierarchy of CONTROLLER, or in v2: "N:LIST:PATH" and "0::PATH". */
static int path_of(uint32_t tgid, const char *controller, bool v2, char *ret, size_t size)
{
	char file[32], text[8192], *line, *rest = text;
	ssize_t n;

	snprintf(file, sizeof(file), "/proc/%u/cgroup", tgid);
	n = km_fs_read_small(AT_FDCWD, file, text, sizeof(text));
	if (n < 0)
		return (int)n;
	while ((line = strsep(&rest, "\n"))) {
		char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		for (char *p = ++list; (p = strchr(p, ',')); *p = ' ')
			;
		if (v2 ? !*list : has_word(list, controller))
			return km_copy(ret, size, path) ? 0 : -ENAMETOOLONG;
	}
	return -EOPNOTSUPP;
}

/* Cuts PATH behind the step that names the service: what lies below is the service's, too. */
static int cut(char *path, const char *name, char before)
{
	size_t len = strlen(name);

	for (char *p = path; (p = strstr(p, name)); p++) {
		bool whole = !before || (before == ':' ? p == path : p > path && p[-1] == before);

		if (!before)
			len = strcspn(p, "/");
		if (!whole || (p[len] && p[len] != '/'))
			continue;
		p[len] = '\0';
		return path[1] ? 0 : -ENOTUNIQ;
	}
	return -ENOTUNIQ;
}

static bool is_in(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (!path[len] || path[len] == '/');
}

static int open_below(const char *root, const char *path, int *ret)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	km_autoclose int top = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	long fd = top < 0 ? -1 : syscall(SYS_openat2, top, path + 1, &how, sizeof(how));

	if (fd < 0)
		return -errno;
	*ret = (int)fd;
	return 0;
}

int km_place_open(const struct km_place *p, const char *controller, uint32_t tgid, int *ret_dir,
                  bool *ret_v2)
{
	char root[KM_PATH_MAX], path[KM_PATH_MAX], own[KM_PATH_MAX], before;
	const char *name = name_of(p, &before);
	int r = find_hierarchy(controller, root, sizeof(root), ret_v2);

	if (r < 0)
		return r;
	if (p->command_dir >= 0 && *ret_v2) {
		*ret_dir = fcntl(p->command_dir, F_DUPFD_CLOEXEC, 0);
		return *ret_dir < 0 ? -errno : 0;
	}
	r = path_of(tgid, controller, *ret_v2, path, sizeof(path));
	if (r == 0)
		r = name ? cut(path, name, before) : -ENOTUNIQ;
	if (r == 0)
		r = path_of((uint32_t)getpid(), controller, *ret_v2, own, sizeof(own));
	if (r == 0 && is_in(own, path))
		r = -EPERM;
	return r < 0 ? r : open_below(root, path, ret_dir);
}

uint64_t km_place_id(int dir)
{
	struct stat st;

	return fstat(dir, &st) == 0 ? st.st_ino : 0;
}

/* Gone while it was being looked for is gone. */
static int unless_gone(int error)
{
	return error == ENOENT || error == ENODEV ? -ENOENT : -error;
}

static int look_below(int parent, const char *name, uint64_t id, unsigned int depth, int *ret_dir);

/* All of D, until it is found. -ENOENT only if nothing was left unseen. */
static int look_in(DIR *d, uint64_t id, unsigned int depth, int *ret_dir)
{
	int unseen = 0, r = -ENOENT;
	struct dirent *e;

	while (r < 0 && (errno = 0, e = readdir(d))) {
		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		r = look_below(dirfd(d), e->d_name, id, depth + 1, ret_dir);
		unseen = r == -ENOENT ? unseen : r;
	}
	if (r == 0)
		return 0;
	return errno ? unless_gone(errno) : unseen ? unseen : -ENOENT;
}

/* fts(3) takes a list that breaks off for a whole one: what is there would be called gone. */
static int look_below(int parent, const char *name, uint64_t id, unsigned int depth, int *ret_dir)
{
	km_autoclose int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	uint64_t here = fd < 0 ? 0 : km_place_id(fd);
	DIR *d;
	int r;

	if (fd < 0)
		return unless_gone(errno);
	if (!here)
		return -EIO;
	if (here == id) {
		*ret_dir = km_take_fd(&fd);
		return 0;
	}
	if (depth == DEPTH_MAX)
		return -ELOOP;
	d = fdopendir(fd);
	if (!d)
		return -errno;
	fd = -1;
	r = look_in(d, id, depth, ret_dir);
	closedir(d);
	return r;
}

int km_place_reopen(const char *controller, uint64_t id, int *ret_dir, bool *ret_v2)
{
	char root[KM_PATH_MAX];
	int r = find_hierarchy(controller, root, sizeof(root), ret_v2);

	return r < 0 ? r : look_below(AT_FDCWD, root, id, 0, ret_dir);
}

int km_place_move(int from, int to)
{
	km_autoclose int fd = openat(to, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	uint32_t pids[KM_CGROUP_PIDS_MAX];
	char text[16];

	if (fd < 0)
		return -errno;
	for (int pass = 0; pass < PASSES_MAX; pass++) {
		int n = km_cgroup_pids(from, pids);

		for (int i = 0; i < n; i++) {
			snprintf(text, sizeof(text), "%u", pids[i]);
			(void)!write(fd, text, strlen(text)); /* it may be gone */
		}
		if (km_cgroup_pids(to, pids) >= km_cgroup_pids(from, pids))
			return 0;
	}
	return -EAGAIN;
}
